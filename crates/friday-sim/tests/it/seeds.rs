//! Two thousand seeds: every promise holds in each of them. `friday-sim --seeds 100000` runs more.

use friday_sim::{Options, World, run_seed};

#[test]
fn every_promise_holds_in_two_thousand_worlds() {
    let workers: Vec<_> = (0..2_u64)
        .map(|worker| {
            std::thread::spawn(move || {
                (0..SEEDS).filter(|seed| seed % 2 == worker).find_map(|seed| {
                    run_seed(seed, None, false, World::live_through)
                        .1
                        .err()
                        .map(|failure| (seed, failure))
                })
            })
        })
        .collect();
    for worker in workers {
        let found = worker.join().expect("a run catches its own panics");
        if let Some((seed, failure)) = found {
            panic!("{}\n{failure}\nfriday-sim --seed {seed} --verbose", Options::of_seed(seed));
        }
    }
}

/// As many as a CI run has time for; the command `friday-sim --seeds 100000` has more.
const SEEDS: u64 = 2_000;

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 0..20 {
        let lives: Vec<_> = (0..2)
            .map(|_| run_seed(seed, None, true, World::live_through))
            .map(|(world, _)| world.map(|world| (world.trace().join("\n"), world.journals())))
            .collect();
        assert!(lives[0] == lives[1], "seed {seed}");
    }
}

#[test]
fn hosts_keep_their_promises_whoever_speaks_to_them() {
    for seed in 0..ROUGH_SEEDS {
        let failure = run_seed(seed, None, false, World::live_roughly).1.err();
        assert_eq!(failure, None, "friday-sim --rough --seed {seed} --verbose");
    }
}

/// Hosts alone are cheap.
const ROUGH_SEEDS: u64 = 600;
