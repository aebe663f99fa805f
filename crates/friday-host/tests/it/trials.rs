//! Releases on trial, beside the one that serves.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};

use friday_wire::frame::{self, Call, Frame, Reply};
use friday_wire::trial::{
    TRIAL_PREAMBLE, TRIAL_WIRE_VERSION, TRIAL_WIRE_VERSION_MIN, TrialAnswer, TrialEnvironment,
    TrialRequest,
};
use friday_wire::{Answer, FleetName, HealthSpec, HostName, ReleaseId, Request, SecretsVersion};
use friday_wire::{Digest, Undo};

use crate::support::release::{Made, files_only, http_health, running, serving};
use crate::support::server::{PROGRAM, all_processes, command_line, is_alive, kill};
use crate::support::{DEADLINE, Server, until};

/// What a story says in its environment, so that its processes are found whatever they became.
const MARK: &str = "TRIAL_STORY";

struct Trial {
    child: Child,
    stdin: Option<ChildStdin>,
    replies: Receiver<Reply<TrialAnswer>>,
    number: u64,
}

impl Trial {
    fn silent(server: &Server) -> Self {
        let mut child = Command::new(PROGRAM)
            .arg("trial")
            .arg("--dir")
            .arg(&server.dir)
            .args(["--fleet", "shop", "--host", "a", "--local"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stdin = child.stdin.take();
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let (sender, replies) = mpsc::channel();
        std::thread::spawn(move || {
            let mut preamble = [0_u8; TRIAL_PREAMBLE.len()];
            if stdout.read_exact(&mut preamble).is_err() || &preamble != TRIAL_PREAMBLE {
                return;
            }
            while let Ok(Frame::Json(body)) = frame::read_frame(&mut stdout) {
                if sender.send(frame::parse(&body).expect("is a reply")).is_err() {
                    return;
                }
            }
        });
        Self { child, stdin, replies, number: 0 }
    }

    fn of(server: &Server) -> Self {
        let mut trial = Self::silent(server);
        let answer = trial.ask(hello("shop", "a"));
        assert!(matches!(answer, TrialAnswer::Hello { wire: 1, .. }), "{answer:?}");
        trial
    }

    fn send(&mut self, request: TrialRequest) {
        self.number += 1;
        let call = Call { number: self.number, request };
        let stdin = self.stdin.as_mut().expect("is open");
        stdin.write_all(&frame::json_frame(&call).expect("fits")).expect("is read");
        stdin.flush().expect("is read");
    }

    fn ask(&mut self, request: TrialRequest) -> TrialAnswer {
        self.send(request);
        let reply = self.replies.recv_timeout(DEADLINE).expect("an answer comes");
        assert_eq!(reply.number, self.number);
        reply.answer
    }

    fn build(&mut self, made: &Made) {
        assert_eq!(self.ask(TrialRequest::Build { release: made.id }), TrialAnswer::Ok);
    }

    fn start(&mut self, made: &Made, timeout_ms: u64) -> TrialAnswer {
        self.ask(TrialRequest::Start { release: made.id, with: with(&[]), timeout_ms })
    }

    fn run(&mut self, made: &Made, command: &str) -> TrialAnswer {
        self.ask(run(made.id, command, with(&[]), 60_000))
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("fits")
    }

    /// Closes the connection and waits for the program's end.
    fn close(&mut self) {
        drop(self.stdin.take());
        until("the program ends", || self.child.try_wait().expect("is asked"));
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn hello(fleet: &str, host: &str) -> TrialRequest {
    TrialRequest::Hello {
        wire: TRIAL_WIRE_VERSION,
        wire_min: TRIAL_WIRE_VERSION_MIN,
        friday: "test".to_owned(),
        fleet: FleetName::new(fleet),
        host: HostName::new(host),
    }
}

fn with(instead: &[(&str, &str)]) -> TrialEnvironment {
    let instead = instead.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    TrialEnvironment { secrets: None, instead }
}

fn run(release: ReleaseId, command: &str, with: TrialEnvironment, ms: u64) -> TrialRequest {
    TrialRequest::Run { release, command: command.to_owned(), with, timeout_ms: ms }
}

fn failure(answer: TrialAnswer) -> (String, Vec<String>) {
    match answer {
        TrialAnswer::Failed { why, log, .. } => (why, log),
        other => panic!("did not fail: {other:?}"),
    }
}

fn passed(answer: &TrialAnswer) {
    assert!(matches!(answer, TrialAnswer::Passed { .. }), "{answer:?}");
}

/// Which directories of trials there are.
fn grounds(server: &Server) -> Vec<PathBuf> {
    let entries = fs::read_dir(server.dir.join("trials")).map(|found| found.flatten());
    entries.into_iter().flatten().map(|entry| entry.path()).collect()
}

/// Processes that work in a trial's directory, or know its story.
fn of_trials(server: &Server, story: &str) -> Vec<i32> {
    let trials = server.dir.join("trials");
    let mark = format!("{MARK}={story}");
    all_processes()
        .into_iter()
        .filter(|pid| is_alive(*pid))
        .filter(|pid| {
            let env = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let works = fs::read_link(format!("/proc/{pid}/cwd"));
            works.is_ok_and(|cwd| cwd.starts_with(&trials))
                || env.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes())
        })
        .collect()
}

fn nothing_is_left(server: &Server, story: &str) {
    until("no process is left", || of_trials(server, story).is_empty().then_some(()));
    until("no tree is left", || grounds(server).is_empty().then_some(()));
}

/// Everything of the host that a trial must leave as it is.
fn of_the_host(server: &Server) -> BTreeMap<String, Option<Digest>> {
    let mut found = BTreeMap::new();
    let mut todo = vec![server.dir.clone()];
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(dir).expect("is read").flatten() {
            let path = entry.path();
            let name = path.strip_prefix(&server.dir).expect("lies in it").display().to_string();
            let changes = ["trials", "logs", "sock", "friday-host.log"];
            if changes.contains(&name.as_str()) {
                continue;
            }
            let kind = entry.file_type().expect("has one");
            let bytes = kind.is_file().then(|| fs::read(&path).expect("is read"));
            found.insert(name, bytes.map(|bytes| Digest(*blake3::hash(&bytes).as_bytes())));
            if kind.is_dir() {
                todo.push(path);
            }
        }
    }
    found
}

/// A server that runs release 1, and holds `made` beside it.
fn server_with(made: &Made) -> Server {
    let server = Server::new();
    let mut connection = server.connect();
    connection.push(1, server.port, &serving("1"), Undo::Nothing);
    connection.send_release(made);
    server
}

fn port_of(trial: &mut Trial, made: &Made) -> u16 {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("port");
    passed(&trial.run(made, &format!("echo $PORT > {}", file.display())));
    let text = fs::read_to_string(file).expect("was written");
    text.trim().parse().expect("is a port")
}

fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned())
}

