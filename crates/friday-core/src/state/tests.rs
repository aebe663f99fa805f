use super::*;
use friday_wire::Digest;

#[test]
fn a_release_that_became_stable_later_is_not_quarantined_any_more() {
    let release = |number: u8| ReleaseId(Digest([number; 32]));
    let entry = Quarantined {
        fence: Fence::zero(),
        tree: None,
        reason: "status 502".to_owned(),
        active: true,
    };
    let state = State {
        quarantine: std::sync::Arc::new([(release(1), entry.clone()), (release(2), entry)].into()),
        ..State::default()
    };
    let left: Vec<ReleaseId> = state.quarantine_but(Some(release(1))).into_keys().collect();
    assert_eq!(left, [release(2)]);
    assert_eq!(state.quarantine_but(None).len(), 2);
}

#[test]
fn that_the_quarantine_of_the_stable_release_was_lifted_is_told() {
    let stable = ReleaseId(Digest([1; 32]));
    let lifted = Quarantined {
        fence: Fence::zero(),
        tree: None,
        reason: "it was not its fault".to_owned(),
        active: false,
    };
    let entries = [(stable, lifted)];
    let state = State { quarantine: std::sync::Arc::new(entries.into()), ..State::default() };
    assert!(state.quarantine_but(Some(stable)).contains_key(&stable));
}
