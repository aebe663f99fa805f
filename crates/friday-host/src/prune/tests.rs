use std::fs::File;
use std::time::SystemTime;

use super::*;

/// Files of the store that no manifest names, by when they seem to have been written.
#[test]
fn what_no_release_needs_goes_once_it_is_not_young_whatever_the_clock_did() {
    let directory = tempfile::tempdir().expect("a directory");
    let place = Place::open(&directory.path().join("f")).expect("opens");
    let store = Store::new(place.clone());
    let (now, hour) = (SystemTime::now(), Duration::from_secs(3_600));
    let files = [
        ("just now", now, true),
        ("long ago", now - 2 * hour, false),
        ("before the clock was put back", now + 5 * hour, true),
        ("in another life", now + 40 * hour, false),
    ];
    let path = |name: &str| place.stored(Digest(*blake3::hash(name.as_bytes()).as_bytes()));
    for (name, written, _) in files {
        let path = path(name);
        crate::place::private_directory(path.parent().expect("a shelf")).expect("made");
        let file = File::create(path).expect("written");
        file.set_modified(written).expect("any time can be set");
    }
    prune(&place, &store, &[], "").expect("pruned");
    for (name, _, stays) in files {
        assert_eq!(path(name).exists(), stays, "{name}");
    }
}
