//! The days of a rule, period by period.

use jiff::ToSpan as _;
use jiff::civil::{Date, Weekday};

use super::{Ends, Every, OnDay, Recurrence};

/// Periods of one answer. A daily rule of fifty years has 18,262; a rule that never gives anything ends here.
const PERIODS_MAX: u32 = 40_000;

impl Recurrence {
    /// The days from `start` on that are not before `from` nor after `to`, in order, each once. `start` itself counts
    /// only where the rule gives it.
    pub fn dates(&self, start: Date, from: Date, to: Date) -> Vec<Date> {
        let to = match self.ends {
            Ends::On(last) => to.min(last),
            Ends::Never | Ends::After(_) | Ends::At(_) => to,
        };
        let most = match self.ends {
            Ends::After(count) => count,
            Ends::Never | Ends::At(_) | Ends::On(_) => u32::MAX,
        };
        let mut found = Vec::new();
        let mut counted = 0_u32;
        // What is counted is counted from the beginning.
        let mut period = if most == u32::MAX { self.period_near(start, from) } else { 0 };
        for _ in 0..PERIODS_MAX {
            let Some(begins) = self.begins(start, period) else { break };
            if begins > to {
                break;
            }
            for day in self.of_period(start, begins) {
                if day < start {
                    continue;
                }
                counted += 1;
                if counted > most {
                    return found;
                }
                if from <= day && day <= to {
                    found.push(day);
                }
            }
            period += 1;
        }
        found
    }

    /// The first day of a period, counted from that of `start`.
    fn begins(&self, start: Date, period: i64) -> Option<Date> {
        let steps = period.checked_mul(i64::from(self.interval))?;
        // More than the calendar has is an error here, and a panic where a span is written out.
        let span = jiff::Span::new();
        let span = match self.every {
            Every::Day => span.try_days(steps),
            Every::Week => span.try_weeks(steps),
            Every::Month => span.try_months(steps),
            Every::Year => span.try_years(steps),
        };
        self.first_day(start).checked_add(span.ok()?).ok()
    }

    fn first_day(&self, day: Date) -> Date {
        match self.every {
            Every::Day => day,
            Every::Week => {
                let behind = day.weekday().since(self.week_start);
                day.saturating_sub(i64::from(behind).days())
            }
            Every::Month => day.first_of_month(),
            Every::Year => day.first_of_year(),
        }
    }

    /// A period that is not after the one of `from`.
    fn period_near(&self, start: Date, from: Date) -> i64 {
        if from <= start {
            return 0;
        }
        let days = start.until(from).map_or(0, |span| i64::from(span.get_days()));
        let longest = match self.every {
            Every::Day => 1,
            Every::Week => 7,
            Every::Month => 31,
            Every::Year => 366,
        };
        (days / (longest * i64::from(self.interval)) - 1).max(0)
    }

    /// The days of the period that begins there, in order.
    fn of_period(&self, start: Date, begins: Date) -> Vec<Date> {
        let mut days = match self.every {
            Every::Day => vec![begins],
            Every::Week => self.of_week(start, begins),
            Every::Month => self.of_month(start, begins),
            Every::Year => self.of_year(start, begins),
        };
        days.retain(|day| {
            self.is_of_a_month(*day) && (self.every != Every::Day || self.fits(*day))
        });
        days.sort();
        days.dedup();
        self.chosen(days)
    }

    fn is_of_a_month(&self, day: Date) -> bool {
        self.months.is_empty() || self.months.contains(&day.month())
    }

    /// Whether a day is one of those that BYDAY and BYMONTHDAY name, where they limit.
    fn fits(&self, day: Date) -> bool {
        let names = |on: &OnDay| on.day == day.weekday();
        (self.days.is_empty() || self.days.iter().any(names))
            && (self.month_days.is_empty() || self.is_named_by_number(day))
    }

    fn is_named_by_number(&self, day: Date) -> bool {
        let back = day.day() - day.days_in_month() - 1;
        self.month_days.contains(&day.day()) || self.month_days.contains(&back)
    }

    fn of_week(&self, start: Date, begins: Date) -> Vec<Date> {
        let wanted: Vec<Weekday> = match self.days.is_empty() {
            true => vec![start.weekday()],
            false => self.days.iter().map(|on| on.day).collect(),
        };
        let days = (0_i64..7).filter_map(|offset| begins.checked_add(offset.days()).ok());
        days.filter(|day| wanted.contains(&day.weekday())).collect()
    }

    fn of_month(&self, start: Date, begins: Date) -> Vec<Date> {
        let all = || days_from(begins, begins.last_of_month());
        match (self.month_days.is_empty(), self.days.is_empty()) {
            (true, true) => same_day(start, begins),
            (false, _) => all().filter(|day| self.fits(*day)).collect(),
            (true, false) => self.by_weekday(begins, begins.last_of_month()),
        }
    }

    fn of_year(&self, start: Date, begins: Date) -> Vec<Date> {
        let months = || {
            let first = |month: i8| Date::new(begins.year(), month, 1).ok();
            (1..=12)
                .filter(|month| self.months.is_empty() || self.months.contains(month))
                .filter_map(first)
        };
        match (self.month_days.is_empty(), self.days.is_empty()) {
            (true, true) if self.months.is_empty() => {
                Date::new(begins.year(), start.month(), start.day()).into_iter().collect()
            }
            (true, true) => months().flat_map(|month| same_day(start, month)).collect(),
            (false, _) => {
                let days = months().flat_map(|month| days_from(month, month.last_of_month()));
                days.filter(|day| self.fits(*day)).collect()
            }
            (true, false) if self.months.is_empty() => {
                self.by_weekday(begins, begins.last_of_year())
            }
            (true, false) => {
                months().flat_map(|month| self.by_weekday(month, month.last_of_month())).collect()
            }
        }
    }

    /// The days that BYDAY names between two: all of a weekday, or its nth.
    fn by_weekday(&self, first: Date, last: Date) -> Vec<Date> {
        let mut found = Vec::new();
        for on in &self.days {
            let of_it: Vec<Date> =
                days_from(first, last).filter(|day| day.weekday() == on.day).collect();
            match on.nth {
                None => found.extend(of_it),
                Some(nth) => found.extend(nth_of(&of_it, i32::from(nth))),
            }
        }
        found
    }

    /// Those that BYSETPOS chooses.
    fn chosen(&self, days: Vec<Date>) -> Vec<Date> {
        if self.positions.is_empty() {
            return days;
        }
        let mut chosen: Vec<Date> =
            self.positions.iter().filter_map(|position| nth_of(&days, *position)).collect();
        chosen.sort();
        chosen.dedup();
        chosen
    }
}

/// The nth from the beginning, or from the end.
fn nth_of(days: &[Date], nth: i32) -> Option<Date> {
    let number = usize::try_from(nth.unsigned_abs()).ok()?.checked_sub(1)?;
    if nth > 0 { days.get(number).copied() } else { days.iter().rev().nth(number).copied() }
}

/// The start's day in a month that has it.
fn same_day(start: Date, month: Date) -> Vec<Date> {
    Date::new(month.year(), month.month(), start.day()).into_iter().collect()
}

fn days_from(first: Date, last: Date) -> impl Iterator<Item = Date> {
    std::iter::successors(Some(first), |day| day.tomorrow().ok())
        .take_while(move |day| *day <= last)
}
