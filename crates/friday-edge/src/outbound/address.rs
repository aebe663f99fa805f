//! Which addresses may be asked: public ones, private ones of hosts that the configuration names, and some never.
//!
//! Names are looked up here and nowhere else, so that what was checked is what is connected to.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::progress::{Progress, Stage};
use super::secret_url::bare_host;

/// What something outside is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// A calendar or a list that is read.
    Feed,
    /// A message that is sent.
    Notification,
}

/// Where an address lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Anybody may ask it.
    Public,
    /// In a network of somebody's own.
    Private(&'static str),
    /// Never a service of a team: the metadata of a cloud, many at once, nobody.
    Never(&'static str),
}

/// Where an address lies. What carries an IPv4 address inside is judged by that.
pub fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(address) => reach_v4(address),
        IpAddr::V6(address) => match embedded(address) {
            Some(inside) => reach_v4(inside),
            None => reach_v6(address),
        },
    }
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        (0, ..) => Reach::Never("nobody's address"),
        (127, ..) => Reach::Private("loopback"),
        (10, ..) | (192, 168, _) => Reach::Private("private"),
        (172, 16..=31, _) => Reach::Private("private"),
        (100, 64..=127, _) => Reach::Private("a carrier's own"),
        (169, 254, _) => Reach::Never("link-local, where clouds keep their metadata"),
        (192, 0, 0) | (192, 0, 2) | (192, 88, 99) | (198, 51, 100) | (203, 0, 113) => {
            Reach::Never("reserved")
        }
        (198, 18..=19, _) => Reach::Private("for measurements"),
        (224..=239, ..) => Reach::Never("multicast"),
        (240.., ..) => Reach::Never("reserved"),
        _ => Reach::Public,
    }
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    let segments = address.segments();
    match segments[0] {
        0 if address.is_loopback() => Reach::Private("loopback"),
        0 => Reach::Never("nobody's address"),
        // AWS' metadata lies among unique local addresses.
        0xfd00 if segments[1] == 0x0ec2 => Reach::Never("a cloud's metadata"),
        0xfc00..=0xfdff => Reach::Private("unique local"),
        0xfe80..=0xfebf => Reach::Never("link-local"),
        0xfec0..=0xfeff => Reach::Private("site-local"),
        0xff00.. => Reach::Never("multicast"),
        0x0064 => Reach::Private("a translator's own"),
        // Teredo, ORCHID and the like, and documentation.
        0x2001 if segments[1] < 0x0200 || segments[1] == 0x0db8 => Reach::Never("reserved"),
        0x3fff if segments[1] < 0x1000 => Reach::Never("reserved"),
        0x2000..=0x3fff => Reach::Public,
        _ => Reach::Never("reserved"),
    }
}

/// The IPv4 address that an IPv6 address leads to: mapped, compatible, translated, 6to4.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = address.segments();
    let joined = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match s {
        [0, 0, 0, 0, 0, 0xffff, high, low] => Some(joined(high, low)),
        [0, 0, 0, 0, 0xffff, 0, high, low] => Some(joined(high, low)),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => Some(joined(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(joined(high, low)),
        [0x2002, high, low, ..] => Some(joined(high, low)),
        _ => None,
    }
}

/// Hosts whose private addresses may be asked, for each purpose.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    private: BTreeSet<(Purpose, String)>,
}

impl Policy {
    /// Public addresses only.
    pub fn public_only() -> Self {
        Self::default()
    }

    /// And private ones of this host, as `allow_private` says: a name, or an address without brackets.
    #[must_use]
    pub fn allow_private(mut self, purpose: Purpose, host: &str) -> Self {
        self.private.insert((purpose, host.trim_end_matches('.').to_ascii_lowercase()));
        self
    }

    /// Whether a host may be asked at an address.
    ///
    /// # Errors
    /// [`RefusedAddress`].
    pub fn check(
        &self,
        purpose: Purpose,
        host: &str,
        address: IpAddr,
    ) -> Result<(), RefusedAddress> {
        let refused =
            |range, help| Err(RefusedAddress { host: host.to_owned(), address, range, help });
        match reach(address) {
            Reach::Public => Ok(()),
            Reach::Private(_) if self.private.contains(&(purpose, host.to_owned())) => Ok(()),
            Reach::Private(range) => {
                refused(range, "if it is meant, allow it for this host with `allow_private = true`")
            }
            Reach::Never(range) => refused(range, "such an address is never asked"),
        }
    }

    /// The part of it that counts for a request to this host: a redirect must not reach another private one.
    pub(super) fn only(&self, purpose: Purpose, host: &str) -> Self {
        let wanted = (purpose, host.to_owned());
        let private = self.private.contains(&wanted).then_some(wanted).into_iter().collect();
        Self { private }
    }
}

/// An address that must not be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{host}` is at {address}, which is {range}; {help}")]
pub struct RefusedAddress {
    /// Whose.
    pub host: String,
    /// Which.
    pub address: IpAddr,
    /// What is wrong with it: `loopback`.
    pub range: &'static str,
    /// What to do.
    pub help: &'static str,
}

/// Looks up names, and lets none through of which any address must not be asked.
#[derive(Debug)]
pub(super) struct Guard {
    pub(super) purpose: Purpose,
    pub(super) policy: Policy,
    pub(super) progress: Arc<Progress>,
    pub(super) names: DefaultResolver,
}

impl Resolver for Guard {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        self.progress.reach(Stage::Name);
        let addresses = self.names.resolve(uri, config, timeout)?;
        let host = bare_host(uri);
        for address in &addresses {
            self.policy
                .check(self.purpose, &host, address.ip())
                .map_err(|refused| ureq::Error::Other(Box::new(refused)))?;
        }
        self.progress.reach(Stage::Connection);
        Ok(addresses)
    }
}

#[cfg(test)]
mod tests;
