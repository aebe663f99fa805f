//! Hooks of waves with real commands.

use crate::sandbox::{Sandbox, config};

fn hooked(hooks: &str) -> Sandbox {
    let sandbox = Sandbox::fleet();
    sandbox.write("friday.toml", &format!("{}\n[hooks]\n{hooks}\n", config("local:[1-3]")));
    sandbox
}

#[test]
fn each_wave_is_announced_with_its_hosts_and_what_they_say_is_shown() {
    let sandbox = hooked(
        "before_wave = 'echo before $FRIDAY_WAVE: $FRIDAY_HOSTS | tee -a said'\nafter_wave = 'echo after $FRIDAY_WAVE: $FRIDAY_HOSTS >> said'",
    );
    let push = sandbox.friday(&["push"]);
    assert_eq!(push.exit, 0, "{}", push.all());
    let said = std::fs::read_to_string(sandbox.path().join("said")).expect("they ran");
    assert_eq!(
        said,
        "before 1: local-2\nafter 1: local-2\nbefore 2: local-1\nafter 2: local-1\nbefore 3: local-3\nafter 3: local-3\n"
    );
    assert!(push.stderr.contains("before_wave: before 1: local-2"), "{}", push.all());
}

#[test]
fn one_that_fails_after_a_wave_takes_the_push_back() {
    let sandbox = hooked("after_wave = 'test $FRIDAY_WAVE != 2'");
    let push = sandbox.friday(&["push"]);
    assert_eq!(push.exit, 5, "{}", push.all());
    assert!(push.stderr.contains("the hook `after_wave` failed"), "{}", push.all());
    assert_eq!(sandbox.runs(), ["nothing", "nothing", "nothing"]);
}

#[test]
fn one_that_does_not_end_is_killed_and_has_failed() {
    let sandbox = hooked("before_wave = 'sleep 600'\ntimeout = '1s'");
    let push = sandbox.friday(&["push"]);
    assert_eq!(push.exit, 5, "{}", push.all());
    assert!(push.stderr.contains("was killed"), "{}", push.all());
}