#[test]
fn a_healthy_one_runs_beside_the_one_that_serves() {
    let made = serving("2");
    let server = server_with(&made);
    let before = of_the_host(&server);
    let mut trial = Trial::of(&server);
    trial.build(&made);
    trial.build(&made);
    passed(&trial.start(&made, 60_000));
    let port = port_of(&mut trial, &made);
    assert_ne!(port, server.port);
    assert_eq!(get(port, "/").as_deref(), Some("2"));
    assert_eq!(server.version().as_deref(), Some("1"));
    let env = get(port, "/env").expect("answers");
    assert!(env.lines().any(|line| line == "FRIDAY_REHEARSAL=1"), "{env}");
    let (why, _) = failure(trial.start(&made, 60_000));
    assert!(why.contains("one runs already"), "{why}");

    assert_eq!(trial.ask(TrialRequest::Stop), TrialAnswer::Ok);
    assert_eq!(get(port, "/"), None, "it still answers");
    assert_eq!(trial.ask(TrialRequest::Stop), TrialAnswer::Ok, "again is nothing new");
    passed(&trial.start(&made, 60_000));
    trial.close();
    nothing_is_left(&server, "-");
    assert_eq!(server.version().as_deref(), Some("1"));
    assert_eq!(of_the_host(&server), before);
}

#[test]
fn one_that_never_gets_healthy_is_stopped_and_its_last_lines_are_told() {
    let made = running("2", "echo waits; exec sleep 1000", http_health());
    let server = server_with(&made);
    let mut trial = Trial::of(&server);
    trial.build(&made);
    let (why, log) = failure(trial.start(&made, 1_000));
    assert!(why.contains("not become healthy in time") && why.contains("HTTP"), "{why}");
    assert_eq!(log, ["waits"]);
    until("it was stopped", || of_trials(&server, "-").is_empty().then_some(()));
}

