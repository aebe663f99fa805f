//! Six hundred rules, and what python's dateutil makes of them: `oracle.py` wrote both.

use friday_time::{Date, Recurrence};

#[test]
fn rules_give_the_days_that_dateutil_gives() {
    let mut rules = 0;
    for line in include_str!("oracle.txt").lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [start, from, to, text, expected] = words[..] else { panic!("{line}") };
        let date = |text: &str| text.parse::<Date>().expect("a date");
        let rule = Recurrence::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let mut found = rule.dates(date(start), date(from), date(to));
        found.truncate(60);
        let expected: Vec<Date> = match expected {
            "-" => Vec::new(),
            days => days.split(',').map(date).collect(),
        };
        assert_eq!(found, expected, "{line}");
        rules += 1;
    }
    assert_eq!(rules, 600);
}
