//! A cluster that archives into a stanza of its own.

use std::fs;
use std::path::{Path, PathBuf};

use friday_wire::data::{Engine, Guarded, PostgresBackup};

use crate::postgres::beside::{Beside, guarded};
use crate::postgres::cluster::{Cluster, as_user, own};
use crate::postgres::until;

/// All of it; dropped in this order.
pub struct Bed {
    pub beside: Beside,
    pub database: Guarded,
    pub cluster: Cluster,
    config: PathBuf,
}

impl Bed {
    /// With a stanza `main`, and no backup.
    pub fn new() -> Self {
        let cluster = Cluster::start(
            "archive_mode = on\narchive_command = '/bin/false'\nwal_level = replica",
        );
        let dir = cluster.dir.path();
        for name in ["repo", "repo-log", "repo-lock"] {
            fs::create_dir(dir.join(name)).expect("a directory");
            own(&dir.join(name));
        }
        let config = dir.join("pgbackrest.conf");
        let at = dir.display();
        let text = format!(
            "[global]\nrepo1-path={at}/repo\nrepo1-retention-full=9\nlog-path={at}/repo-log\nlock-path={at}/repo-lock\n\
             start-fast=y\n\n[main]\npg1-path={at}/live\npg1-socket-path={at}/sockets\npg1-port=5432\npg1-user=postgres\n"
        );
        fs::write(&config, text).expect("it can be written");
        let mut database = guarded(&cluster, None);
        if let Engine::Postgres { backup, .. } = &mut database.engine {
            let config = Some(config.display().to_string());
            *backup = PostgresBackup::PgBackRest { stanza: "main".to_owned(), config };
        }
        let beside = Beside::new(&cluster);
        let bed = Self { beside, database, cluster, config };
        bed.pgbackrest(&["stanza-create"]);
        bed.set(&format!(
            "archive_command = 'pgbackrest --config={} --stanza=main archive-push %p'",
            bed.config.display()
        ));
        bed
    }

    /// pgBackRest, as the team runs it.
    pub fn pgbackrest(&self, words: &[&str]) {
        let done = as_user(Path::new("pgbackrest"))
            .arg(format!("--config={}", self.config.display()))
            .args(["--stanza=main", "--log-level-console=error"])
            .args(words)
            .current_dir("/")
            .output()
            .expect("pgbackrest runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    }

    /// Changes a setting of the live server.
    pub fn set(&self, setting: &str) {
        let (name, value) = setting.split_once(" = ").expect("a setting");
        let mut client = self.cluster.connect();
        client.batch_execute(&format!("ALTER SYSTEM SET {setting}")).expect("it is taken");
        client.batch_execute("SELECT pg_reload_conf()").expect("it is read again");
        let value = value.trim_matches('\'');
        until("the server has read it", || {
            let shown: String = self
                .cluster
                .connect()
                .query_one(&format!("SHOW {name}"), &[])
                .expect("it says")
                .get(0);
            shown == value
        });
    }

    /// Ends the segment, and waits until what was written is archived.
    pub fn archived(&self) {
        let mut client = self.cluster.connect();
        let name: String = client
            .query_one("SELECT pg_walfile_name(pg_switch_wal())", &[])
            .expect("it can be ended")
            .get(0);
        until("the segment is archived", || !self.stored(&["archive", &name]).is_empty());
    }

    /// Writes something, and waits until it is archived.
    pub fn written(&self) {
        self.cluster.connect().batch_execute("INSERT INTO moved DEFAULT VALUES").expect("a row");
        self.archived();
    }

    /// Files of the repository whose path contains some words.
    pub fn stored(&self, words: &[&str]) -> Vec<PathBuf> {
        let (mut found, mut open) = (Vec::new(), vec![self.cluster.dir.path().join("repo")]);
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    open.push(path);
                } else if words.iter().all(|word| path.to_string_lossy().contains(word)) {
                    found.push(path);
                }
            }
        }
        found.sort();
        found
    }
}
