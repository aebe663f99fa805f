use super::*;

fn shell(command: &str) -> ShellCommand<'_> {
    ShellCommand { command, env: &[], directory: Path::new("/") }
}

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn output_comes_line_by_line_and_a_failure_carries_the_last_of_it() {
    let mut lines = Vec::new();
    let end = run(&shell("echo one; echo two >&2; exit 3"), LONG, |line| lines.push(line)).await;
    lines.sort();
    assert_eq!(lines, ["one", "two"]);
    let CommandEnd::Failed { why } = end else { panic!("{end:?}") };
    assert!(why.contains('3') && why.contains("one") && why.contains("two"), "{why}");
}

#[tokio::test]
async fn it_sees_its_variables_and_its_directory() {
    let env = [("FRIDAY_RELEASE".to_owned(), "abc".to_owned())];
    let directory = tempfile::tempdir().expect("a directory");
    let command = ShellCommand {
        command: "echo $FRIDAY_RELEASE; pwd -P",
        env: &env,
        directory: directory.path(),
    };
    let (end, output) = capture(&command, LONG, 1_000).await;
    assert_eq!(end, CommandEnd::Done);
    let place = directory.path().canonicalize().expect("there");
    assert_eq!(String::from_utf8_lossy(&output), format!("abc\n{}\n", place.display()));
}

#[tokio::test]
async fn at_its_limit_the_whole_group_is_killed() {
    let directory = tempfile::tempdir().expect("a directory");
    let fifo = directory.path().join("alive");
    // The grandchild holds the fifo open for writing: reading it ends when the grandchild does.
    let command = format!("mkfifo {0}; (exec sleep 600) > {0} & wait", fifo.display());
    let reader = tokio::task::spawn_blocking({
        let fifo = fifo.clone();
        move || {
            while !fifo.exists() {
                std::thread::yield_now();
            }
            std::fs::read(fifo)
        }
    });
    let end = run(&shell(&command), Duration::from_secs(1), |_| {}).await;
    let CommandEnd::Failed { why } = end else { panic!("{end:?}") };
    assert!(why.contains("killed"), "{why}");
    timeout(LONG, reader).await.expect("the grandchild is gone").expect("joined").expect("read");
}

#[tokio::test]
async fn a_background_process_does_not_hold_up_the_end() {
    let end = timeout(
        LONG,
        run(&shell("sleep 600 & echo $!"), LONG, |line| {
            let pid = line.parse().ok().and_then(Pid::from_raw).expect("a pid");
            rustix::process::kill_process(pid, Signal::KILL).expect("ours");
        }),
    )
    .await;
    assert_eq!(end.expect("in time"), CommandEnd::Done);
}

#[tokio::test]
async fn captured_output_is_limited() {
    let (end, output) = capture(&shell("yes | head -c 100000"), LONG, 10).await;
    assert_eq!((end, output.len()), (CommandEnd::Done, 10));
}

#[tokio::test]
async fn stopped_it_may_tidy_up_and_nothing_of_it_is_left() {
    let directory = tempfile::tempdir().expect("a directory");
    let (fifo, tidied) = (directory.path().join("alive"), directory.path().join("tidied"));
    // The grandchild does not listen, and holds the fifo open for writing.
    let command = format!(
        "trap 'echo yes >{1}; exit 1' TERM; mkfifo {0}; \
         (trap '' TERM; exec >{0}; echo up >&2; exec sleep 600) & wait",
        fifo.display(),
        tidied.display()
    );
    let reader = tokio::task::spawn_blocking({
        let fifo = fifo.clone();
        move || {
            while !fifo.exists() {
                std::thread::yield_now();
            }
            std::fs::read(fifo)
        }
    });
    let (up, is_up) = tokio::sync::oneshot::channel();
    let mut up = Some(up);
    let stopped = async {
        is_up.await.expect("it comes up");
    };
    let said = |_| up.take().into_iter().for_each(|up| up.send(()).expect("awaited"));
    assert_eq!(run_unless(&shell(&command), LONG, stopped, said).await, None);
    assert_eq!(std::fs::read_to_string(tidied).expect("it tidied up"), "yes\n");
    timeout(LONG, reader).await.expect("the grandchild is gone").expect("joined").expect("read");
    let never = std::future::pending();
    assert_eq!(run_unless(&shell("true"), LONG, never, |_| {}).await, Some(CommandEnd::Done));
}
