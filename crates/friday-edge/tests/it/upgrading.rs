//! Replacing friday-host under a running host.

use friday_edge::fleet::{Fleet, HostProgram, Upgraded};
use friday_wire::{Answer, FenceKind, HostName, Request};

use crate::bench::{Bench, fence, host_program, soon};

#[tokio::test]
async fn a_host_is_upgraded_and_keeps_its_state() {
    let bench = Bench::new();
    let host = HostName::new("a");
    let old = bench.fleet(&["a"]);
    let fence = fence(5, FenceKind::Push);
    let raise = Request::Raise {
        keeper_fence: None,
        fence: fence.clone(),
        lease: None,
        keeper: host.clone(),
        witness: None,
    };
    let raised = old.ask(&host, &raise, soon()).await.expect("answered");
    assert!(matches!(raised, Answer::Raised(_)), "{raised:?}");
    assert_eq!(old.upgrade(&host, &fence, soon()).await.expect("same"), Upgraded::Already);
    // The same program with a tail that nothing reads: another digest.
    let mut bytes = host_program().bytes().to_vec();
    bytes.extend(b"another build");
    let newer = HostProgram::new(bytes);
    let fleet = Fleet::new(bench.setup(&["a"], newer.clone()));
    let before = fleet.connect(&host, soon()).await.expect("open").hello().program;
    assert_eq!(before, host_program().digest());
    let upgraded = fleet.upgrade(&host, &fence, soon()).await.expect("upgraded");
    assert!(matches!(upgraded, Upgraded::Now { .. }));
    let hello = fleet.connect(&host, soon()).await.expect("open").hello().clone();
    assert_eq!(hello.program, newer.digest());
    let answer = fleet.ask(&host, &Request::READ, soon()).await.expect("answered");
    let Answer::Observed(observed) = answer else { panic!("{answer:?}") };
    assert_eq!(observed.head.fence, fence);
}
