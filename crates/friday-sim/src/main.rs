//! `friday-sim`: runs seeds, and tells how to run the first failing one again.
//!
//! Exit status: 0 all well, 2 wrong usage, 10 safety, 11 liveness, 12 audit, 13 crash.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use friday_sim::{Failure, Options, QuietFleet, Switch, World, run_seed};

const USAGE: &str = "\
usage: friday-sim --seed N [--rough] [--verbose] [--journals DIR] [--without SAFEGUARD]
       friday-sim --seeds COUNT [--from N] [--jobs J] [--keep-going] [--rough] [--without SAFEGUARD]
       friday-sim --fleets HOSTS...

--fleets pushes twice to a quiet fleet of each size and rolls back, and says what that costs.

--rough runs hosts alone, under a driver without any sense.

SAFEGUARD: append effects unknown-fails unknown-succeeds fence turn persist timer quarantine raise
           seal own-raise
";

struct Arguments {
    first: u64,
    count: u64,
    jobs: usize,
    switch: Option<Switch>,
    verbose: bool,
    keep_going: bool,
    rough: bool,
    journals: Option<String>,
}

fn parse(words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments {
        first: 0,
        count: 0,
        jobs: 1,
        switch: None,
        verbose: false,
        keep_going: false,
        rough: false,
        journals: None,
    };
    let mut words = words;
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
        let number =
            |text: String| text.parse::<u64>().map_err(|_| format!("`{text}` is not a number"));
        match word.as_str() {
            "--seed" => (arguments.first, arguments.count) = (number(value()?)?, 1),
            "--seeds" => arguments.count = number(value()?)?,
            "--from" => arguments.first = number(value()?)?,
            "--jobs" => {
                arguments.jobs = usize::try_from(number(value()?)?.clamp(1, 64)).unwrap_or(1)
            }
            "--without" => {
                arguments.switch = Some(value()?.parse().map_err(|error| format!("{error}"))?);
            }
            "--verbose" => arguments.verbose = true,
            "--rough" => arguments.rough = true,
            "--keep-going" => arguments.keep_going = true,
            "--journals" => arguments.journals = Some(value()?),
            other => return Err(format!("`{other}` is not known")),
        }
    }
    if arguments.count == 0 { Err("nothing to run".to_owned()) } else { Ok(arguments) }
}

fn main() -> io::Result<ExitCode> {
    let mut out = io::stdout();
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [word, sizes @ ..] = words.as_slice()
        && word == "--fleets"
    {
        return tell_costs(sizes, &mut out);
    }
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(why) => {
            writeln!(io::stderr(), "{why}\n{USAGE}")?;
            return Ok(ExitCode::from(2));
        }
    };
    // A panic of the core is a finding, told at the end with its seed.
    if !arguments.verbose {
        std::panic::set_hook(Box::new(|_| {}));
    }
    if arguments.count == 1 {
        run_one(&arguments, &mut out)
    } else {
        run_many(&arguments, &mut out)
    }
}

