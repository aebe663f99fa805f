//! One probe of an application: it lives, and every check that its release names passes.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use friday_node::App;
use friday_wire::{HealthSpec, HttpCheck, Part, Sample};

use crate::app::Apps;
use crate::command::CommandFailure;
use crate::environment;
use crate::host::Host;
use crate::store::Store;

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Among which applications.
    pub apps: &'a Apps,
    /// Where its manifest is.
    pub store: &'a Store,
    /// Which.
    pub app: App,
    /// What of its release.
    pub part: &'a Part,
    /// Its port.
    pub port: Option<u16>,
    /// How.
    pub health: &'a HealthSpec,
}

/// Asks an application of this host once. Never takes longer than the spec's timeout, apart from what the
/// system adds.
pub fn probe(host: &Host, app: App, part: &Part, port: Option<u16>, health: &HealthSpec) -> Sample {
    let asked = Asked { apps: &host.apps, store: &host.store, app, part, port, health };
    ask(asked, |command, timeout| in_its_tree(host, asked, command, timeout))
}

/// Asks once; `run` runs the command that a check names, as the application would.
pub fn ask(
    asked: Asked<'_>,
    run: impl FnOnce(&str, Duration) -> Result<(), CommandFailure>,
) -> Sample {
    let deadline = Instant::now() + Duration::from_millis(asked.health.timeout_ms.max(1));
    match checks(asked, run, deadline) {
        Ok(()) => Sample::Pass,
        Err(why) => Sample::Fail { why: crate::output::shown(why.as_bytes()) },
    }
}

fn checks(
    asked: Asked<'_>,
    run: impl FnOnce(&str, Duration) -> Result<(), CommandFailure>,
    deadline: Instant,
) -> Result<(), String> {
    let Asked { apps, store, app, part, port, health } = asked;
    if !apps.is_alive(app) && has_process(store, app, part) {
        return Err("it does not run".to_owned());
    }
    if health.notify && !apps.is_ready(app) {
        return Err("it has not said that it is ready (READY=1)".to_owned());
    }
    let needs_port = || port.ok_or_else(|| "it has no port to ask".to_owned());
    if let Some(check) = &health.http {
        http(needs_port()?, check, left(deadline)?)?;
    }
    if health.tcp {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, needs_port()?));
        TcpStream::connect_timeout(&address, left(deadline)?)
            .map_err(|error| format!("TCP: {error}"))?;
    }
    if let Some(command) = &health.command {
        run(command, left(deadline)?).map_err(|failure| {
            failure
                .log
                .last()
                .map_or_else(|| failure.why.clone(), |line| format!("{}: {line}", failure.why))
        })?;
    }
    Ok(())
}

/// Runs a check's command in the tree and the environment of an application of this host.
fn in_its_tree(
    host: &Host,
    asked: Asked<'_>,
    command: &str,
    timeout: Duration,
) -> Result<(), CommandFailure> {
    let Asked { app, part, port, .. } = asked;
    let failed = |why: String| CommandFailure { why, log: Vec::new() };
    let manifest = host.store.manifest(app.release).map_err(|error| failed(error.to_string()))?;
    let secrets = match (host.apps.spec(app), manifest.run.command_of(part)) {
        (Some(spec), _) => spec.secrets,
        // Files only: nothing was started, and nothing was given secrets.
        (None, None) => None,
        (None, Some(_)) => return Err(failed("its start left no record".to_owned())),
    };
    let env = environment::of_release(
        &host.place,
        &host.name(),
        (app.release, part),
        &manifest,
        port,
        secrets.as_ref(),
    )
    .map_err(|error| failed(error.to_string()))?;
    crate::command::run(command, &host.place.tree(app.release), env, timeout)
}

/// Whether the release is more than files. One whose manifest cannot be read is taken to be.
fn has_process(store: &Store, app: App, part: &Part) -> bool {
    store.manifest(app.release).map_or(true, |manifest| manifest.run.command_of(part).is_some())
}

fn left(deadline: Instant) -> Result<Duration, String> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err("it took too long".to_owned()) } else { Ok(left) }
}

/// A GET to this host; redirects are answers, and no proxy is asked.
fn http(port: u16, check: &HttpCheck, timeout: Duration) -> Result<(), String> {
    let agent = ureq::Agent::new_with_config(
        ureq::Agent::config_builder()
            .timeout_global(Some(timeout))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .proxy(None)
            .user_agent(concat!("friday-host/", env!("CARGO_PKG_VERSION")))
            .build(),
    );
    let answer = agent
        .get(format!("http://127.0.0.1:{port}{}", check.path))
        .header("connection", "close")
        .call()
        .map_err(|error| format!("HTTP: {error}"))?;
    let status = answer.status().as_u16();
    let passes = check.expect.map_or((200..300).contains(&status), |expect| expect == status);
    if passes { Ok(()) } else { Err(format!("HTTP {status}")) }
}