#[test]
fn one_that_ends_at_once_is_told_at_once() {
    let made = running("2", "echo no such table; exit 3", http_health());
    let server = server_with(&made);
    let mut trial = Trial::of(&server);
    trial.build(&made);
    // Longer than any answer is waited for here.
    let (why, log) = failure(trial.start(&made, 3_600_000));
    assert!(why.contains("exit status 3"), "{why}");
    assert_eq!(log, ["no such table"]);
}

#[test]
fn checks_by_command_and_by_notify_are_asked_as_the_host_asks_them() {
    let by_command = HealthSpec {
        command: Some("test \"$WORLD\" = copy && test -n \"$PORT\"".to_owned()),
        http: None,
        ..http_health()
    };
    let made = running("2", "exec ./server", by_command);
    let server = server_with(&made);
    let says = "import os,socket,time;s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM);\
                s.sendto(b'READY=1',os.environ['NOTIFY_SOCKET']);time.sleep(1000)";
    let notify = HealthSpec { http: None, notify: true, ..http_health() };
    let ready = running("3", &format!("exec python3 -c \"{says}\""), notify.clone());
    let silent = running("4", "exec sleep 1000", notify);
    let nothing = files_only("5", http_health());
    let mut connection = server.connect();
    [&ready, &silent, &nothing].into_iter().for_each(|made| connection.send_release(made));

    let mut trial = Trial::of(&server);
    [&made, &ready, &silent, &nothing].into_iter().for_each(|made| trial.build(made));
    let start = |with| TrialRequest::Start { release: made.id, with, timeout_ms: 60_000 };
    passed(&trial.ask(start(with(&[("WORLD", "copy")]))));
    assert_eq!(trial.ask(TrialRequest::Stop), TrialAnswer::Ok);
    let refused = TrialRequest::Start { release: made.id, with: with(&[]), timeout_ms: 1_000 };
    let (why, _) = failure(trial.ask(refused));
    assert!(why.contains("exit status 1"), "{why}");

    passed(&trial.start(&ready, 60_000));
    assert_eq!(trial.ask(TrialRequest::Stop), TrialAnswer::Ok);
    let (why, _) = failure(trial.start(&silent, 1_000));
    assert!(why.contains("READY=1"), "{why}");
    passed(&trial.start(&nothing, 1_000));
}

#[test]
fn a_command_that_fails_is_told_with_its_last_lines() {
    let made = serving("2");
    let server = server_with(&made);
    let mut trial = Trial::of(&server);
    let (why, _) = failure(trial.run(&made, "true"));
    assert!(why.contains("was not built"), "{why}");
    trial.build(&made);
    passed(&trial.run(&made, "test -f version && test \"$FRIDAY_REHEARSAL\" = 1"));
    let (why, log) = failure(trial.run(&made, "echo one; echo two >&2; exit 3"));
    assert!(why.contains("exit status 3"), "{why}");
    assert_eq!(log, ["one", "two"]);
}

#[test]
fn one_that_takes_too_long_is_killed_with_all_that_it_began() {
    let made = serving("2");
    let server = server_with(&made);
    let mut trial = Trial::of(&server);
    trial.build(&made);
    // Children that ignore the signal, leave the group and the session, and forget the environment.
    let command = "trap '' TERM; sleep 1000 & setsid sleep 1000 & setsid env -i sleep 1000 & \
                   echo began; wait";
    let request = run(made.id, command, with(&[(MARK, "long")]), 1_500);
    let (why, log) = failure(trial.ask(request));
    assert!(why.contains("killed after 1.5 s"), "{why}");
    assert_eq!(log, ["began"]);
    assert_eq!(of_trials(&server, "long"), Vec::<i32>::new());
    // What a command leaves behind that ended well goes with it.
    let left = run(made.id, "setsid sleep 1000 &", with(&[(MARK, "long")]), 60_000);
    passed(&trial.ask(left));
    assert_eq!(of_trials(&server, "long"), Vec::<i32>::new());
}

/// A trial with a release that runs, with children of all kinds, and a command at work beside it.
fn busy(story: &str) -> (Server, Trial) {
    let command = "setsid sleep 1000 & setsid env -i sleep 1000 & exec ./server";
    let made = running("2", command, http_health());
    let server = server_with(&made);
    let mut trial = Trial::of(&server);
    trial.build(&made);
    let with = with(&[(MARK, story)]);
    let start = TrialRequest::Start { release: made.id, with: with.clone(), timeout_ms: 60_000 };
    passed(&trial.ask(start));
    trial.send(run(made.id, "sleep 1000 & wait", with, 3_600_000));
    // The server and its two sleepers; the shell and its one; their two shims do not work there.
    until("all of it runs", || (of_trials(&server, story).len() >= 5).then_some(()));
    assert_eq!(grounds(&server).len(), 2, "one directory and its lock");
    (server, trial)
}