/// Pushes twice and rolls back once, in a fleet of each size; a process each shows its memory.
fn tell_costs(sizes: &[String], out: &mut impl Write) -> io::Result<ExitCode> {
    for size in sizes {
        let Ok(hosts) = size.parse::<usize>() else {
            writeln!(io::stderr(), "`{size}` is not a number of hosts")?;
            return Ok(ExitCode::from(2));
        };
        let mut fleet = QuietFleet::of(hosts.max(1));
        for (what, cost) in
            [("first push", fleet.push()), ("push", fleet.push()), ("rollback", fleet.roll_back())]
        {
            match cost {
                Ok(cost) => writeln!(out, "{hosts:>6} hosts {what:>10}: {cost}")?,
                Err(why) => {
                    writeln!(out, "{hosts} hosts, {what}: {why}")?;
                    return Ok(ExitCode::FAILURE);
                }
            }
        }
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let each = fleet
            .controller_bytes_per_host()
            .map_or("unknown".to_owned(), |bytes| bytes.to_string());
        writeln!(
            out,
            "{hosts:>6} hosts     memory: {} bytes of the controller for each host; the whole process, with simulated hosts and journal, {} at most",
            each,
            peak.unwrap_or("unknown").trim(),
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

fn run_one(arguments: &Arguments, out: &mut impl Write) -> io::Result<ExitCode> {
    let seed = arguments.first;
    writeln!(out, "{}", Options::of_seed(seed))?;
    let (world, result) = run(arguments, seed);
    if let Some(world) = world {
        for line in world.trace() {
            writeln!(out, "{line}")?;
        }
        if let Some(directory) = &arguments.journals {
            std::fs::create_dir_all(directory)?;
            for (number, journal) in world.journals().iter().enumerate() {
                std::fs::write(format!("{directory}/journal-{number}.jsonl"), journal)?;
            }
        }
        writeln!(out, "{} things happened", world.happened())?;
    }
    match result {
        Ok(()) => {
            writeln!(out, "all well")?;
            Ok(ExitCode::SUCCESS)
        }
        Err(failure) => tell_failure(arguments, seed, &failure, out),
    }
}

fn run(arguments: &Arguments, seed: u64) -> (Option<World>, Result<(), Failure>) {
    let life = if arguments.rough { World::live_roughly } else { World::live_through };
    run_seed(seed, arguments.switch, arguments.verbose, life)
}

fn tell_failure(
    arguments: &Arguments,
    seed: u64,
    failure: &Failure,
    out: &mut impl Write,
) -> io::Result<ExitCode> {
    writeln!(out, "{failure}")?;
    let rough = if arguments.rough { " --rough" } else { "" };
    let without = arguments.switch.map_or(String::new(), |switch| format!(" --without {switch}"));
    writeln!(out, "friday-sim --seed {seed}{rough}{without} --verbose")?;
    Ok(ExitCode::from(failure.class.exit_status()))
}

fn run_many(arguments: &Arguments, out: &mut impl Write) -> io::Result<ExitCode> {
    writeln!(
        out,
        "seed={}..{} jobs={}",
        arguments.first,
        arguments.first + arguments.count,
        arguments.jobs
    )?;
    let next = AtomicU64::new(arguments.first);
    let done = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let failures: Mutex<BTreeMap<u64, Failure>> = Mutex::new(BTreeMap::new());
    let end = arguments.first + arguments.count;
    let began = Instant::now();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..arguments.jobs)
            .map(|_| {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= end {
                            break;
                        }
                        let result = run(arguments, seed).1;
                        done.fetch_add(1, Ordering::Relaxed);
                        if let Err(failure) = result {
                            if let Ok(mut failures) = failures.lock() {
                                failures.insert(seed, failure);
                            }
                            if !arguments.keep_going {
                                stop.store(true, Ordering::Relaxed);
                            }
                        }
                    }
                })
            })
            .collect();
        let mut told = Instant::now();
        while !workers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            std::thread::sleep(Duration::from_millis(20));
            if told.elapsed() >= Duration::from_secs(1) {
                told = Instant::now();
                let failed = failures.lock().map_or(0, |failures| failures.len());
                let ran = done.load(Ordering::Relaxed);
                // Progress is for whoever watches; a closed terminal must not end the run.
                let _ = writeln!(io::stderr(), "{ran} of {} run, {failed} failed", arguments.count);
            }
        }
    });
    let ran = done.load(Ordering::Relaxed);
    writeln!(out, "{ran} run in {:.1} s", began.elapsed().as_secs_f64())?;
    let failures = failures.into_inner().unwrap_or_default();
    for (seed, failure) in &failures {
        writeln!(out, "seed {seed}: {failure}")?;
    }
    match failures.first_key_value() {
        None => Ok(ExitCode::SUCCESS),
        Some((seed, failure)) => {
            writeln!(out, "{}", Options::of_seed(*seed))?;
            tell_failure(arguments, *seed, failure, out)
        }
    }
}
