//! Stage and migration: work that leaves the running application alone.

use friday_wire::{Fault, Fence, ReleaseId, SecretsVersion, StepKey, StepName, StepState};
use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::input::ActionResult;
use crate::lane::{Flight, Lane, Owner};
use crate::node::Node;

/// A stage or migration at work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Which.
    pub key: StepKey,
    /// The fence it began under.
    pub fence: Fence,
    /// What.
    pub work: Work,
}

/// What a task does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// Builds a release's tree. Can be done again at any time.
    Stage {
        /// Which.
        release: ReleaseId,
    },
    /// Runs a migration or its way back. Is never done again by itself.
    Command {
        /// In whose tree.
        release: ReleaseId,
        /// For `/bin/sh -c`.
        command: String,
        /// Then it is killed.
        timeout_ms: u64,
        /// Secrets it sees.
        secrets: Option<SecretsVersion>,
    },
}

impl Task {
    /// What it is doing, for people.
    pub fn doing(&self) -> &'static str {
        match self.key.step {
            StepName::Stage => "staging",
            StepName::MigrateBack => "migrating back",
            StepName::Migrate | StepName::Switch | StepName::Back | StepName::Stop => "migrating",
        }
    }

    fn action(&self) -> Action {
        match &self.work {
            Work::Stage { release } => Action::Build { release: *release },
            Work::Command { release, command, timeout_ms, secrets } => Action::Command {
                release: *release,
                command: command.clone(),
                timeout_ms: *timeout_ms,
                secrets: secrets.clone(),
            },
        }
    }
}

impl Node {
    pub(crate) fn begin_task(&mut self, task: Task) {
        self.note_begun(&task.key);
        self.task_issued = false;
        self.durable.task = Some(task);
        self.dirty = true;
    }

    /// Issues the task's action once nothing else is in its lane. Says whether it did.
    pub(crate) fn drive_task(&mut self, now_ms: u64) -> bool {
        let Some(task) = &self.durable.task else {
            return false;
        };
        if self.task_issued || self.flight(Lane::Side).is_some() {
            return false;
        }
        let (action, owner) = (task.action(), Owner::Task(task.key.clone()));
        self.task_issued = true;
        self.issue(now_ms, action, owner);
        true
    }

    /// The task's action ended. A task that was replaced meanwhile has its report put right.
    pub(crate) fn task_finished(&mut self, key: &StepKey, result: ActionResult) {
        let state = match result {
            ActionResult::Done | ActionResult::Sampled(_) => StepState::Done,
            ActionResult::Failed { why, log } => {
                StepState::Failed { why, log, fault: Fault::Release }
            }
            ActionResult::Hindered { why } => {
                StepState::Failed { why, log: Vec::new(), fault: Fault::Host }
            }
        };
        if self.durable.task.as_ref().is_some_and(|task| task.key == *key) {
            self.durable.task = None;
            self.task_issued = false;
            self.record(key, state);
        } else if key.step != StepName::Stage {
            self.record(key, state);
        }
    }

    /// A task gives way. What a command did by then, nobody can say.
    pub(crate) fn drop_task(&mut self) {
        let Some(task) = self.durable.task.take() else {
            return;
        };
        let begun = std::mem::take(&mut self.task_issued);
        let state = match task.work {
            Work::Command { .. } if begun => {
                StepState::Lost { why: "another operation took its place while it ran".to_owned() }
            }
            Work::Command { .. } | Work::Stage { .. } => {
                StepState::Ended { doing: task.doing().to_owned() }
            }
        };
        self.record(&task.key, state);
    }

    /// After a start of the process: a stage is done again, a command is not.
    pub(crate) fn resume_task(&mut self) {
        self.task_issued = false;
        let Some(task) = &self.durable.task else {
            return;
        };
        if let Work::Command { .. } = task.work {
            let key = task.key.clone();
            self.durable.task = None;
            let why = "the host program or the machine stopped while it ran".to_owned();
            self.record(&key, StepState::Lost { why });
        }
    }

    /// A higher fence was raised: what was not begun yet never is. What runs has no next step.
    pub(crate) fn end_lower_task(&mut self) {
        let lower = self.durable.task.as_ref().is_some_and(|t| t.fence < self.durable.head.fence);
        if lower && !self.task_issued {
            self.drop_task();
        }
    }

    /// What came of building, whoever asked for it.
    pub(crate) fn built(&mut self, flight: &Flight, result: &ActionResult) {
        if let (Action::Build { release }, ActionResult::Done) = (&flight.action, result)
            && let Some(held) = self.durable.releases.get_mut(release)
        {
            held.staged = true;
            self.durable.refresh_held();
            self.dirty = true;
        }
    }
}
