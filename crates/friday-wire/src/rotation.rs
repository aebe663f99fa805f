//! How a host takes an application into and out of rotation.

use serde::{Deserialize, Serialize};

/// Only a command pair can point traffic to another port, so only with it may two releases of one
/// host listen on two ports, and only then is there a *warm* old release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rotation", rename_all = "snake_case")]
pub enum Rotation {
    /// Nobody asks: running is serving.
    None,
    /// friday-host answers on this address: 200 in rotation, 503 out of it. Balancers probe it.
    Page {
        /// Address and port to listen on, `0.0.0.0:9090`.
        listen: String,
    },
    /// Shell commands, run with `FRIDAY_PORT`, `FRIDAY_RELEASE` and `FRIDAY_HOST`.
    Commands {
        /// Takes the application into rotation; points to `FRIDAY_PORT`.
        into: String,
        /// Takes it out.
        out: String,
        /// A command that is not done by then has failed.
        timeout_ms: u64,
    },
}

impl Rotation {
    /// Whether going into rotation can point traffic to another port.
    pub fn re_points(&self) -> bool {
        match self {
            Self::None | Self::Page { .. } => false,
            Self::Commands { .. } => true,
        }
    }
}
