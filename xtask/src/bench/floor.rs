//! What no tool can beat that uses this machine's OpenSSH: its handshakes, its commands over open
//! connections, its streams.

use std::path::Path;
use std::process::Stdio;

use super::ground::{APP, Ground};
use super::options::Options;
use super::peer::{self, Row};
use super::table;

/// Tuned as the tuned tools are.
const TUNED: &str = "-oKexAlgorithms=curve25519-sha256 -oCiphers=aes128-gcm@openssh.com";

/// A measurement: its name, what is run before it untimed, and what is timed. `$EACH` runs a line for
/// every host, fifty at once; `$SSH` is ssh with the bed's configuration.
const MEASURED: [(&str, &str, &str); 6] = [
    ("handshakes", "true", "$EACH \"$SSH {} true\""),
    ("handshakes, tuned", "true", "$EACH \"$SSH $TUNED {} true\""),
    (
        "warm commands",
        "$EACH \"$SSH $TUNED -oControlMaster=yes -oControlPath=$STATE/%n -oControlPersist=60 {} true\"",
        "$EACH \"$SSH -oControlPath=$STATE/%n {} true\"",
    ),
    (
        "streams of 20 MB into files",
        "[ -f $WORK/20m ] || head -c 20000000 /dev/urandom >$WORK/20m",
        "$EACH \"$SSH {} 'cat >$APP/floor' <$WORK/20m\"",
    ),
    (
        "streams of 20 MB into files, tuned",
        "[ -f $WORK/20m ] || head -c 20000000 /dev/urandom >$WORK/20m",
        "$EACH \"$SSH $TUNED {} 'cat >$APP/floor' <$WORK/20m\"",
    ),
    (
        "streams of 0.2 MB into files, tuned",
        "head -c 200000 /dev/urandom >$WORK/200k",
        "$EACH \"$SSH $TUNED {} 'cat >$APP/floor' <$WORK/200k\"",
    ),
];

/// Measures all of it.
///
/// # Errors
/// When ssh fails.
pub fn run(ground: &Ground, options: &Options) -> Result<(), String> {
    let mut rows = Vec::new();
    for _ in 0..options.times {
        rows.extend(once(ground, options)?);
    }
    peer::record(options, &rows)?;
    crate::print(&table::of(&rows));
    Ok(())
}

/// Every measurement once.
///
/// # Errors
/// When ssh fails.
pub fn once(ground: &Ground, options: &Options) -> Result<Vec<Row>, String> {
    ground.wipe()?;
    let directory = ground.bed.directory().to_owned();
    let mut rows = Vec::new();
    for (name, before, line) in MEASURED {
        let state = directory.join("state");
        let _ = std::fs::remove_dir_all(&state);
        std::fs::create_dir(&state).map_err(|error| error.to_string())?;
        shell(ground, &state, &directory, before)?;
        let begun = ground.groups.read(&ground.bed)?;
        shell(ground, &state, &directory, line)?;
        let stopped = std::time::Instant::now();
        let cost = begun.until(&ground.groups.read(&ground.bed)?, stopped);
        rows.push(Row::new("ssh itself", name, options, &cost));
        shell(
            ground,
            &state,
            &directory,
            "for s in $STATE/h*; do [ ! -S $s ] || $SSH -oControlPath=$s -O exit x 2>&1; done; $EACH \"$SSH {} rm -f $APP/floor\"",
        )?;
    }
    Ok(rows)
}

fn shell(ground: &Ground, state: &Path, work: &Path, line: &str) -> Result<(), String> {
    const EACH: &str = "each() { printf '%s\\n' $HOSTS | xargs -P 50 -I{} sh -c \"$1\"; }; ";
    let line = format!("{EACH}{}", line.replace("$EACH", "each"));
    let mut command = ground.tool(Path::new("/bin/sh"), state, work);
    command
        .env(
            "SSH",
            format!(
                "ssh -F {} -oLogLevel=ERROR",
                ground.bed.directory().join("ssh_config").display()
            ),
        )
        .env("TUNED", TUNED)
        .env("APP", APP)
        .args(["-c", &line])
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let status = command.status().map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(format!("`{line}` ended with {status}")) }
}
