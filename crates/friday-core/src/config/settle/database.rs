//! Guarded databases: each stands on one host, is of one engine, and has invariants of its own.

use std::collections::BTreeSet;

use friday_wire::data::{Invariant, PostgresBackup, Rule};
use friday_wire::{DatabaseName, HostName};

use super::Settler;
use crate::config::document::{Entry, Node, Table, Value};
use crate::config::draft::Draft;
use crate::config::host::WrittenHost;
use crate::config::problem::Fault;
use crate::config::settings::{
    Address, DatabaseSettings, DrillSettings, EngineSettings, HostSettings,
    RepositoryPlaceSettings, RepositorySettings,
};

/// The most databases of one configuration: a push asks all of them at once.
const DATABASES_MAX: usize = 32;

/// The most invariants of one database: each is a statement in each drill.
const INVARIANTS_MAX: usize = 200;

/// What databases are read beside.
struct Ground<'a> {
    hosts: &'a [HostSettings],
    /// The login where none is written.
    user: Option<String>,
}

impl Settler<'_> {
    /// Every guarded database, in the file's order.
    pub(super) fn databases(&mut self, hosts: &[HostSettings]) -> Vec<DatabaseSettings> {
        let ground = Ground { hosts, user: self.text("hosts.user") };
        let mut names = BTreeSet::new();
        let mut databases = Vec::new();
        for (at, part) in parts(self.draft, "database").into_iter().enumerate() {
            if at == DATABASES_MAX {
                let message = format!("there are more than {DATABASES_MAX} databases");
                self.faults.push(Fault::at(part.place("database.name"), message));
                break;
            }
            let mut one = Settler { draft: &part, faults: self.faults };
            let Some(database) = one.database(&ground) else { continue };
            if database.rehearse.is_some() && databases.iter().any(is_rehearsed_on) {
                one.fault(
                    "database.rehearse",
                    "a second database is rehearsed on, and one of a configuration can be",
                    "leave it out here; what a rehearsal shall use in this one's place is `env` of the other's",
                );
            }
            if names.insert(database.name.clone()) {
                databases.push(database);
            } else {
                let message = format!("the database `{}` stands twice", database.name);
                one.fault("database.name", &message, "name each once");
            }
        }
        databases
    }

    fn database(&mut self, ground: &Ground<'_>) -> Option<DatabaseSettings> {
        let name = self.needed("database.name", "name = \"shop\" under `[[database]]`");
        let engine = self.engine();
        let place = self.host_of_database(ground);
        let drill_host = self.host_of_drills(ground);
        let invariants = self.invariants();
        let rehearse = self.rehearse(ground.hosts);
        let repository = self.repository();
        let (host, address) = place?;
        Some(DatabaseSettings {
            name: DatabaseName::new(name?),
            host,
            address,
            engine: engine?,
            repository: repository?,
            keep: self.count("database.backups.keep"),
            scratch: self.text("database.scratch"),
            invariants,
            invariants_every_ms: self.ms("database.invariants_every"),
            drill: DrillSettings {
                max_age_ms: self.ms("database.drill.max_age"),
                keep_scratch: self.flag("database.drill.keep_scratch"),
                timeout_ms: self.ms("database.drill.timeout"),
                mask: self.text("database.drill.mask"),
            },
            drill_host,
            rehearse,
            recovery_time_ms: self
                .value("database.recovery_time", |read, node| read.duration(node)),
            point_timeout_ms: self.ms("database.point_timeout"),
        })
    }

    fn repository(&mut self) -> Option<RepositorySettings> {
        let key = self.value("database.backups.key", |read, node| read.secret(node));
        let path = self.text("database.backups.directory");
        if !self.draft.has("database.backups.s3") {
            return Some(RepositorySettings {
                place: RepositoryPlaceSettings::Directory { path },
                key,
            });
        }
        if self.draft.is_told("database.backups.s3") {
            return None;
        }
        if self.draft.has("database.backups.directory") {
            self.fault(
                "database.backups.directory",
                "backups are in one place, and this names two",
                "keep `directory` or `s3`",
            );
        }
        Some(RepositorySettings { place: self.bucket()?, key })
    }

    fn bucket(&mut self) -> Option<RepositoryPlaceSettings> {
        let bucket = self.needed("database.backups.s3.bucket", "bucket = \"shop-backups\"");
        let secret = |this: &mut Self, key: &str, example: &str| {
            if !this.draft.has(key) {
                let message = format!("`{key}` is missing");
                this.fault("database.backups.s3", &message, example);
            }
            this.value(key, |read, node| read.secret(node))
        };
        let access_key = secret(
            self,
            "database.backups.s3.access_key",
            "write access_key = { env = \"BACKUPS_ACCESS_KEY\" } in it",
        );
        let secret_key = secret(
            self,
            "database.backups.s3.secret_key",
            "write secret_key = { env = \"BACKUPS_SECRET_KEY\" } in it",
        );
        let endpoint = self.text("database.backups.s3.endpoint");
        let web = |url: &&String| !url.starts_with("https://") && !url.starts_with("http://");
        if let Some(url) = endpoint.as_ref().filter(web) {
            let message = format!("`{url}` is no URL of a store");
            self.fault(
                "database.backups.s3.endpoint",
                &message,
                "for example \"https://s3.example.com\"",
            );
        }
        let region = match (self.text("database.backups.s3.region"), &endpoint) {
            (Some(region), _) => Some(region),
            (None, Some(_)) => Some("us-east-1".to_owned()),
            (None, None) => {
                self.fault(
                    "database.backups.s3",
                    "`database.backups.s3.region` is missing",
                    "write region = \"eu-central-1\" in it, or the endpoint of a store that is not AWS",
                );
                None
            }
        };
        Some(RepositoryPlaceSettings::S3 {
            bucket: bucket?,
            prefix: self.text("database.backups.s3.prefix").unwrap_or_default(),
            endpoint,
            region: region?,
            access_key: access_key?,
            secret_key: secret_key?,
        })
    }

    fn engine(&mut self) -> Option<EngineSettings> {
        let path = self.text("database.sqlite");
        let has = |path| self.draft.has(path);
        match (has("database.sqlite"), has("database.postgres")) {
            (true, true) => {
                self.fault(
                    "database.postgres",
                    "a database is of one engine, and this names two",
                    "keep `sqlite` or `postgres`, or begin a second one with `[[database]]`",
                );
                None
            }
            (false, false) => {
                self.fault(
                    "database.engine",
                    "it is not said what this database is",
                    "write sqlite = \"/srv/shop/shop.db\" or postgres = { url = { env = \"DATABASE_URL\" } }",
                );
                None
            }
            (true, false) => path.map(|path| EngineSettings::Sqlite { path }),
            (false, true) => self.postgres(),
        }
    }

    fn postgres(&mut self) -> Option<EngineSettings> {
        if self.draft.is_told("database.postgres") {
            return None;
        }
        if !self.draft.has("database.postgres.url") {
            self.fault(
                "database.postgres",
                "`database.postgres.url` is missing",
                "write url = { env = \"DATABASE_URL\" } in it",
            );
        }
        let stanza = self.text("database.postgres.pgbackrest");
        let config = self.text("database.postgres.pgbackrest_config");
        if self.draft.has("database.postgres.pgbackrest_config")
            && !self.draft.has("database.postgres.pgbackrest")
        {
            self.fault(
                "database.postgres.pgbackrest_config",
                "`pgbackrest_config` is about a stanza that is not named",
                "write pgbackrest = \"STANZA\" beside it, or leave it out",
            );
        }
        if let Some(stanza) = stanza.as_deref().filter(|stanza| stanza.starts_with('-')) {
            let message = format!("`{stanza}` is not the name of a stanza");
            self.fault("database.postgres.pgbackrest", &message, "a name begins with no dash");
        }
        // pgBackRest has a repository of its own.
        for key in ["directory", "s3", "keep", "key"] {
            let path = format!("database.backups.{key}");
            if stanza.is_some() && self.draft.has(&path) {
                let message =
                    format!("`{key}` is for backups that friday makes, and pgBackRest makes these");
                self.fault(&path, &message, "leave it out: pgBackRest's configuration says that");
            }
        }
        let backup = match stanza {
            Some(stanza) => PostgresBackup::PgBackRest { stanza, config },
            None => PostgresBackup::Stream,
        };
        let url = self.value("database.postgres.url", |read, node| read.secret(node))?;
        let replica = self.value("database.postgres.replica", |read, node| read.secret(node));
        let programs = self.text("database.postgres.programs");
        Some(EngineSettings::Postgres { url, replica, backup, programs })
    }

    /// The host that is written, by the fleet's address where it is one of the fleet and no login is
    /// written; else the only sensible choice, where there is one.
    fn host_of_database(&mut self, ground: &Ground<'_>) -> Option<(HostName, Address)> {
        let hosts = ground.hosts;
        if !self.draft.has("database.host") {
            let local = |host: &HostSettings| matches!(host.address, Address::Local { .. });
            if let Some(first) = hosts.first().filter(|_| hosts.iter().all(local)) {
                return Some((first.name.clone(), first.address.clone()));
            }
            // Without hosts there is another problem, and it was told.
            if let Some(first) = hosts.first() {
                let hint = format!("write host = \"{}\", or the server that it is on", first.name);
                self.fault(
                    "database.host",
                    "it is not said which server this database is on",
                    &hint,
                );
            }
            return None;
        }
        self.placed("database.host", ground)
    }

    /// Where drills restore to, where that is another host. The backups must be within its reach.
    fn host_of_drills(&mut self, ground: &Ground<'_>) -> Option<(HostName, Address)> {
        const PATH: &str = "database.drill.host";
        if !self.draft.has(PATH) {
            return None;
        }
        let placed = self.placed(PATH, ground)?;
        let directory = self.text("database.backups.directory");
        let shared = directory.as_deref().is_some_and(|path| path.starts_with('/'));
        let local = matches!(placed.1, Address::Local { .. });
        if !self.draft.has("database.backups.s3") && !shared && !local {
            self.fault(
                PATH,
                "the backups lie on the database's host, where another one does not see them",
                "keep them in a bucket, or name a directory that both hosts mount, from its root",
            );
        }
        Some(placed)
    }

    /// The host that is written at a path.
    fn placed(&mut self, path: &'static str, ground: &Ground<'_>) -> Option<(HostName, Address)> {
        let hosts = ground.hosts;
        let written = self.value(path, |read, node| read.host(node))?;
        let same = |host: &&HostSettings| {
            let known = match &host.address {
                Address::Local { .. } => host.name.as_str().to_owned(),
                Address::Ssh { host, port, user } => {
                    let (host, user) = (host.clone(), Some(user.clone()));
                    WrittenHost::Ssh { user, host, port: *port }.identity()
                }
            };
            known == written.identity()
        };
        let found = hosts.iter().find(same);
        if found.is_none() && self.draft.databases_of_the_file {
            self.not_of_this_environment(path, &written);
            return None;
        }
        let name = found.map_or_else(|| HostName::new(written.name()), |host| host.name.clone());
        Some((name, self.address_of(path, &written, found, ground)?))
    }

    fn address_of(
        &mut self,
        path: &str,
        written: &WrittenHost,
        of: Option<&HostSettings>,
        ground: &Ground<'_>,
    ) -> Option<Address> {
        match (written, of.map(|host| &host.address)) {
            (WrittenHost::Local { name }, _) => Some(self.local_address(name)),
            (WrittenHost::Ssh { .. }, Some(address @ Address::Local { .. })) => {
                Some(address.clone())
            }
            (
                WrittenHost::Ssh { user, port, .. },
                Some(Address::Ssh { user: its_user, host, port: its_port }),
            ) => Some(Address::Ssh {
                user: user.clone().unwrap_or_else(|| its_user.clone()),
                host: host.clone(),
                port: port.or(*its_port),
            }),
            (WrittenHost::Ssh { user, host, port }, None) => {
                let user = user.clone().or_else(|| ground.user.clone());
                if user.is_none() {
                    let message = format!("the login on `{host}` is not fixed");
                    let hint =
                        format!("write \"postgres@{host}\", or user = \"deploy\" under `[hosts]`");
                    self.fault(path, &message, &hint);
                }
                Some(Address::Ssh { user: user?, host: host.clone(), port: *port })
            }
        }
    }

    fn not_of_this_environment(&mut self, path: &str, written: &WrittenHost) {
        let env = self.draft.env.clone().unwrap_or_default();
        let message = format!(
            "this database is on `{}`, which is no host of the environment `{env}`",
            written.name()
        );
        let hint = format!(
            "give the environment its own with `[[env.{env}.database]]`, or none with database = [] under `[env.{env}]`"
        );
        self.fault(path, &message, &hint);
    }

    fn invariants(&mut self) -> Vec<Invariant> {
        let mut names = BTreeSet::new();
        let mut invariants = Vec::new();
        for (at, part) in parts(self.draft, "database.invariant").into_iter().enumerate() {
            let mut one = Settler { draft: &part, faults: self.faults };
            if at == INVARIANTS_MAX {
                let message = format!("there are more than {INVARIANTS_MAX} invariants");
                one.fault("database.invariant.name", &message, "ask for several things in one");
                break;
            }
            let Some(invariant) = one.invariant() else { continue };
            if !names.insert(invariant.name.clone()) {
                let message = format!("the invariant `{}` stands twice", invariant.name);
                one.fault("database.invariant.name", &message, "name each once");
            }
            invariants.push(invariant);
        }
        invariants
    }

    fn invariant(&mut self) -> Option<Invariant> {
        let name = self.needed("database.invariant.name", "name = \"no orphans\"");
        let sql = self.needed("database.invariant.sql", "sql = \"SELECT …\"");
        let between = self.value("database.invariant.between", |read, node| read.between(node));
        let change = self.value("database.invariant.change", |read, node| read.change(node));
        if self.draft.has("database.invariant.between")
            && self.draft.has("database.invariant.change")
        {
            self.fault(
                "database.invariant.change",
                "an invariant has one rule, and this names two",
                "keep `between` or `change`, or begin a second one with `[[database.invariant]]`",
            );
        }
        let rule = match (between, change) {
            (Some([least, most]), _) => Rule::Between { least, most },
            (None, Some(percent)) => Rule::Change { percent, was: None },
            (None, None) => Rule::NoRows,
        };
        let timeout_ms = self.ms("database.invariant.timeout");
        Some(Invariant { name: name?, sql: sql?, rule, timeout_ms })
    }
}

fn is_rehearsed_on(database: &DatabaseSettings) -> bool {
    database.rehearse.is_some()
}

/// Each table of a section that may stand several times, as a draft in which it stands alone.
pub(super) fn parts(draft: &Draft, section: &str) -> Vec<Draft> {
    let items = match draft.entry(section).map(|entry| &entry.node.value) {
        Some(Value::List(items)) => items.as_slice(),
        Some(_) | None => &[],
    };
    items
        .iter()
        .filter(|item| matches!(item.value, Value::Table(_)))
        .map(|item| {
            let wrap = |node: Node, key: &str| {
                let (key, key_span) = (key.to_owned(), item.span.clone());
                let table = Table { entries: vec![Entry { key, key_span, node }] };
                Node { span: item.span.clone(), value: Value::Table(table) }
            };
            let table = match section.rsplit('.').fold(item.clone(), wrap).value {
                Value::Table(table) => table,
                _ => Table::default(),
            };
            Draft {
                table,
                env: draft.env.clone(),
                envs: Vec::new(),
                databases_of_the_file: draft.databases_of_the_file,
            }
        })
        .collect()
}
