//! A port for what is tried: free now, on the loopback address, and none that the fleet may want.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, TcpListener};

use friday_wire::Ports;

use crate::place::{Owner, Place};

/// The system gives another one each time, and the fleet's are few.
const TRIES: u32 = 64;

/// Finds one.
///
/// # Errors
/// When there is none.
pub fn free(host: &Place, owner: &Owner) -> io::Result<u16> {
    let taken = Taken::of(host, owner);
    for _ in 0..TRIES {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        if !taken.has(port) {
            return Ok(port);
        }
    }
    Err(io::Error::other("no free port was found"))
}

/// What the host's state says of ports.
#[derive(Debug, Default)]
struct Taken {
    manner: Option<Ports>,
    ports: BTreeSet<u16>,
}

impl Taken {
    /// A state that cannot be read names none: what listens is not given by the system anyway.
    fn of(host: &Place, owner: &Owner) -> Self {
        let Ok(durable) = crate::serve::state::load(host, owner) else { return Self::default() };
        Self {
            manner: durable.manner.map(|manner| manner.ports),
            ports: durable.apps.iter().filter_map(|placed| placed.port).collect(),
        }
    }

    fn has(&self, port: u16) -> bool {
        let by_manner = match self.manner {
            Some(Ports::Fixed { port: fixed }) => fixed == port,
            Some(Ports::PerRelease { first, last }) => (first..=last).contains(&port),
            Some(Ports::None) | None => false,
        };
        by_manner || self.ports.contains(&port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fleets_own_ports_are_none_for_a_trial() {
        let range = Some(Ports::PerRelease { first: 8_000, last: 8_001 });
        let taken = Taken { manner: range, ports: BTreeSet::from([9_000]) };
        assert!([8_000, 8_001, 9_000].into_iter().all(|port| taken.has(port)));
        assert!(!taken.has(8_002));
        let fixed = Taken { manner: Some(Ports::Fixed { port: 80 }), ports: BTreeSet::new() };
        assert!(fixed.has(80) && !fixed.has(81));
    }
}
