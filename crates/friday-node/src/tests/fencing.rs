//! Fence, lease, keeper, lock, quarantine, the open rollout and its migration.

use std::collections::BTreeMap;

use friday_wire::*;

use super::world::*;

fn head(answer: &Answer) -> Head {
    match answer {
        Answer::Raised(head) => (**head).clone(),
        other => panic!("not raised: {other:?}"),
    }
}

fn sweep(number: u64) -> Fence {
    fence(number, FenceKind::Sweep)
}

#[test]
fn a_lower_fence_is_refused_everywhere_and_an_equal_one_is_answered_again() {
    let mut world = World::new(Setting::plain());
    let first = head(&world.raise(rollback(5)));
    assert_eq!(head(&world.raise(rollback(5))), first);
    assert_eq!(first.keeper.expect("stored").value, HostName::new("web-1"));
    let low = push(4);
    let requests = [
        Request::Raise {
            keeper_fence: None,
            fence: low.clone(),
            lease: None,
            keeper: HostName::new("web-1"),
            witness: None,
        },
        Request::Renew { fence: low.clone() },
        Request::Release { fence: low.clone() },
        Request::Open {
            fence: low.clone(),
            rollout: open("p", RolloutKind::Push, None),
            once: Default::default(),
        },
        Request::Observe { fence: low.clone(), seal: None },
        Request::Prune { fence: low.clone(), keep: (1, 1) },
        Request::Lock { fence: low.clone(), lock: None },
        Request::Keeper { fence: low.clone(), keeper: HostName::new("web-2") },
    ];
    for request in requests {
        let refused = Answer::Refused(Refusal::Fenced { highest: rollback(5) });
        assert_eq!(world.ask(request.clone()), refused, "{request:?}");
    }
    let same_number = Fence { start: StartId::new("a"), ..push(5) };
    assert!(matches!(world.raise(same_number), Answer::Refused(Refusal::Fenced { .. })));
    assert!(matches!(world.ask(Request::READ), Answer::Observed(_)));
}

#[test]
fn only_a_rollback_ends_a_living_lease() {
    let mut world = World::new(Setting::plain());
    let lease = head(&world.lease(push(1))).lease.expect("taken");
    assert_eq!((lease.holder.as_str(), lease.remaining_ms), ("anna", 60_000));
    for refused in [world.lease(push(2)), world.raise(push(2)), world.raise(sweep(2))] {
        assert!(matches!(refused, Answer::Refused(Refusal::Leased { .. })), "{refused:?}");
    }
    assert_eq!(world.observe().head.fence, push(1), "a refusal changes nothing");
    let same_start = Fence { number: 2, ..push(1) };
    assert!(head(&world.raise(same_start.clone())).lease.is_some(), "the same start keeps it");
    world.run_for(45_000);
    assert_eq!(world.ask(Request::Renew { fence: same_start.clone() }), Answer::Ok);
    world.run_for(45_000);
    assert!(head(&world.raise(rollback(3))).lease.is_none());
    let renewed = world.ask(Request::Renew { fence: same_start });
    assert!(matches!(renewed, Answer::Refused(Refusal::Fenced { .. })));
    let lost = world.ask(Request::Renew { fence: rollback(3) });
    assert_eq!(lost, Answer::Refused(Refusal::LeaseLost));
}

#[test]
fn a_lease_runs_out_and_can_be_given_back() {
    let mut world = World::new(Setting::plain());
    world.lease(push(1));
    world.run_for(60_000);
    assert_eq!(world.observe().head.lease, None);
    assert!(head(&world.lease(push(2))).lease.is_some());
    assert_eq!(world.ask(Request::Release { fence: push(2) }), Answer::Ok);
    assert_eq!(world.ask(Request::Release { fence: push(2) }), Answer::Ok);
    assert!(head(&world.lease(push(3))).lease.is_some());
}

#[test]
fn another_keeper_is_refused_but_never_to_a_rollback() {
    let mut world = World::new(Setting::plain());
    world.raise(push(1));
    let raise = |fence: Fence, keeper: &str| Request::Raise {
        keeper_fence: None,
        fence,
        lease: None,
        keeper: HostName::new(keeper),
        witness: None,
    };
    for fence in [push(2), sweep(2)] {
        let refused = Answer::Refused(Refusal::Keeper { keeper: HostName::new("web-1") });
        assert_eq!(world.ask(raise(fence, "web-9")), refused);
    }
    let raised = head(&world.ask(raise(rollback(2), "web-9")));
    assert_eq!(raised.keeper.expect("kept").value, HostName::new("web-1"));
    world.raise(push(3));
    let keeper = HostName::new("web-2");
    assert_eq!(world.ask(Request::Keeper { fence: push(3), keeper }), Answer::Ok);
    assert!(matches!(world.ask(raise(push(4), "web-2")), Answer::Raised(_)));
}

