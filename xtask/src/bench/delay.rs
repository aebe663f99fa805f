//! A round trip that takes time: the kernel's own queue for it is missing on many machines, so a small
//! program holds frames back between two taps, one with the operator's address, one on the bridge.

use std::io::Read;
use std::process::{Child, Stdio};

use crate::real::bed::Bed;
use crate::workspace;

/// The line. Dropped, it ends; hosts are then out of reach.
#[derive(Debug)]
pub struct Delay {
    line: Child,
}

impl Delay {
    /// Puts it between the operator and the hosts; half of the round trip each way.
    ///
    /// # Errors
    /// Without Python or `/dev/net/tun`.
    pub fn between(bed: &Bed, round_trip_ms: u32) -> Result<Self, String> {
        let program = workspace::root().join("benches/peers/delay.py");
        let mut line = bed
            .command("python3")
            .arg(program)
            .arg(round_trip_ms.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot run python3: {error}"))?;
        let mut ready = [0_u8; 6];
        let said = line.stdout.as_mut().map(|out| out.read_exact(&mut ready));
        if !matches!(said, Some(Ok(()))) || &ready != b"ready\n" {
            return Err("the delay line did not come up; its messages stand above".to_owned());
        }
        Ok(Self { line })
    }
}

impl Drop for Delay {
    fn drop(&mut self) {
        let _ = self.line.kill();
        let _ = self.line.wait();
    }
}