#[test]
fn the_connections_end_leaves_no_process_and_no_tree() {
    let (server, mut trial) = busy("closed");
    trial.close();
    nothing_is_left(&server, "closed");
    assert_eq!(server.version().as_deref(), Some("1"));
}

#[test]
fn a_killed_program_leaves_no_process_and_no_tree() {
    let (server, trial) = busy("killed");
    kill(trial.pid());
    nothing_is_left(&server, "killed");
    assert_eq!(server.version().as_deref(), Some("1"));
}

#[test]
fn a_killed_program_that_ran_nothing_leaves_no_tree() {
    let made = serving("2");
    let server = server_with(&made);
    let mut trial = Trial::of(&server);
    trial.build(&made);
    assert_eq!(grounds(&server).len(), 2, "one directory and its lock");
    kill(trial.pid());
    nothing_is_left(&server, "-");
    until("nobody waits for it", || awaiting(&server).is_empty().then_some(()));
}

/// Who waits for the end of a trial.
fn awaiting(server: &Server) -> Vec<i32> {
    let trials = server.dir.join("trials").display().to_string();
    let waits = |pid: &i32| {
        let words = command_line(*pid);
        words.get(1).is_some_and(|word| word == "trial-end")
            && words.iter().any(|word| word.starts_with(&trials))
    };
    all_processes().into_iter().filter(waits).collect()
}

#[test]
fn what_was_killed_with_its_shims_is_put_away_by_the_next_trial() {
    let (server, trial) = busy("both");
    let trials = server.dir.join("trials").display().to_string();
    let is_shim = |pid: &i32| {
        let words = command_line(*pid);
        words.get(1).is_some_and(|word| word == "run")
            && words.iter().any(|word| word.starts_with(&trials))
    };
    let shims: Vec<i32> = all_processes().into_iter().filter(is_shim).collect();
    assert_eq!(shims.len(), 2);
    let waits = awaiting(&server);
    assert_eq!(waits.len(), 1);
    waits.iter().copied().for_each(kill);
    // Stopped first, so that none of them sees the other's end.
    let stop = |pid: i32| {
        let ended = Command::new("kill").args(["-STOP", &pid.to_string()]).status();
        assert!(ended.is_ok_and(|status| status.success()));
    };
    shims.iter().copied().for_each(stop);
    kill(trial.pid());
    until("the program is gone", || (!is_alive(trial.pid())).then_some(()));
    shims.iter().copied().for_each(kill);
    until("its shims are gone", || shims.iter().all(|pid| !is_alive(*pid)).then_some(()));
    assert_eq!(grounds(&server).len(), 2);

    let mut next = Trial::of(&server);
    assert_eq!(of_trials(&server, "both"), Vec::<i32>::new());
    assert_eq!(grounds(&server).len(), 2, "the next one's own");
    next.close();
    nothing_is_left(&server, "both");
}

#[test]
fn two_at_once_do_not_meet() {
    let made = serving("2");
    let server = server_with(&made);
    let (mut one, mut two) = (Trial::of(&server), Trial::of(&server));
    [&mut one, &mut two].into_iter().for_each(|trial| {
        trial.build(&made);
        passed(&trial.start(&made, 60_000));
    });
    let (first, second) = (port_of(&mut one, &made), port_of(&mut two, &made));
    assert_ne!(first, second);
    one.close();
    assert_eq!(get(second, "/").as_deref(), Some("2"));
    two.close();
    nothing_is_left(&server, "-");
}

