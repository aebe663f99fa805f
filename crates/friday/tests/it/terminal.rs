//! A real terminal with friday in front: keys are pressed, and it is closed in the middle.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::sandbox::{PATIENCE, Sandbox};

/// A terminal, and the program that was started in it.
pub struct Terminal {
    keys: Option<File>,
    shown: Arc<Mutex<String>>,
    closed: Arc<AtomicBool>,
    reader: Option<std::thread::JoinHandle<()>>,
    child: Child,
}

impl Terminal {
    /// Starts a program in a terminal of its own, as the one that its keys and its end are told to.
    /// `before` are words in front of it, as `nohup` would be.
    pub fn open(sandbox: &Sandbox, before: &[&str], args: &[&str]) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC);
        let master = master.expect("a terminal");
        grantpt(&master).expect("granted");
        unlockpt(&master).expect("unlocked");
        let size = Winsize { ws_row: 40, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).expect("sized");
        let path = ptsname(&master, Vec::new()).expect("a name").into_string().expect("text");
        let side = || {
            use std::os::unix::fs::OpenOptionsExt as _;
            let mut options = OpenOptions::new();
            let flags = OpenptFlags::NOCTTY.bits();
            options.read(true).write(true).custom_flags(flags as i32);
            options.open(&path).expect("the program's side")
        };
        let child = Command::new("setsid")
            .arg("--ctty")
            .args(before)
            .arg(env!("CARGO_BIN_EXE_friday"))
            .args(args)
            .current_dir(sandbox.path())
            .env_clear()
            .envs([("PATH", "/usr/bin:/bin"), ("HOME", "/nonexistent"), ("TZ", "UTC")])
            .envs([("USER", "anna"), ("TERM", "xterm")])
            .stdin(side())
            .stdout(side())
            .stderr(side())
            .spawn()
            .expect("friday starts");
        let (shown, closed) = (Arc::new(Mutex::new(String::new())), Arc::default());
        let master = File::from(master);
        let keys = master.try_clone().expect("a copy");
        let reader = {
            let (shown, closed) = (Arc::clone(&shown), Arc::clone(&closed));
            std::thread::spawn(move || read(master, &shown, &closed))
        };
        Self { keys: Some(keys), shown, closed, reader: Some(reader), child }
    }

    /// What was shown so far, cursor movements and all.
    pub fn shown(&self) -> String {
        self.shown.lock().expect("no reader panics").clone()
    }

    /// Waits until a text is shown so often.
    pub fn wait_for(&self, text: &str, times: usize) {
        let until = Instant::now() + PATIENCE;
        while self.shown().matches(text).count() < times {
            assert!(Instant::now() < until, "`{text}` never showed:\n{}", self.shown());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) {
        let to = self.keys.as_mut().expect("it is open");
        to.write_all(keys.as_bytes()).expect("pressed");
    }

    /// Closes it, as a window is closed or a connection lost.
    pub fn close(&mut self) {
        self.keys = None;
        self.closed.store(true, Ordering::Relaxed);
        self.reader.take().expect("it is open").join().expect("it ended");
    }

    /// The program's exit status, at its end.
    pub fn exit(&mut self) -> Option<i32> {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.code();
            }
            assert!(Instant::now() < until, "friday did not end:\n{}", self.shown());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Ended already where the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.closed.store(true, Ordering::Relaxed);
    }
}

fn read(mut master: File, shown: &Mutex<String>, closed: &AtomicBool) {
    let mut bytes = [0_u8; 4_096];
    let pause = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
    while !closed.load(Ordering::Relaxed) {
        let mut ready = [PollFd::new(&master, PollFlags::IN)];
        if poll(&mut ready, Some(&pause)).expect("polled") == 0 {
            continue;
        }
        // Fails once nobody has the other side open.
        let Ok(got @ 1..) = master.read(&mut bytes) else {
            return;
        };
        let text = String::from_utf8_lossy(&bytes[..got]);
        shown.lock().expect("no test panics inside").push_str(&text);
    }
}
