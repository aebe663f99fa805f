//! How a server is reached: a connection string, for our own connections and for PostgreSQL's programs.
//!
//! A password is handed on in the environment of a child, never in its arguments; it is in no message.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use friday_wire::data::Hidden;
use postgres::Config;
use postgres::config::{Host, SslMode};

use super::error::PostgresError;

/// A server on the same host or network answers at once, or not at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where PostgreSQL listens when a connection string does not say: Debian's choice, then PostgreSQL's own.
const SOCKETS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// What a child's environment must not bring along from ours.
pub const FOREIGN: [&str; 16] = [
    "PGHOST",
    "PGHOSTADDR",
    "PGPORT",
    "PGDATABASE",
    "PGUSER",
    "PGPASSWORD",
    "PGPASSFILE",
    "PGSERVICE",
    "PGSERVICEFILE",
    "PGOPTIONS",
    "PGAPPNAME",
    "PGSSLMODE",
    "PGDATA",
    "PGTZ",
    "PGCLIENTENCODING",
    "PGREQUIREPEER",
];

/// A server's address, understood.
#[derive(Clone)]
pub struct Address {
    config: Config,
}

impl Address {
    /// Reads a connection string, as libpq takes it.
    ///
    /// # Errors
    /// [`PostgresError::Url`]: what this program cannot do, or what nobody can read.
    pub fn parse(url: &Hidden) -> Result<Self, PostgresError> {
        let mut config: Config = url.expose().parse().map_err(|error: postgres::Error| {
            // The parser names options and characters, not values.
            let says = cause(&error);
            if says.contains("`ssl") { tls(&says) } else { PostgresError::Url(says) }
        })?;
        if !matches!(config.get_ssl_mode(), SslMode::Disable | SslMode::Prefer) {
            return Err(tls("`sslmode` requires it"));
        }
        config.ssl_mode(SslMode::Disable);
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            let socket = SOCKETS.iter().find(|place| Path::new(place).exists());
            config.host_path(socket.unwrap_or(&SOCKETS[1]));
        }
        config.connect_timeout(CONNECT_TIMEOUT);
        config.application_name("friday");
        Ok(Self { config })
    }

    /// A server that listens on a socket in this directory and lets its owner in.
    pub fn of_socket(directory: &Path, role: &str, database: &str) -> Self {
        let mut config = Config::new();
        config
            .host_path(directory)
            .user(role)
            .dbname(database)
            .ssl_mode(SslMode::Disable)
            .connect_timeout(CONNECT_TIMEOUT)
            .application_name("friday");
        Self { config }
    }

    /// The same, under a name by which the server tells our connections from others.
    pub fn named(&self, application: &str) -> Self {
        let mut config = self.config.clone();
        config.application_name(application);
        Self { config }
    }

    /// The same server, another database of it.
    pub fn of_database(&self, database: &str) -> Self {
        let mut config = self.config.clone();
        config.dbname(database);
        Self { config }
    }

    /// For our own connections.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What PostgreSQL's own programs need in their environment.
    pub fn environment(&self) -> Vec<(&'static str, OsString)> {
        let mut found = Vec::new();
        let joined = |parts: Vec<String>| OsString::from(parts.join(","));
        let hosts = self.config.get_hosts().iter().map(|host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        });
        let hosts: Vec<String> = hosts.collect();
        if !hosts.is_empty() {
            found.push(("PGHOST", joined(hosts)));
        }
        let numbers: Vec<String> =
            self.config.get_hostaddrs().iter().map(ToString::to_string).collect();
        if !numbers.is_empty() {
            found.push(("PGHOSTADDR", joined(numbers)));
        }
        let ports: Vec<String> = self.config.get_ports().iter().map(ToString::to_string).collect();
        if !ports.is_empty() {
            found.push(("PGPORT", joined(ports)));
        }
        if let Some(user) = self.config.get_user() {
            found.push(("PGUSER", user.into()));
        }
        if let Some(password) = self.config.get_password() {
            found.push(("PGPASSWORD", String::from_utf8_lossy(password).into_owned().into()));
        }
        if let Some(options) = self.config.get_options() {
            found.push(("PGOPTIONS", options.into()));
        }
        found.push(("PGSSLMODE", "disable".into()));
        found.push(("PGCONNECT_TIMEOUT", CONNECT_TIMEOUT.as_secs().to_string().into()));
        found
    }

    /// The role that it names.
    pub fn role(&self) -> Option<&str> {
        self.config.get_user()
    }

    /// The database that it names; `None`: the one named as the role.
    pub fn database(&self) -> Option<&str> {
        self.config.get_dbname()
    }
}

/// Nothing leaves the host between this program and the server, so there is nothing that TLS would keep from anybody.
fn tls(why: &str) -> PostgresError {
    PostgresError::Refused {
        why: format!(
            "the database's connection string asks for TLS ({why}), which friday-data does not speak"
        ),
        help: Some(
            "it runs on the database's own host: name the socket's directory (host=/var/run/postgresql) or 127.0.0.1, \
             and leave out what begins with `ssl`"
                .to_owned(),
        ),
    }
}

/// The innermost message of an error of the client: the outer ones only repeat that there is one.
pub fn cause(error: &postgres::Error) -> String {
    if let Some(error) = error.as_db_error() {
        return error.message().to_owned();
    }
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Address, Hidden};

    fn environment(url: &str) -> Vec<(&'static str, String)> {
        let address = Address::parse(&Hidden::new(url)).expect("it can be read");
        let found = address.environment();
        found.into_iter().map(|(key, value)| (key, value.to_string_lossy().into_owned())).collect()
    }

    #[test]
    fn both_ways_of_writing_it_give_children_the_same() {
        let one = environment("postgres://shop:s%20ecret@127.0.0.1:5433/orders");
        let other =
            environment("host=127.0.0.1 port=5433 user=shop password='s ecret' dbname=orders");
        assert_eq!(one, other);
        assert!(one.contains(&("PGPASSWORD", "s ecret".to_owned())));
        assert!(one.contains(&("PGHOST", "127.0.0.1".to_owned())));
        assert!(one.contains(&("PGPORT", "5433".to_owned())));
    }

    #[test]
    fn a_socket_is_found_where_none_is_named() {
        let found = environment("dbname=orders");
        let host = found.iter().find(|(key, _)| *key == "PGHOST").expect("a host");
        assert!(host.1.starts_with('/'));
    }

    #[test]
    fn what_it_says_never_holds_the_password() {
        for url in ["postgres://shop:hunter2@h/d?sslmode=require", "password=hunter2 nonsense=1"] {
            let error = Address::parse(&Hidden::new(url)).err().expect("it is refused");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn tls_is_refused_with_the_way_around_it() {
        for option in ["sslmode=require", "sslmode=verify-full", "sslrootcert=/ca.pem"] {
            let error = Address::parse(&Hidden::new(format!("host=h {option}"))).err();
            let failure = crate::failure::Failure::from(error.expect("it is refused"));
            assert!(failure.why.contains("asks for TLS"), "{failure:?}");
            assert!(failure.help.is_some_and(|help| help.contains("host=/var/run/postgresql")));
        }
        assert!(Address::parse(&Hidden::new("host=h sslmode=prefer")).is_ok());
    }
}