#[test]
fn a_witness_only_grows() {
    let mut world = World::new(Setting::plain());
    let journal = JournalId::new("j");
    for (number, seq, known) in [(1, 7, 7), (2, 5, 7), (3, 9, 9)] {
        let witness = Witness { seq, hash: Digest([0; 32]) };
        let (fence, keeper) = (push(number), HostName::new("web-1"));
        let witness = Some((journal.clone(), witness));
        world.ask(Request::Raise { keeper_fence: None, fence, lease: None, keeper, witness });
        assert_eq!(world.disk.head.witnesses[&journal].seq, known);
    }
}

#[test]
fn a_lock_refuses_pushes_and_never_rollbacks() {
    let mut world = World::new(Setting::plain());
    world.raise(push(1));
    let lock = Lock { person: "anna".to_owned(), reason: "wedding".to_owned(), at_ms: 0 };
    world.ask(Request::Lock { fence: push(1), lock: Some(lock) });
    let ask = |kind| Request::Open {
        fence: push(1),
        rollout: open("x", kind, None),
        once: Default::default(),
    };
    let refused = world.ask(ask(RolloutKind::Push));
    assert!(matches!(refused, Answer::Refused(Refusal::Locked { .. })), "{refused:?}");
    assert!(matches!(world.ask(ask(RolloutKind::Rollback)), Answer::Observed(_)));
    world.close("x", push(1), None);
    world.ask(Request::Lock { fence: push(1), lock: None });
    assert_eq!(world.ask(ask(RolloutKind::Push)), Answer::Ok);
    assert_eq!(world.disk.head.lock.as_ref().map(|lock| lock.value.is_none()), Some(true));
}

#[test]
fn a_push_never_replaces_an_open_rollback() {
    let mut world = World::settled(Setting::plain());
    world.begin_rollback("r1", 3, Some(1));
    world.raise(push(4));
    let rollout = open("p5", RolloutKind::Push, Some(id(1)));
    let refused = world.ask(Request::Open { fence: push(4), rollout, once: Default::default() });
    let open = RolloutId::new("r1");
    assert_eq!(refused, Answer::Refused(Refusal::RollbackOpen { rollout: open }));
    world.begin_rollback("r2", 5, Some(1));
    assert_eq!(world.disk.head.rollout.as_ref().expect("open").value.id.as_str(), "r2");
}

#[test]
fn quarantine_is_merged_and_only_a_higher_fence_lifts() {
    let mut world = World::settled(Setting::plain());
    world.raise(push(9));
    let entry = |number, active| Quarantined {
        fence: push(number),
        tree: None,
        reason: "harm".to_owned(),
        active,
    };
    let mut send = |number, active| {
        let entries = BTreeMap::from([(id(2), entry(number, active))]);
        world.ask(Request::Quarantine { fence: push(9), entries });
        world.disk.head.refuses(&id(2))
    };
    assert!(send(5, true));
    assert!(send(4, false), "a lower one does not lift");
    assert!(!send(6, false), "a higher one does");
    assert!(!send(5, true), "a tombstone stays");
}

#[test]
fn hosts_refuse_a_quarantined_release() {
    let mut world = World::settled(Setting::plain());
    world.ship(2);
    world.begin_push("p2", 2, 2);
    world.switch("p2", 2, 2, Undo::To { release: id(1) });
    world.run_for(11_000);
    world.begin_rollback("r1", 3, Some(1));
    world.back("r1", 3, Some(1), Some(2));
    world.run_for(11_000);
    let tree = world.disk.head.quarantine[&id(2)].tree;
    assert!(tree.is_some(), "the files are named too");
    world.close("r1", rollback(3), None);
    world.raise(push(4));
    let rollout = open("p4", RolloutKind::Push, Some(id(2)));
    world.ask(Request::Open { fence: push(4), rollout, once: Default::default() });
    let step = world.switch_step(2, Undo::To { release: id(1) });
    for (name, step) in
        [(StepName::Stage, Step::Stage { release: id(2) }), (StepName::Switch, step)]
    {
        let answer = world.ask(Request::Do { fence: push(4), key: key("p4", name, 1), step });
        assert!(matches!(answer, Answer::Refused(Refusal::Quarantined { .. })), "{answer:?}");
    }
}

