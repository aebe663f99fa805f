//! The table is well formed; whether it is true is for the simulator to say.

use std::collections::BTreeSet;

use super::{FROM_MANY, KINDS, START, TRANSITIONS, mermaid};

#[test]
fn each_transition_stands_once() {
    let mut seen = BTreeSet::new();
    for one in TRANSITIONS {
        assert!(seen.insert(one), "{one:?} stands twice");
    }
}

#[test]
fn every_phase_can_be_reached_and_leads_to_the_end() {
    for (kind, _) in KINDS {
        let arrows: Vec<_> = TRANSITIONS.iter().filter(|(of, _, _)| *of == kind).collect();
        let phases: BTreeSet<&str> = arrows.iter().flat_map(|(_, from, to)| [*from, *to]).collect();
        let reach = |from: &'static str, forward: bool| {
            let mut found: BTreeSet<&str> = [from].into();
            for _ in &phases {
                for (_, a, b) in &arrows {
                    let (a, b) = if forward { (a, b) } else { (b, a) };
                    if found.contains(a) {
                        found.insert(b);
                    }
                }
            }
            found
        };
        let mut from_start = reach(START, true);
        // A push goes back from many phases.
        from_start.extend(FROM_MANY.iter().filter(|(of, _, _)| *of == kind).map(|(_, to, _)| *to));
        let missed: Vec<_> = phases.difference(&from_start).collect();
        assert!(missed.is_empty(), "{kind} never comes to {missed:?}");
        let to_end = reach("ended", false);
        let stuck: Vec<_> = phases.difference(&to_end).collect();
        assert!(stuck.is_empty(), "{kind} never leaves {stuck:?}");
    }
}

#[test]
fn the_drawing_has_every_arrow() {
    let page = mermaid();
    assert_eq!(page.matches(" --> ").count(), TRANSITIONS.len());
    assert_eq!(page.matches("- From many").count(), FROM_MANY.len());
    assert!(page.contains("    [*] --> Begun\n"), "{page}");
    assert!(page.contains("    UpgradingFridayHost --> ReleasingTheLease\n"), "{page}");
}
