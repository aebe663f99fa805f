//! Running commands with a deadline, and saying what came of them.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// No command of a test may hang the suite; the longest, a whole push, is far below.
const DEADLINE: Duration = Duration::from_secs(240);

/// Runs it to its end with no input.
pub fn collect(command: &mut Command) -> Output {
    let shown = format!("{command:?}");
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run {shown}: {error}"));
    let pid = child.id();
    // What it started in the background may hold its output open for ever: that, too, must not hang.
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    match receiver.recv_timeout(DEADLINE) {
        Ok(output) => output.expect("a child can be waited for"),
        Err(_) => {
            signal("KILL", pid);
            panic!("{shown} took longer than {} s", DEADLINE.as_secs());
        }
    }
}

/// The same, which must succeed.
pub fn must(command: &mut Command) {
    let shown = format!("{command:?}");
    let done = collect(command);
    assert!(done.status.success(), "{shown}: {}", describe(&done));
}

/// Status and both outputs, for messages.
pub fn describe(done: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    format!("{}\n{}\n{}", done.status, text(&done.stdout), text(&done.stderr))
}

/// Sends a signal; a process that is gone already needs none.
pub fn signal(name: &str, pid: u32) {
    let _ = Command::new("/bin/sh")
        .args(["-c", "kill -s \"$1\" \"$2\" 2>/dev/null", "sh", name, &pid.to_string()])
        .status();
}