#[test]
fn quarantine_stops_a_switch_on_its_way() {
    let mut world = World::settled(Setting::plain());
    world.ship(2);
    world.begin_push("p2", 2, 2);
    let call = world.switch("p2", 2, 2, Undo::To { release: id(1) });
    let (fence, reason) = (push(2), "harm".to_owned());
    let entry = Quarantined { fence: fence.clone(), tree: None, reason, active: true };
    world.ask(Request::Quarantine { fence, entries: BTreeMap::from([(id(2), entry)]) });
    assert!(matches!(world.came_to(call), Some(StepState::Failed { .. })));
    world.run_for(11_000);
    assert_eq!(world.running(), [id(1)]);
}

#[test]
fn a_quarantined_release_is_neither_restarted_nor_booted() {
    let mut world = World::settled(Setting::plain());
    world.raise(push(9));
    let (fence, reason) = (push(9), "harm".to_owned());
    let entry = Quarantined { fence: fence.clone(), tree: None, reason, active: true };
    world.ask(Request::Quarantine { fence, entries: BTreeMap::from([(id(1), entry)]) });
    assert_eq!(world.running(), [id(1)], "it is taken off by a back, not by this");
    world.crash(1);
    world.run_for(600_000);
    assert_eq!(world.running(), []);
    world.reboot();
    world.run_for(600_000);
    assert_eq!(world.running(), []);
    assert_eq!(world.observe().boot_default, BootDefault::Nothing);
}

#[test]
fn no_later_rollout_erases_a_migration_that_began() {
    let mut world = World::settled(Setting::plain());
    world.ship(2);
    world.begin_push("p2", 2, 2);
    let rollout = RolloutId::new("p2");
    let begun = Migration::Begun { one_way: true };
    world.ask(Request::Migration { fence: push(2), rollout: rollout.clone(), migration: begun });
    let earlier = Migration::NotBegun;
    world.ask(Request::Migration { fence: push(2), rollout, migration: earlier });
    let reopened = open("p2", RolloutKind::Push, Some(id(2)));
    world.ask(Request::Open { fence: push(2), rollout: reopened, once: Default::default() });
    let migration = |world: &World| world.disk.head.rollout.as_ref().expect("open").value.migration;
    assert_eq!(migration(&world), begun);
    // A push over it has its own migration, but nothing goes back by itself.
    world.ship(3);
    world.begin_push("p3", 3, 3);
    assert_eq!(migration(&world), Migration::NotBegun);
    world.switch("p3", 3, 3, Undo::To { release: id(1) });
    assert_eq!(world.disk.head.undo, Some(Undo::Stay));
    world.begin_rollback("r4", 4, Some(1));
    assert_eq!(migration(&world), begun, "a rollback shows it");
    // A person's rollback settles it.
    let call = world.back("r4", 4, Some(1), Some(3));
    world.run_for(11_000);
    assert_eq!(world.came_to(call), Some(StepState::Done));
    world.close("r4", rollback(4), None);
    assert_eq!(world.disk.migrated, None);
}

#[test]
fn a_switch_back_after_a_one_way_migration_is_refused() {
    let mut world = World::settled(Setting::plain());
    world.ship(2);
    world.begin_push("p2", 2, 2);
    let (rollout, migration) = (RolloutId::new("p2"), Migration::Done { one_way: true });
    world.ask(Request::Migration { fence: push(2), rollout, migration });
    let call = world.switch("p2", 2, 2, Undo::To { release: id(1) });
    assert_eq!(world.answers[&call], Answer::Refused(Refusal::OneWay));
    world.switch("p2", 2, 2, Undo::Stay);
    world.run_for(11_000);
    world.confirm("p2", 2, 1);
    world.close("p2", push(2), Some(id(2)));
    assert_eq!(world.disk.migrated, None, "stable settles it");
}

