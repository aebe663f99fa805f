//! Hosts, their ports and the keeper.

use std::collections::BTreeMap;

use friday_wire::{HostName, Ports, Rotation};

use super::{PortChoice, Settler};
use crate::config::document::{Table, Value};
use crate::config::host::{HOSTS_MAX, WrittenHost};
use crate::config::problem::Fault;
use crate::config::reference::find;
use crate::config::settings::{Address, HostSettings};
use crate::config::suggest::nearest;
use crate::config::value::Kind;

/// Where local hosts live, relative to the configuration; behind a dash, the environment: two fleets
/// must not take one directory for a host of theirs.
const LOCAL_DIRECTORY: &str = ".friday/hosts";

/// A host with what is written about it.
struct Listed {
    host: WrittenHost,
    role: String,
    span: std::ops::Range<usize>,
}

impl Settler<'_> {
    /// Every host in the file's order, and the keeper.
    pub(super) fn hosts(
        &mut self,
        ports: &PortChoice,
        rotation: &Rotation,
    ) -> (Vec<HostSettings>, Option<HostName>) {
        let listed = self.each_once();
        self.some_hosts(&listed);
        let locals = listed.iter().filter(|one| is_local(&one.host)).count();
        if locals > 1 && matches!(rotation, Rotation::Page { .. }) {
            self.fault(
                "rotation.page",
                "local hosts share one machine and cannot all answer on one address",
                "leave `[rotation]` out for local hosts; an environment for servers can have it",
            );
        }
        self.page_beside_port(ports, rotation);
        let shares = self.shares(ports, locals);
        let user = self.text("hosts.user").filter(|user| self.plain_user(user));
        let mut local = 0;
        let mut hosts = Vec::new();
        for one in listed {
            let name = HostName::new(one.host.name());
            let share = if is_local(&one.host) {
                local += 1;
                shares.get(local - 1)
            } else {
                shares.first()
            };
            // One that goes to SSH hosts is never cut into shares.
            let ports = match (&one.host, ports) {
                (WrittenHost::Ssh { .. }, PortChoice::Range(first, last)) => {
                    Ports::PerRelease { first: *first, last: *last }
                }
                _ => share.copied().unwrap_or(Ports::None),
            };
            let Some(address) = self.address(&one, user.as_deref()) else { continue };
            hosts.push(HostSettings { name, role: one.role, address, ports });
        }
        let named = self.text("hosts.keeper");
        let keeper = self.one_of(&hosts, named.as_deref(), "hosts.keeper");
        (hosts, keeper)
    }

    /// A host that a key names, else the first.
    pub(super) fn one_of(
        &mut self,
        hosts: &[HostSettings],
        named: Option<&str>,
        path: &str,
    ) -> Option<HostName> {
        let Some(named) = named else { return hosts.first().map(|host| host.name.clone()) };
        let found = hosts.iter().find(|host| host.name.as_str() == named);
        // Without hosts there is another problem, and it was told.
        if found.is_none() && !hosts.is_empty() {
            let message = format!("`{path}` names `{named}`, which is not in `[hosts]`");
            let hint = match nearest(named, hosts.iter().map(|host| host.name.as_str())) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("for example `{}`", hosts[0].name),
            };
            self.fault(path, &message, &hint);
        }
        found.map(|host| host.name.clone())
    }

    /// All roles' hosts; one that stands twice is told and kept once.
    fn each_once(&mut self) -> Vec<Listed> {
        let roles = self.draft.section("hosts").map(|Table { entries }| entries.as_slice());
        let mut seen: BTreeMap<String, (String, String)> = BTreeMap::new();
        let mut once = Vec::new();
        for entry in roles.unwrap_or_default() {
            let path = format!("hosts.{}", entry.key);
            if find(&path).is_none_or(|key| key.kind != Kind::Hosts) {
                continue;
            }
            for (host, span) in self.list(&path, |read, node| read.hosts(node)) {
                let (name, role) = (host.name(), entry.key.clone());
                let before = seen.insert(host.identity(), (name.clone(), role.clone()));
                let Some((other, its_role)) = before else {
                    once.push(Listed { host, role, span });
                    continue;
                };
                let message = if other == name {
                    format!("the host `{name}` stands twice")
                } else {
                    format!("the host `{name}` stands twice, also as `{other}`")
                };
                let fault = Fault::at(span, message).label("here again");
                self.faults.push(if its_role == role {
                    fault.hint(
                        "name it once; two states on one machine are two aliases in ssh_config",
                    )
                } else {
                    fault.hint(format!("it stands under `{its_role}` too; a host has one role"))
                });
            }
        }
        once
    }

    fn some_hosts(&mut self, listed: &[Listed]) {
        if let Some(one) = listed.get(HOSTS_MAX) {
            let message = format!("there are more than {HOSTS_MAX} hosts");
            let fault = Fault::at(one.span.clone(), message);
            self.faults.push(fault.hint("split the fleet into several configurations"));
        }
        let roles = self.draft.section("hosts").map(|Table { entries }| entries.as_slice());
        let told = self.draft.is_told("hosts")
            || roles.unwrap_or_default().iter().any(|role| role.node.value == Value::Wrong);
        if !listed.is_empty() || told {
            return;
        }
        let hint = match self.draft.envs.first() {
            Some(env) if self.draft.env.is_none() => {
                format!("choose an environment: `--env {env}`")
            }
            _ => "write web = [\"deploy@web-1.example.com\"] under `[hosts]`, or [\"local:[1-3]\"] to try it here".to_owned(),
        };
        self.fault("hosts", "there are no hosts", &hint);
    }

    fn address(&mut self, one: &Listed, default_user: Option<&str>) -> Option<Address> {
        match &one.host {
            WrittenHost::Local { name } => Some(self.local_address(name)),
            WrittenHost::Ssh { user, host, port } => {
                let user = user.as_deref().or(default_user);
                if user.is_none() && !self.draft.has("hosts.user") {
                    let message = format!("the login on `{host}` is not fixed");
                    self.faults.push(
                        Fault::at(one.span.clone(), message)
                            .label("two people would keep two states on it")
                            .hint(format!(
                                "write \"deploy@{host}\", or user = \"deploy\" under `[hosts]`"
                            )),
                    );
                }
                Some(Address::Ssh { user: user?.to_owned(), host: host.clone(), port: *port })
            }
        }
    }

    /// Where a local host lives.
    pub(super) fn local_address(&self, name: &str) -> Address {
        let env = self.draft.env.as_ref().map_or_else(String::new, |env| format!("-{env}"));
        Address::Local { dir: format!("{LOCAL_DIRECTORY}{env}/local-{name}") }
    }

    /// `user` goes to `ssh` as a part of an argument, like a host's name.
    fn plain_user(&mut self, user: &str) -> bool {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let plain = user.chars().all(allowed) && !user.starts_with(['-', '.']);
        if !plain {
            self.fault(
                "hosts.user",
                &format!("`{user}` is not a login"),
                "letters, digits, `-`, `_` and `.`: user = \"deploy\"",
            );
        }
        plain
    }

    /// A page cannot listen where releases do.
    fn page_beside_port(&mut self, ports: &PortChoice, rotation: &Rotation) {
        let Rotation::Page { listen } = rotation else { return };
        let page = listen.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        if let (PortChoice::One(port), Some(page)) = (ports, page)
            && *port == page
        {
            self.fault(
                "rotation.page",
                "the page cannot answer on the release's own port",
                "give one of the two another port",
            );
        }
    }

    /// The ports of each local host in turn; the first also for SSH hosts with one port.
    fn shares(&mut self, ports: &PortChoice, locals: usize) -> Vec<Ports> {
        let count = u16::try_from(locals.max(1)).unwrap_or(u16::MAX);
        match ports {
            PortChoice::None | PortChoice::Wrong => Vec::new(),
            PortChoice::One(port) => {
                if port.checked_add(count - 1).is_none() {
                    self.fault(
                        "release.port",
                        &format!("{locals} local hosts need {locals} ports, and they end at 65535"),
                        "each local host takes the next port: choose a lower one",
                    );
                }
                (0..count)
                    .filter_map(|at| port.checked_add(at))
                    .map(|port| Ports::Fixed { port })
                    .collect()
            }
            PortChoice::Range(first, last) => {
                let each = (u32::from(*last) - u32::from(*first) + 1) / u32::from(count);
                if each < 2 {
                    self.fault(
                        "release.ports",
                        &format!("{locals} local hosts share these ports, and each needs two"),
                        "write a wider range",
                    );
                    return Vec::new();
                }
                // At most the range's length, which fits.
                let each = u16::try_from(each).unwrap_or(u16::MAX);
                (0..count)
                    .map(|at| first + at * each)
                    .map(|first| Ports::PerRelease { first, last: first + (each - 1) })
                    .collect()
            }
        }
    }
}

fn is_local(host: &WrittenHost) -> bool {
    match host {
        WrittenHost::Local { .. } => true,
        WrittenHost::Ssh { .. } => false,
    }
}
