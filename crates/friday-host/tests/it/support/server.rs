//! A server in miniature: one directory, and the program that Cargo built.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Connection, until};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_friday-host");

pub struct Server {
    _outer: tempfile::TempDir,
    pub dir: PathBuf,
    pub port: u16,
}

impl Server {
    pub fn new() -> Self {
        let outer = tempfile::tempdir().expect("a directory");
        let dir = outer.path().join("friday");
        let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
        let port = listener.local_addr().expect("has one").port();
        Self { _outer: outer, dir, port }
    }

    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.arg("connect").arg("--dir").arg(&self.dir);
        command.args(["--fleet", "shop", "--host", "a", "--local"]);
        command
    }

    /// A connection that has said hello.
    pub fn connect(&self) -> Connection {
        let mut connection = Connection::over(self.command(Path::new(PROGRAM)));
        connection.hello();
        connection
    }

    /// The serving process, found by its command line. A child that has not become its program yet
    /// still has its parent's.
    pub fn serving(&self) -> Option<i32> {
        let found = self.processes("serve");
        let is_child = |pid: &i32| stat(*pid).is_some_and(|(_, parent)| found.contains(&parent));
        found.iter().copied().find(|pid| !is_child(pid))
    }

    /// Processes of friday-host with that command for this directory.
    pub fn processes(&self, command: &str) -> Vec<i32> {
        let dir = self.dir.display().to_string();
        all_processes()
            .into_iter()
            .filter(|pid| {
                let words = command_line(*pid);
                words.get(1).is_some_and(|word| word == command)
                    && words.iter().any(|word| word.starts_with(&dir))
            })
            .collect()
    }

    pub fn kill_serving(&self) {
        let pid = self.serving().expect("one serves");
        kill(pid);
        until("the serving process is gone", || (!is_alive(pid)).then_some(()));
    }

    /// GET on the application's port: status and body.
    pub fn get(&self, path: &str) -> Option<(String, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        Some((head.lines().next()?.to_owned(), body.to_owned()))
    }

    /// What the application that answers calls itself.
    pub fn version(&self) -> Option<String> {
        self.get("/").map(|(_, body)| body)
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("friday-host.log")).unwrap_or_default()
    }
}

impl Drop for Server {
    /// Ends what this test started: the serving process first, so that it starts nothing again.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = writeln!(std::io::stderr(), "--- friday-host.log\n{}", self.log());
        }
        self.processes("serve").into_iter().for_each(kill);
        for shim in self.processes("run") {
            let family = descendants(shim);
            kill(shim);
            family.into_iter().for_each(kill);
        }
        // Commands that a failed story left behind work in this directory, or in a tree of it.
        let works_here = |pid: &i32| {
            fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(&self.dir))
        };
        all_processes().into_iter().filter(works_here).for_each(kill);
    }
}

pub fn all_processes() -> Vec<i32> {
    fs::read_dir("/proc")
        .expect("there is /proc")
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

pub fn command_line(pid: i32) -> Vec<String> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

/// State and parent.
fn stat(pid: i32) -> Option<(String, i32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}

pub fn is_alive(pid: i32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != "Z" && state != "X")
}

pub fn descendants(of: i32) -> Vec<i32> {
    let mut family = vec![of];
    let mut next = 0;
    while next < family.len() {
        let parent = family[next];
        family.extend(
            all_processes()
                .into_iter()
                .filter(|pid| stat(*pid).is_some_and(|(_, found)| found == parent)),
        );
        next += 1;
    }
    family.split_off(1)
}

/// SIGKILL to one process that this test started.
pub fn kill(pid: i32) {
    let _ = Command::new("kill").args(["-9", &pid.to_string()]).stderr(Stdio::null()).status();
}
