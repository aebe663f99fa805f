//! Stories of friday-host being replaced: one host first, then the others, each once.

use friday_core::controller::input::{Command, Outcome};
use friday_core::journal::event::End;
use friday_core::journal::round::RoundAsk;
use friday_wire::RolloutId;

use crate::scene::Scene;

fn upgrade(scene: &mut Scene) {
    let driver = scene.driver();
    let (rollout, fleet) = (RolloutId::new("upgrade"), Box::new(scene.fleet()));
    let _ = scene.give(Command::Upgrade { rollout, driver, fleet });
    scene.run();
}

#[test]
fn each_host_is_upgraded_once_whatever_the_fleet() {
    for count in [1, 2, 3, 9] {
        let mut scene = Scene::with_hosts(count);
        upgrade(&mut scene);
        assert_eq!(scene.end("upgrade"), &End::Done, "{count} hosts");
        assert_eq!(scene.count_all("upgrade"), count, "{count} hosts");
        let asks = scene.rounds("upgrade");
        let rounds = asks.iter().filter(|ask| **ask == RoundAsk::Upgrade).count();
        assert_eq!(rounds, count.min(2), "one goes first");
    }
}

#[test]
fn where_the_first_host_fails_no_other_is_tried() {
    let mut scene = Scene::with_hosts(3);
    scene.script("web-3", "upgrade", Outcome::Failed { why: "it did not answer".to_owned() });
    upgrade(&mut scene);
    assert!(matches!(scene.end("upgrade"), End::NotSwitched { .. }), "{:?}", scene.end("upgrade"));
    assert_eq!(scene.count_all("upgrade"), 1);
    assert_eq!(scene.count("web-1", "release"), 1);
}
