//! What the state machine wants done, done. Every action may come twice, after a crash in between.

use std::sync::PoisonError;
use std::time::Duration;

use friday_node::{Action, ActionResult, App, Direction};
use friday_wire::{Part, ReleaseId, Rotation, SecretsVersion, StopSignal};

use crate::app::{self, AppError, ShimSpec};
use crate::command::{self, CommandFailure};
use crate::environment;
use crate::host::Host;
use crate::store::is_full;

/// Performs one action to its end.
pub fn perform(host: &'static Host, action: Action) -> ActionResult {
    match action {
        Action::Build { release } => {
            let _alone = host.building.lock().unwrap_or_else(PoisonError::into_inner);
            match crate::tree::build(&host.place, &host.store, release) {
                Ok(()) => done(zones(host, release)),
                Err(error) if error.is_lack_of_room() => hindered(&error),
                Err(error) => failed(error.to_string()),
            }
        }
        Action::Command { release, command, timeout_ms, secrets } => {
            command_in_tree(host, release, &command, timeout_ms, secrets.as_ref())
        }
        Action::Start { app, part, port, secrets } => start(host, app, part, port, secrets),
        Action::Stop { app, grace_ms } => {
            done(crate::adopted::end(host, app, Duration::from_millis(grace_ms)))
        }
        Action::Rotate { direction, rotation, release, port } => {
            rotate(host, direction, &rotation, release, port)
        }
        Action::Point { to } => match crate::tree::point(&host.place, to) {
            Err(error) if is_full(&error) => hindered(&error),
            result => done(result),
        },
        Action::Probe { app, part, port, health } => {
            ActionResult::Sampled(crate::probe::probe(host, app, &part, port, &health))
        }
        Action::Prune { keep } => {
            let _alone = host.building.lock().unwrap_or_else(PoisonError::into_inner);
            let state = std::fs::read_to_string(host.place.join("state.json"));
            match state {
                Ok(state) => done(crate::prune::prune(&host.place, &host.store, &keep, &state)),
                Err(error) => failed(format!("the state cannot be read: {error}")),
            }
        }
    }
}

/// Before anything is switched: jobs could not keep their times.
fn zones(host: &Host, release: ReleaseId) -> Result<(), String> {
    let manifest = host.store.manifest(release).map_err(|error| error.to_string())?;
    crate::zone::check(&manifest)
}

fn start(
    host: &'static Host,
    app: App,
    part: Part,
    port: Option<u16>,
    secrets: Option<SecretsVersion>,
) -> ActionResult {
    let run = match host.store.manifest(app.release) {
        Ok(manifest) => manifest.run,
        Err(error) => return failed(error.to_string()),
    };
    let mut unit = run.unit;
    if run.timetable_of(&part).is_some() {
        // What waits for a job's times ends at this one. The signals that an application may want instead
        // are not all deadly, and it would go on waiting, and running, until it is killed.
        unit.stop_signal = StopSignal::Term;
    }
    let spec = ShimSpec {
        dir: host.place.dir().to_owned(),
        host: host.name(),
        app,
        port,
        secrets,
        unit,
        notify: run.health_of(&part).notify,
        part,
        trial: None,
    };
    started(host, &spec, app::start(&host.apps, &spec))
}

fn done<E: std::fmt::Display>(result: Result<(), E>) -> ActionResult {
    result.map_or_else(|error| failed(error.to_string()), |()| ActionResult::Done)
}

fn failed(why: String) -> ActionResult {
    ActionResult::Failed { why, log: Vec::new() }
}

fn hindered(error: &impl std::fmt::Display) -> ActionResult {
    ActionResult::Hindered { why: error.to_string() }
}

fn started(host: &Host, spec: &ShimSpec, result: Result<(), AppError>) -> ActionResult {
    match result {
        Ok(()) => ActionResult::Done,
        Err(error) if error.is_the_hosts() => hindered(&error),
        Err(error) => {
            let log = app::last_output(&host.place, spec.app, &spec.part);
            ActionResult::Failed { why: error.to_string(), log }
        }
    }
}

fn command_in_tree(
    host: &Host,
    release: ReleaseId,
    command: &str,
    timeout_ms: u64,
    secrets: Option<&SecretsVersion>,
) -> ActionResult {
    let manifest = match host.store.manifest(release) {
        Ok(manifest) => manifest,
        Err(error) => return failed(error.to_string()),
    };
    let env = environment::of_release(
        &host.place,
        &host.name(),
        (release, &Part::Run),
        &manifest,
        None,
        secrets,
    );
    match env {
        Ok(env) => finished(command::run_recorded(
            &host.place.command_record(),
            command,
            &host.place.tree(release),
            env,
            Duration::from_millis(timeout_ms),
        )),
        Err(error) => failed(error.to_string()),
    }
}

fn finished(result: Result<(), CommandFailure>) -> ActionResult {
    match result {
        Ok(()) => ActionResult::Done,
        Err(CommandFailure { why, log }) => ActionResult::Failed { why, log },
    }
}

/// Into or out of rotation.
pub(crate) fn rotate(
    host: &Host,
    direction: Direction,
    rotation: &Rotation,
    release: ReleaseId,
    port: Option<u16>,
) -> ActionResult {
    match rotation {
        Rotation::None => ActionResult::Done,
        Rotation::Page { listen } => done(host.pages.turn(listen, direction)),
        Rotation::Commands { into, out, timeout_ms } => {
            let command = match direction {
                Direction::Into => into,
                Direction::Out => out,
            };
            // The shell's word for nothing: it needs no shell.
            if command.trim() == ":" {
                return ActionResult::Done;
            }
            let env = environment::of_host(&host.name(), release, port);
            let timeout = Duration::from_millis(*timeout_ms);
            finished(command::run(command, host.place.dir(), env, timeout))
        }
    }
}
