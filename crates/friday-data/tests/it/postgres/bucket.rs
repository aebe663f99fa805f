//! A server whose backups and log go into a bucket.

use friday_wire::data::{DrillTarget, Guarded};

use super::beside::{Beside, guarded};
use super::cluster::{ACCOUNTS, Cluster, EACH};
use super::{back_up, drill, point, to_point};
use crate::store::Store;

#[test]
fn a_restore_point_is_made_when_the_store_has_its_log_and_can_be_returned_to() {
    let (cluster, store) = (Cluster::start(""), Store::start());
    cluster.fill();
    let beside = Beside::new(&cluster);
    let mut database: Guarded = guarded(&cluster, None);
    database.repository.place = store.place();
    let load = cluster.load();
    load.wait_for(20);
    back_up(&beside, &database);
    load.wait_for(20);
    let made = point(&beside, &database, "R-1");
    assert!(!store.objects(&["/wal/", ".json"]).is_empty());
    load.wait_for(20);
    drop(load);
    assert_eq!(cluster.number("SELECT sum(money)::int8 FROM account"), ACCOUNTS * EACH);
    for target in [to_point(&made), DrillTarget::Newest] {
        let report = drill(&beside, &database, target);
        assert_eq!(report.invariants.len(), 2);
    }
    // What no backup needs any more goes from the store, too.
    for _ in 0..database.keep + 1 {
        back_up(&beside, &database);
    }
    let old = store.objects(&["backups/", "manifest.json"]);
    assert_eq!(old.len(), database.keep as usize, "{old:?}");
}
