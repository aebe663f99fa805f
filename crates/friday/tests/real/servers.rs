//! The kinds of servers that a story is told on: who runs the application there.

use std::process::Output;

use crate::bed::{Bed, Init};
use crate::project::Project;
use crate::truth::until;

/// A kind of servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Servers {
    /// No systemd; friday-host runs the application itself.
    Plain,
    /// systemd; the application is a unit of the login, who lingers.
    UserUnits,
    /// systemd; the application is an instance of a template.
    SystemUnits,
}

impl Servers {
    /// A fleet of them, not prepared yet.
    pub fn up(self, count: usize) -> Bed {
        match self {
            Self::Plain => Bed::up(count),
            Self::UserUnits | Self::SystemUnits => {
                let bed = Bed::with_init(count, Init::Systemd);
                for number in 1..=count {
                    let host = format!("h{number}");
                    until(&format!("systemd of {host} is up"), || {
                        bed.sh(&host, "systemctl is-system-running").stdout == b"running\n"
                    });
                }
                bed
            }
        }
    }

    /// As the configuration has it.
    pub fn supervisor(self) -> &'static str {
        match self {
            Self::Plain => "own",
            Self::UserUnits => "user-units",
            Self::SystemUnits => "system-units",
        }
    }

    /// A laptop whose configuration says so, and hosts that are prepared for it.
    pub fn laptop(self, bed: &Bed, name: &str, hosts: usize) -> Project {
        let laptop = Project::new(bed, name, hosts);
        laptop.configure("supervisor", self.supervisor());
        if self != Self::Plain {
            Self::prepare(bed, &laptop);
        }
        laptop
    }

    /// What a person does once: asks `friday doctor`, and types on each host what it prints.
    pub fn prepare(bed: &Bed, laptop: &Project) {
        for round in 0.. {
            let said = laptop.run(bed, &["doctor", "--json"]);
            let told = crate::bed::describe(&said);
            match said.status.code() {
                Some(0) => return,
                Some(4) if round < 4 => type_fixes(bed, &said),
                other => panic!("doctor ends with {other:?} after {round} rounds: {told}"),
            }
        }
    }
}

fn type_fixes(bed: &Bed, doctor: &Output) {
    let told: serde_json::Value =
        serde_json::from_slice(&doctor.stdout).expect("doctor --json prints JSON");
    for finding in told["findings"].as_array().expect("a list") {
        let Some(host) = finding["host"].as_str() else { continue };
        for fix in finding["fix"].as_array().expect("a list") {
            let commands = fix["commands"].as_str().expect("text");
            bed.put(host, "/root/fix", commands);
            let line = match fix["who"].as_str() {
                Some("root") => "sh -e /root/fix".to_owned(),
                _ => "install -m 0755 /root/fix /home/deploy/fix && runuser -l deploy -c 'sh -e ~/fix'"
                    .to_owned(),
            };
            bed.tell(host, &line);
        }
    }
}

/// As many hosts as `cargo xtask fleet-test --hosts N` asks for; in other runs the story's usual count.
pub fn hosts_or(usual: usize) -> usize {
    let asked = std::env::var("FRIDAY_TEST_HOSTS").ok();
    asked.and_then(|asked| asked.parse().ok()).unwrap_or(usual)
}
