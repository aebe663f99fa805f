//! `friday` as people and scripts meet it: the real program, real hosts that are directories, and
//! everything it says on stdout and stderr with its exit status.

mod comfort;
mod databases;
mod documents;
mod first_steps;
mod hours;
mod interrupted;
mod journals;
mod leaving;
mod refusals;
mod rehearsals;
mod sandbox;
mod schema;
mod scripts;
mod signatures;
mod terminal;
mod the_way_back;
mod wave_hooks;

/// A file that no `mod` line names would never be run, and nobody would notice.
#[test]
fn no_test_file_is_forgotten() {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let main = std::fs::read_to_string(here.join("main.rs")).expect("this file");
    for entry in std::fs::read_dir(here).expect("this directory") {
        let name = entry.expect("an entry").file_name().into_string().expect("a name");
        let Some(module) = name.strip_suffix(".rs") else { continue };
        let named = main.lines().any(|line| line == format!("mod {module};"));
        assert!(module == "main" || named, "`{name}` is not named in main.rs");
    }
}
