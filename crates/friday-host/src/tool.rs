//! Programs of the system that are asked something: no input, bounded output, and a deadline.

use std::io::{self, Read};
use std::process::{Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Output beyond this is thrown away.
const OUTPUT_MAX: u64 = 8 << 20;

/// What a program said.
#[derive(Debug)]
pub struct Said {
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output.
    pub out: Vec<u8>,
    /// Standard error.
    pub err: Vec<u8>,
}

impl Said {
    /// Its last line of complaint, shown; how it ended where it said nothing.
    pub fn complaint(&self) -> String {
        crate::output::last_lines_of(&self.err, 1)
            .pop()
            .filter(|line| !line.trim().is_empty())
            .unwrap_or_else(|| self.status.to_string())
    }
}

/// Runs a program to its end.
///
/// # Errors
/// When it cannot be started, or takes longer than the deadline; then it is killed.
pub fn ask(command: &mut Command, deadline: Duration) -> io::Result<Said> {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let out = collect(child.stdout.take());
    let err = collect(child.stderr.take());
    let until = Instant::now() + deadline;
    let mut pause = Duration::from_millis(1);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > until {
            let _ = child.kill();
            let _ = child.wait();
            return Err(io::Error::other(format!("no end within {} s", deadline.as_secs())));
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    };
    let read = |reader: JoinHandle<Vec<u8>>| reader.join().unwrap_or_default();
    Ok(Said { status, out: read(out), err: read(err) })
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            let _ = pipe.take(OUTPUT_MAX).read_to_end(&mut bytes);
        }
        bytes
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_comes_back_and_a_sleeper_is_killed() {
        let said = ask(
            Command::new("sh").args(["-c", "echo a; echo b >&2; exit 3"]),
            Duration::from_secs(20),
        )
        .expect("sh runs");
        assert_eq!((said.out.as_slice(), said.status.code()), (&b"a\n"[..], Some(3)));
        assert_eq!(said.complaint(), "b");
        let late = ask(Command::new("sleep").arg("60"), Duration::from_millis(50));
        assert!(late.is_err());
    }
}
