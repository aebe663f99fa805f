//! From a rota to its shifts: turns, those who take others' places, those who are away, hours and holidays.

use friday_time::{Interval, Intervals, When, Zone};

use super::span;
use crate::config::{CalendarSettings, RotaSettings};
use crate::cover::{Duty, Shift, Who};

/// Somebody's part of the rota, before absences, hours and holidays.
struct Turn {
    interval: Interval,
    person: String,
    rule: String,
}

/// Every shift of a rota that meets a range, by its beginning.
pub fn shifts(calendar: &CalendarSettings, rota: &RotaSettings, range: Interval) -> Vec<Shift> {
    let hours = rota.hours.intervals(&rota.zone, range);
    let mut shifts = Vec::new();
    for turn in turns(rota, range) {
        let on_duty = Intervals::of([turn.interval]).common(&hours);
        let off = holidays(calendar, rota, &turn.person, turn.interval);
        let away = absences(calendar, &rota.zone, &turn.person, turn.interval);
        let made = |interval: &Interval, who: Who| Shift {
            rota: rota.name.clone(),
            who,
            span: span(*interval),
            duty: rota.duty,
            rule: turn.rule.clone(),
            depth: rota.people,
        };
        let nobody = |why: String| Who::Nobody { why };
        let there = on_duty.without(&off).without(&away);
        shifts.extend(there.iter().map(|one| made(one, Who::Person { name: turn.person.clone() })));
        let gone = on_duty.common(&away);
        shifts.extend(gone.iter().map(|one| made(one, nobody(format!("{} is away", turn.person)))));
        let free = on_duty.common(&off).without(&away);
        shifts.extend(
            free.iter().map(|one| made(one, nobody(format!("a holiday of {}", turn.person)))),
        );
    }
    shifts.sort_by_key(|shift| shift.span);
    shifts
}

/// The turns of members, with overrides cut out of them and put in their place.
fn turns(rota: &RotaSettings, range: Interval) -> Vec<Turn> {
    let at = |when: When| when.moment(&rota.zone).0;
    let overrides: Vec<Turn> = rota
        .overrides
        .iter()
        .filter_map(|one| {
            let interval = Interval::new(at(one.from), at(one.to))?.common(&range)?;
            Some(Turn { interval, person: one.person.clone(), rule: "an override".to_owned() })
        })
        .collect();
    let replaced = Intervals::of(overrides.iter().map(|turn| turn.interval));
    let every = i32::try_from(rota.every).unwrap_or(1);
    let members = i64::try_from(rota.members.len()).unwrap_or(1).max(1);
    let mut turns = Vec::new();
    for turn in rota.handoff.turns(rota.start, every, &rota.zone, range) {
        let number = usize::try_from(turn.number.rem_euclid(members)).unwrap_or(0);
        let Some(person) = rota.members.get(number) else { continue };
        let rule = format!("{person}'s turn");
        let own = Intervals::of(turn.interval.common(&range)).without(&replaced);
        turns.extend(own.iter().map(|interval| Turn {
            interval: *interval,
            person: person.clone(),
            rule: rule.clone(),
        }));
    }
    turns.extend(overrides);
    turns
}

/// When somebody is away.
fn absences(calendar: &CalendarSettings, zone: &Zone, person: &str, range: Interval) -> Intervals {
    // An absence is on the team's clock, whatever rota asks.
    let zone = calendar.zone.as_ref().unwrap_or(zone);
    let at = |when: When| when.moment(zone).0;
    let of_them = calendar.absences.iter().filter(|absence| absence.person == person);
    Intervals::of(
        of_them
            .filter_map(|absence| Interval::new(at(absence.from), at(absence.to))?.common(&range)),
    )
}

/// Holidays of somebody who would be at work. A day has no zone: it is that day where the rota is.
fn holidays(
    calendar: &CalendarSettings,
    rota: &RotaSettings,
    person: &str,
    range: Interval,
) -> Intervals {
    if rota.duty == Duty::OnCall {
        return Intervals::default();
    }
    let from = rota.zone.civil(range.start).date();
    let to = rota.zone.civil(range.end).date();
    let mut days = Vec::new();
    for holiday in &calendar.holidays {
        if !holiday.people.is_empty() && !holiday.people.iter().any(|name| name == person) {
            continue;
        }
        match &holiday.repeat {
            Some(rule) => days.extend(rule.dates(holiday.date, from, to)),
            None => days.push(holiday.date),
        }
    }
    let whole = days.into_iter().filter_map(|day| {
        let next = day.tomorrow().ok()?;
        let start = When::Date(day).moment(&rota.zone).0;
        Interval::new(start, When::Date(next).moment(&rota.zone).0)
    });
    Intervals::of(whole.filter_map(|day| day.common(&range)))
}