#[test]
fn secrets_reach_it_and_stand_in_no_command_line() {
    let made = serving("2");
    let server = server_with(&made);
    let secret = "hunter3-hunter3";
    let values = BTreeMap::from([
        ("PASSWORD".to_owned(), secret.to_owned()),
        ("DATABASE_URL".to_owned(), "live".to_owned()),
    ]);
    let put = Request::PutSecrets { version: SecretsVersion::new("set-1"), values };
    assert_eq!(server.connect().ask(put), Answer::Ok);
    let mut trial = Trial::of(&server);
    trial.build(&made);
    let secrets = Some(SecretsVersion::new("set-1"));
    let with = TrialEnvironment { secrets, ..with(&[("DATABASE_URL", "a copy")]) };
    let start = TrialRequest::Start { release: made.id, with: with.clone(), timeout_ms: 60_000 };
    passed(&trial.ask(start));
    let port = port_of(&mut trial, &made);
    let env = get(port, "/env").expect("answers");
    let has = |line: &str| env.lines().any(|found| found == line);
    assert!(has(&format!("PASSWORD={secret}")) && has("GREETING=hello"), "{env}");
    assert!(has("DATABASE_URL=a copy") && has(&format!("PORT={port}")), "{env}");
    passed(&trial.ask(run(made.id, "test \"$PASSWORD\" = hunter3-hunter3", with.clone(), 60_000)));
    // The story's own command says it; nothing else does, and that one has ended.
    let told =
        || all_processes().into_iter().any(|pid| command_line(pid).join(" ").contains(secret));
    until("no command line says it", || (!told()).then_some(()));

    let unknown = TrialEnvironment { secrets: Some(SecretsVersion::new("set-2")), ..with };
    let (why, _) = failure(trial.ask(run(made.id, "true", unknown, 60_000)));
    assert!(why.contains("set-2 are not on this host"), "{why}");
}

#[test]
fn what_outlives_releases_is_not_the_hosts() {
    let mut made = serving("2");
    made.manifest.run.shared = vec!["uploads".to_owned()];
    made.id = ReleaseId(crate::support::release::digest(&made.manifest.identity_bytes()));
    let server = server_with(&made);
    let kept = server.dir.join("shared/uploads");
    fs::create_dir_all(&kept).expect("is made");
    fs::write(kept.join("photo"), "live").expect("is written");
    let mut trial = Trial::of(&server);
    trial.build(&made);
    let command = "test ! -e uploads/photo && echo x > uploads/photo && \
                   test -e \"$FRIDAY_SHARED/uploads/photo\" && echo changed > version";
    passed(&trial.run(&made, command));
    assert_eq!(fs::read(kept.join("photo")).expect("is there"), b"live");
    // Nor is the store's file, of which the tree has a copy.
    let stored = made.files.keys().find(|name| made.files[name] == b"2").expect("has one");
    let name = stored.to_string();
    let stored = server.dir.join("store").join(&name[..2]).join(&name);
    assert_eq!(fs::read(stored).expect("is there"), b"2");
}

#[test]
fn a_damaged_store_is_told_and_left_as_it_is() {
    let made = serving("2");
    let server = server_with(&made);
    let stored = made.files.keys().find(|name| made.files[name] == b"2").expect("has one");
    let name = stored.to_string();
    let stored = server.dir.join("store").join(&name[..2]).join(&name);
    fs::write(&stored, "3").expect("is written");
    let mut trial = Trial::of(&server);
    let (why, _) = failure(trial.ask(TrialRequest::Build { release: made.id }));
    assert!(why.contains("was damaged"), "{why}");
    assert!(stored.exists());
    let unknown = ReleaseId(Digest([7; 32]));
    let (why, _) = failure(trial.ask(TrialRequest::Build { release: unknown }));
    assert!(why.contains("is not known on this host"), "{why}");
}

#[test]
fn another_fleets_directory_is_refused_and_none_is_made() {
    let server = server_with(&serving("2"));
    let mut trial = Trial::silent(&server);
    let (why, _) = failure(trial.ask(TrialRequest::Stop));
    assert!(why.contains("greeting comes first"), "{why}");
    let (why, _) = failure(trial.ask(hello("other", "a")));
    assert!(why.contains("of fleet `shop`, not to `a` of `other`"), "{why}");
    let newer = TrialRequest::Hello {
        wire: TRIAL_WIRE_VERSION + 1,
        wire_min: TRIAL_WIRE_VERSION + 1,
        friday: "9".to_owned(),
        fleet: FleetName::new("shop"),
        host: HostName::new("a"),
    };
    let (why, _) = failure(trial.ask(newer));
    assert!(why.contains("friday 9 speaks versions"), "{why}");

    let nobodys = Server::new();
    let mut trial = Trial::silent(&nobodys);
    let (why, _) = failure(trial.ask(hello("shop", "a")));
    assert!(why.contains("belongs to no fleet yet"), "{why}");
    assert!(!Path::new(&nobodys.dir).exists());
}
