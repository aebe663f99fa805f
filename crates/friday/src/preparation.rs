//! What a command does before its rollout begins: builds, reads, asks for secrets. Nobody has been told
//! anything yet, so a wish to leave ends what was started here, says that nothing was changed, and that is
//! all. What becomes of a rollout that runs is for the driver.

use std::time::Duration;

use friday_edge::hook::{self, CommandEnd, ShellCommand};
use tokio::runtime::Runtime;

use crate::driver::interrupt::{Interrupt, Sign};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::sight;

/// A person does not notice so much.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Works with an ear for whoever wants friday to leave.
#[derive(Debug)]
pub struct Preparation {
    /// Always there; taken when this ends.
    runtime: Option<Runtime>,
    interrupt: Interrupt,
}

impl Preparation {
    /// Listens from now on.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn begin() -> Result<Self, CommandError> {
        let runtime = sight::runtime()?;
        let interrupt = Interrupt::listen(runtime.handle());
        Ok(Self { runtime: Some(runtime), interrupt })
    }

    /// Runs a shell command, which is asked to end, with all that it started, when somebody wants to leave.
    ///
    /// # Errors
    /// When somebody does.
    pub fn command(
        &self,
        what: &str,
        command: &ShellCommand<'_>,
        limit: Duration,
        line: impl FnMut(String),
    ) -> Result<CommandEnd, CommandError> {
        let mut sign = None;
        let stopped = async { sign = Some(self.sign().await) };
        let end = self.runtime()?.block_on(hook::run_unless(command, limit, stopped, line));
        match (end, sign) {
            (Some(end), _) => Ok(end),
            (None, sign) => Err(left(what, sign.unwrap_or(Sign::CtrlC))),
        }
    }

    /// Does something that ends with its future.
    ///
    /// # Errors
    /// When somebody wants to leave.
    pub fn run<T>(&self, what: &str, work: impl Future<Output = T>) -> Result<T, CommandError> {
        self.runtime()?.block_on(async {
            tokio::select! {
                done = work => Ok(done),
                sign = self.sign() => Err(left(what, sign)),
            }
        })
    }

    /// Does something that waits for the disk. Left in the middle, it ends with this process.
    ///
    /// # Errors
    /// When somebody wants to leave.
    pub fn read<T: Send + 'static>(
        &self,
        what: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, CommandError> {
        let task = self.runtime()?.spawn_blocking(work);
        self.run(what, task)?.map_err(CommandError::bug)
    }

    async fn sign(&self) -> Sign {
        loop {
            if let Some(sign) = self.interrupt.sign() {
                return sign;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn runtime(&self) -> Result<&Runtime, CommandError> {
        self.runtime.as_ref().ok_or_else(|| CommandError::bug("the preparation is over"))
    }
}

impl Drop for Preparation {
    fn drop(&mut self) {
        // Whoever leaves does not wait for what is still read.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn left(what: &str, sign: Sign) -> CommandError {
    let why = match sign {
        Sign::CtrlC => "asked for with Ctrl-C",
        Sign::Terminated => "friday was asked to end",
        Sign::HungUp => "the terminal was closed",
    };
    CommandError::new(Exit::Refused, format!("stopped while {what}; nothing was changed"))
        .because(why)
}
