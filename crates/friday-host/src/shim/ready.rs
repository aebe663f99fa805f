//! Hearing from an application that it is ready: `sd_notify`, whoever its supervisor is.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::thread;

use friday_wire::Supervisor;

use crate::app::READY;
use crate::place::write_durably;

/// The longest message; what systemd takes as well.
const MESSAGE_MAX: usize = 4_096;

/// The longest name of a socket, bytes.
const NAME_MAX: usize = 107;

/// Listens for what the application says, and gives the socket's name. In a unit everything is handed
/// on to systemd, which then shows it.
///
/// # Errors
/// One sentence.
pub fn listen(dir: &Path, supervisor: Supervisor) -> Result<PathBuf, String> {
    let path = dir.join("notify");
    if path.as_os_str().len() > NAME_MAX {
        return Err(format!("`{}` is too long for a notify socket", path.display()));
    }
    let socket =
        UnixDatagram::bind(&path).map_err(|error| format!("the notify socket: {error}"))?;
    let above = match supervisor {
        Supervisor::Own => None,
        Supervisor::UserUnits | Supervisor::SystemUnits => {
            std::env::var_os("NOTIFY_SOCKET").map(PathBuf::from)
        }
    };
    let mark = dir.join(READY);
    thread::spawn(move || hear(&socket, &mark, above.as_deref()));
    Ok(path)
}

fn hear(socket: &UnixDatagram, mark: &Path, above: Option<&Path>) {
    let mut buffer = [0_u8; MESSAGE_MAX];
    while let Ok(length) = socket.recv(&mut buffer) {
        let message = &buffer[..length];
        if says_ready(message) && !fs::exists(mark).unwrap_or(false) {
            let _ = write_durably(mark, b"");
        }
        if let Some(above) = above {
            let _ = crate::unit::send(above, message);
        }
    }
}

/// One assignment on each line; others may stand before and behind it.
fn says_ready(message: &[u8]) -> bool {
    message.split(|byte| *byte == b'\n').any(|line| line == b"READY=1")
}

#[cfg(test)]
mod tests {
    use super::says_ready;

    #[test]
    fn readiness_is_one_line_among_others() {
        assert!(says_ready(b"READY=1"));
        assert!(says_ready(b"STATUS=warm\nREADY=1\n"));
        assert!(!says_ready(b"STATUS=READY=1"));
        assert!(!says_ready(b"READY=0"));
    }
}
