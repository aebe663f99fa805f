//! An adopted release: it ran before friday came, and goes on being started and stopped the way it was.
//!
//! It is a release like any other: its files are stored, it is staged, switched to, gone back to. Only what
//! friday runs for it is a keeper of the door: it starts the application by a person's command unless it runs
//! already, and stays for as long as it runs. So adopting restarts nothing, and going back starts it again.
//!
//! The commands are part of the release's environment, under names that no configuration may set: a release
//! that is not adopted has the identity that it always had.

use crate::manifest::RunSpec;
use crate::{Processes, UnitSpec};

/// What friday runs for an adopted release. The application may take a minute until it is seen to run; that
/// it does not is believed the third time. The commands are evaluated, not passed: one that looks for a word
/// among all processes must not find itself.
const COMMAND: &str = "cd \"$FRIDAY_ADOPTED_PATH\" || exit 1
runs() { /bin/sh -c 'eval \"$FRIDAY_ADOPTED_RUNNING\"' </dev/null >/dev/null 2>&1; }
if ! runs; then
  /bin/sh -c 'eval \"$FRIDAY_ADOPTED_START\"' </dev/null || exit 1
  n=0
  until runs; do n=$((n+1)); [ \"$n\" -lt 60 ] || exit 1; sleep 1; done
fi
n=0
while sleep 2; do if runs; then n=0; else n=$((n+1)); [ \"$n\" -lt 3 ] || exit 1; fi; done";

const PATH: &str = "FRIDAY_ADOPTED_PATH";
const START: &str = "FRIDAY_ADOPTED_START";
const STOP: &str = "FRIDAY_ADOPTED_STOP";
const RUNNING: &str = "FRIDAY_ADOPTED_RUNNING";
const AT: &str = "FRIDAY_ADOPTED_AT";

/// How the application of an adopted release is run. Commands are for `/bin/sh -c`, in `path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// Where it lies on the host: it runs from there, not from friday's copy.
    pub path: String,
    /// Starts it.
    pub start: String,
    /// Stops it.
    pub stop: String,
    /// Ends with 0 while it runs.
    pub running: String,
}

impl Adopted {
    /// Of a release that was adopted; `None` of any other.
    pub fn of(run: &RunSpec) -> Option<Self> {
        let text = |name: &str| run.env.get(name).cloned();
        Some(Self {
            path: text(PATH)?,
            start: text(START)?,
            stop: text(STOP)?,
            running: text(RUNNING)?,
        })
    }

    /// How the adopted release runs: `run` with this in place of its command. `at` tells one try to adopt
    /// the same files from the next.
    pub fn run(&self, mut run: RunSpec, at: &str) -> RunSpec {
        run.command = Some(COMMAND.to_owned());
        run.shared = Vec::new();
        // What its commands may do, the login may do; a unit of friday's might not.
        run.unit = UnitSpec::default();
        run.processes = Processes::default();
        for (name, value) in [
            (PATH, self.path.as_str()),
            (START, &self.start),
            (STOP, &self.stop),
            (RUNNING, &self.running),
            (AT, at),
        ] {
            run.env.insert(name.to_owned(), value.to_owned());
        }
        run
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HealthSpec;

    #[test]
    fn what_was_adopted_is_known_again_and_nothing_else_is() {
        let plain = RunSpec {
            command: Some("./app".to_owned()),
            env: Default::default(),
            health: HealthSpec::default(),
            shared: vec!["uploads".to_owned()],
            unit: UnitSpec::default(),
            processes: Processes::default(),
        };
        assert_eq!(Adopted::of(&plain), None);
        let adopted = Adopted {
            path: "/srv/app/current".to_owned(),
            start: "bin/start".to_owned(),
            stop: "bin/stop".to_owned(),
            running: "bin/status".to_owned(),
        };
        let run = adopted.run(plain, "1");
        assert_eq!(Adopted::of(&run), Some(adopted));
        assert!(run.shared.is_empty(), "its paths are the old ones");
    }
}
