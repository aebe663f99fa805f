//! The applications of adopted releases: friday only keeps the door, so ending one means asking it, too.
//!
//! Going back to nothing means: as it was before friday came. Then the application is let go and runs on.

use std::thread;
use std::time::{Duration, Instant};

use friday_node::App;
use friday_wire::{Adopted, Manifest, ReleaseId};

use crate::environment;
use crate::host::Host;
use crate::place::{Place, read_json};

/// The longest that asking whether it runs may take.
const ASK_LIMIT: Duration = Duration::from_secs(20);

/// The longest that its own way to stop may take, beside the grace that the plan gives.
const STOP_LIMIT: Duration = Duration::from_secs(120);

/// What the shell is told, with the command itself in the environment: `pkill -f` of a word must not find the
/// shell that runs it.
const EVALUATE: &str = "eval \"$FRIDAY_ASKED\"";

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How a release's application is run, where it was adopted.
pub fn of(place: &Place, release: ReleaseId) -> Option<Adopted> {
    let manifest: Manifest = read_json(&place.manifest(release)).ok()??;
    Adopted::of(&manifest.run)
}

/// Ends an application: friday's own process, and what an adopted release runs beside it.
///
/// # Errors
/// When something of it still runs.
pub fn end(host: &'static Host, app: App, grace: Duration) -> Result<(), String> {
    crate::app::stop(&host.apps, app, grace).map_err(|error| error.to_string())?;
    let Some(adopted) = of(&host.place, app.release) else { return Ok(()) };
    if goes_back_to_nothing(host) {
        return Ok(());
    }
    stop(host, app.release, &adopted, grace)
}

/// A state that cannot be read leaves the application alone.
fn goes_back_to_nothing(host: &Host) -> bool {
    let durable = crate::serve::state::load(&host.place, &host.owner());
    durable.is_ok_and(|durable| durable.head.stable.is_none())
}

fn stop(host: &Host, release: ReleaseId, adopted: &Adopted, grace: Duration) -> Result<(), String> {
    let dir = std::path::Path::new(&adopted.path);
    let run = |command: &str, limit: Duration| {
        let mut env = environment::of_host(&host.name(), release, None);
        env.insert("FRIDAY_ASKED".to_owned(), command.into());
        crate::command::run(EVALUATE, dir, env, limit)
    };
    let runs = || run(&adopted.running, ASK_LIMIT).is_ok();
    if !runs() {
        return Ok(());
    }
    let said = run(&adopted.stop, STOP_LIMIT.max(grace));
    let deadline = Instant::now() + grace.max(LOOK_EVERY);
    while runs() {
        if Instant::now() > deadline {
            return Err(match said {
                Ok(()) => format!("the adopted application still runs after `{}`", adopted.stop),
                Err(failure) => {
                    format!("the adopted application could not be stopped: {}", failure.why)
                }
            });
        }
        thread::sleep(LOOK_EVERY);
    }
    Ok(())
}
