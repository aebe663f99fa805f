//! Words that must not stand in a file: unfinished work, silenced lints, skipped tests, prints.

use super::problem::Problem;
use super::source::Source;

/// Which text a phrase is looked for in.
#[derive(Clone, Copy)]
enum Within {
    /// Every text file, comments too.
    Anything,
    /// Rust code, without comments and strings.
    Code,
}

struct Rule {
    name: &'static str,
    /// Whole words or beginnings, written in two halves so that this file passes its own rules.
    phrases: &'static [&'static str],
    within: Within,
    /// Places where it may stand.
    spared: fn(&Source) -> bool,
    mend: &'static str,
}

const RULES: [Rule; 5] = [
    Rule {
        name: "unfinished",
        phrases: &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")],
        within: Within::Anything,
        spared: |_| false,
        mend: "finish it, or write it down where people look for work",
    },
    Rule {
        name: "outside reference",
        phrases: &[concat!("/wo", "rk/"), concat!("shared/re", "search"), concat!("work", "shop")],
        within: Within::Anything,
        spared: |_| false,
        mend: "the project must stand alone; say it in its own words",
    },
    Rule {
        name: "silenced lint",
        phrases: &["#[allow(", "#![allow("],
        within: Within::Code,
        spared: |_| false,
        mend: "`#[expect(…, reason = \"…\")]` tells when it is no longer needed",
    },
    Rule {
        name: "skipped test",
        phrases: &["#[ignore"],
        within: Within::Code,
        spared: |_| false,
        mend: "mend the test, or assert what happens now and say why",
    },
    Rule {
        name: "print",
        phrases: &["println!", "eprintln!", "print!", "eprint!"],
        within: Within::Code,
        spared: may_print,
        mend: "only `crates/friday/src/ui` prints; return what there is to say",
    },
];

fn may_print(source: &Source) -> bool {
    source.is_test()
        || source.is_under("crates/friday/src/ui")
        || source.path.ends_with("crates/friday/src/ui.rs")
        || source.is_under("xtask")
        || source.is_under("examples")
        || source.path.ends_with("build.rs")
}

/// Looks for every phrase in a file.
pub fn check(source: &Source) -> Vec<Problem> {
    RULES
        .iter()
        .filter(|rule| !(rule.spared)(source))
        .flat_map(|rule| {
            let text = match rule.within {
                Within::Anything => &source.text,
                Within::Code => &source.code,
            };
            text.lines()
                .enumerate()
                .filter(|(_, line)| stands_in(rule, line))
                .map(|(number, _)| Problem::new(&source.path, number + 1, rule.name, rule.mend))
        })
        .collect()
}

fn stands_in(rule: &Rule, line: &str) -> bool {
    rule.phrases.iter().any(|phrase| {
        line.match_indices(phrase).any(|(at, _)| {
            let inside = |letter: Option<char>| {
                letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
            };
            let is_word = phrase.starts_with(char::is_alphabetic);
            !(is_word && inside(line[..at].chars().next_back()))
        })
    })
}
