//! Lines for `friday-host.log`: what a person needs who asks why the host did something by itself.
//!
//! Standard error of the long-lived process *is* that file. Never a secret, never raw bytes from
//! outside: whoever passes such text has put it through [`crate::output::shown`].

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

/// Writes one line. A log that cannot be written must not stop the host, so errors are dropped.
pub fn note(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{} {line}", wall_clock_ms() / 1_000);
}

/// The wall clock, milliseconds since 1970; 0 for a clock before that.
pub fn wall_clock_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or(0)
}