#[test]
fn a_close_is_idempotent_and_for_what_is_open_and_current() {
    let mut world = World::settled(Setting::plain());
    world.close("p1", push(1), Some(id(1)));
    world.ship(2);
    world.begin_push("p2", 2, 2);
    let close = |rollout: &str, stable| Request::Close {
        fence: push(2),
        rollout: RolloutId::new(rollout),
        stable,
        apart: None,
        keep: (5, 3),
        witness: None,
    };
    let refused = world.ask(close("p1", None));
    assert!(matches!(refused, Answer::Refused(Refusal::NotOpen { .. })), "{refused:?}");
    assert!(matches!(world.ask(close("p2", Some(id(2)))), Answer::Error { .. }));
    world.switch("p2", 2, 2, Undo::To { release: id(1) });
    let busy = world.ask(close("p2", None));
    assert!(matches!(busy, Answer::Refused(Refusal::Busy { .. })), "{busy:?}");
}

#[test]
fn a_manifest_that_climbs_out_is_not_stored() {
    let mut world = World::new(Setting::plain());
    let mut manifest = manifest(1);
    manifest.tree[0].path = "../app".to_owned();
    let answer = world.ask(Request::PutManifest { release: id(1), manifest });
    assert!(matches!(answer, Answer::Error { .. }));
    assert!(world.disk.releases.is_empty());
}

#[test]
fn a_host_that_missed_a_change_of_keeper_believes_only_a_higher_fence_of_a_driver_let_in() {
    let mut world = World::new(Setting::plain());
    world.raise(push(5));
    // Named by an act; what a raise leaves on a new host is lower than every act.
    let named = Request::Keeper { fence: push(5), keeper: HostName::new("web-1") };
    assert_eq!(world.ask(named), Answer::Ok);
    let raise = |number, written| Request::Raise {
        keeper_fence: Some(push(written)),
        fence: push(number),
        lease: None,
        keeper: HostName::new("web-2"),
        witness: None,
    };
    let keeper = |world: &World| world.disk.head.keeper.clone().expect("known").value;
    let fenced = world.ask(raise(4, 9));
    assert!(matches!(fenced, Answer::Refused(Refusal::Fenced { .. })), "{fenced:?}");
    assert_eq!(keeper(&world), HostName::new("web-1"));
    let older = world.ask(raise(6, 4));
    assert!(matches!(older, Answer::Refused(Refusal::Keeper { .. })), "{older:?}");
    assert!(matches!(world.ask(raise(10, 9)), Answer::Raised(_)));
    assert_eq!(keeper(&world), HostName::new("web-2"));
}

#[test]
fn a_lease_of_a_start_known_dead_is_superseded() {
    let mut world = World::new(Setting::plain());
    let keeper = HostName::new("web-1");
    let dead = Fence { number: 1, start: StartId::new("dead"), kind: FenceKind::Push };
    let raise = |fence: &Fence, supersedes: Vec<StartId>| Request::Raise {
        fence: fence.clone(),
        lease: Some(LeaseAsk { holder: "anna".to_owned(), period_ms: 60_000, supersedes }),
        keeper: keeper.clone(),
        keeper_fence: None,
        witness: None,
    };
    assert!(matches!(world.ask(raise(&dead, Vec::new())), Answer::Raised(_)));
    let next = Fence { number: 2, start: StartId::new("next"), kind: FenceKind::Push };
    let refused = world.ask(raise(&next, vec![StartId::new("other")]));
    assert!(matches!(refused, Answer::Refused(Refusal::Leased { .. })), "{refused:?}");
    let raised = world.ask(raise(&next, vec![StartId::new("dead")]));
    let Answer::Raised(head) = raised else { panic!("{raised:?}") };
    assert_eq!(head.lease.map(|lease| lease.start), Some(StartId::new("next")));
}

#[test]
fn what_was_left_here_apart_from_the_fleet_is_started_after_a_reboot() {
    let mut world = World::settled(Setting::plain());
    world.ship(2);
    world.begin_push("p2", 2, 2);
    world.switch("p2", 2, 2, Undo::To { release: id(1) });
    world.run_for(11_000);
    world.confirm("p2", 2, 1);
    let close = Request::Close {
        fence: push(2),
        rollout: RolloutId::new("p2"),
        stable: None,
        apart: Some(id(2)),
        keep: (0, 0),
        witness: None,
    };
    assert_eq!(world.ask(close), Answer::Ok);
    let head = world.disk.head.clone();
    assert_eq!((head.stable, head.runs_apart()), (Some(id(1)), Some(id(2))));
    assert_eq!((head.open, head.undo), (None, None), "it is not tried any more");
    world.reboot();
    world.run_for(60_000);
    assert_eq!(world.disk.head.current, Some(id(2)));
    assert!(world.disk.holds(&id(1)), "the way back is kept, whatever else is pruned");
}
