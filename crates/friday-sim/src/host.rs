//! One simulated host: the real state machine, a disk, applications, and traffic.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use friday_node::operation::{Course, Operation};
use friday_node::{Action, ActionId, App, CallId, Durable, Input, Node, Turn};
use friday_wire::{
    BootIdentity, FleetName, HealthState, HostName, Migration, Part, ReleaseId, RolloutId, StepKey,
    StepName, Undo,
};

use crate::application::Application;
use crate::laptop::Caller;
use crate::options::RotationChoice;

/// What the disk does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disk {
    Fine,
    Slow,
    Full,
}

/// One host.
#[derive(Debug)]
pub(crate) struct Host {
    /// The name it knows: its own directory says so.
    pub(crate) name: HostName,
    /// Its name in the configuration, where it stands there.
    pub(crate) configured: Option<HostName>,
    /// The server is not ours any more, and off.
    pub(crate) given_back: bool,
    /// The highest protocol that its host program speaks.
    pub(crate) wire: u32,
    pub(crate) number: usize,
    /// When the boot clock stood at zero; `None` while the machine is off.
    pub(crate) booted_at: Option<u64>,
    pub(crate) boots: u64,
    /// What survives everything.
    pub(crate) durable: Durable,
    pub(crate) trees: BTreeSet<ReleaseId>,
    pub(crate) pointed: Option<ReleaseId>,
    pub(crate) disk: Disk,
    /// Survives the host program, not the machine.
    pub(crate) apps: BTreeMap<App, Application>,
    /// Processes that have a name; as `apps` in all else.
    pub(crate) processes: BTreeMap<App, Part>,
    /// A balancer that a command pair points: survives both.
    pub(crate) balancer: Option<(ReleaseId, Option<u16>)>,
    /// The health page: lives and dies with the host program.
    pub(crate) page: bool,
    /// All applications here fail until then: a full memory, a broken network card.
    pub(crate) sick_until: u64,
    /// Nothing that wants a port is started here until then: another program has it.
    pub(crate) ports_taken_until: u64,
    /// Something starts the host program after a boot.
    pub(crate) boot_hook: bool,
    /// The host program.
    pub(crate) process: Option<Process>,
    pub(crate) process_epoch: u64,
    /// The wall clock's error; seen only in `HostFacts`.
    pub(crate) skew_ms: i64,
    pub(crate) watch: Watch,
}

/// What the checks remember of a host.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// The armed switch: its release, and how long the host program has been able to undo it.
    pub(crate) armed: Option<ArmedWatch>,
    /// Friday took this host out of rotation while it served well, and it does not serve yet.
    pub(crate) taken_out: bool,
    /// When the host last answered an observation while it truly served this release, by the journal of whoever asked.
    pub(crate) seen_well: BTreeMap<usize, (u64, Option<ReleaseId>)>,
    pub(crate) has_served: bool,
    /// When it left the fleet.
    pub(crate) left: Option<u64>,
    /// Nothing ran here, for the migration of this rollout, in this boot.
    pub(crate) stopped: Option<(RolloutId, u64)>,
}

/// An armed switch as the checks follow it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ArmedWatch {
    pub(crate) release: Option<ReleaseId>,
    pub(crate) attempt: u32,
    pub(crate) since: u64,
    pub(crate) able_ms: u64,
    pub(crate) bound_ms: u64,
}

/// The host program while it runs.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) epoch: u64,
    pub(crate) node: Node,
    pub(crate) calls: BTreeMap<CallId, Caller>,
    pub(crate) next_call: u64,
    pub(crate) actions: BTreeMap<ActionId, Action>,
    /// A turn whose persist is under way, and what came meanwhile.
    pub(crate) persisting: Option<Turn>,
    pub(crate) waiting: VecDeque<Input>,
    /// It leaves the fleet: its state machine stands still.
    pub(crate) leaving: bool,
    pub(crate) wakes_at: Option<u64>,
    /// With the seal switched off: what these observations should have sealed.
    pub(crate) unsealed: BTreeMap<CallId, StepKey>,
    /// With the persist order switched off: what the disk does not hold yet.
    pub(crate) unsaved: Option<Box<Durable>>,
}

impl Host {
    pub(crate) fn new(number: usize, fleet: &FleetName, boot_hook: bool, skew_ms: i64) -> Self {
        Self {
            name: HostName::new(format!("web-{:02}", number + 1)),
            configured: Some(HostName::new(format!("web-{:02}", number + 1))),
            given_back: false,
            wire: friday_wire::WIRE_VERSION,
            number,
            booted_at: None,
            boots: 0,
            durable: Durable::new(fleet.clone(), "deploy".to_owned()),
            trees: BTreeSet::new(),
            pointed: None,
            disk: Disk::Fine,
            apps: BTreeMap::new(),
            processes: BTreeMap::new(),
            balancer: None,
            page: false,
            sick_until: 0,
            ports_taken_until: 0,
            boot_hook,
            process: None,
            process_epoch: 0,
            skew_ms,
            watch: Watch::default(),
        }
    }

    /// The boot clock.
    pub(crate) fn boot_clock(&self, now: u64) -> u64 {
        now.saturating_sub(self.booted_at.unwrap_or(now))
    }

    pub(crate) fn boot_identity(&self) -> BootIdentity {
        BootIdentity { boot_id: format!("{}-boot-{}", self.number, self.boots), init_start: 7 }
    }

    /// A switch waits for its confirm, and would be undone without it.
    pub(crate) fn is_armed(&self) -> bool {
        let armed = self.durable.operation.as_ref().and_then(Operation::armed);
        armed.is_some_and(|armed| armed.undo != Undo::Stay)
    }

    /// The attempt of the armed switch or stop.
    pub(crate) fn armed_attempt(&self) -> u32 {
        let armed = self.durable.operation.as_ref().and_then(Operation::armed);
        armed.map_or(0, |armed| armed.key.attempt)
    }

    /// The open release here must not be replaced by the old one.
    pub(crate) fn stays(&self, release: ReleaseId) -> bool {
        let one_way = |migration: Migration| migration.forbids_automatic_return();
        let durable = &self.durable;
        durable.head.open == Some(release)
            && (durable.head.undo == Some(Undo::Stay)
                || durable.migrated.as_ref().is_some_and(|migrated| one_way(migrated.migration)))
    }

    /// What the host does now is its own doing: nobody ordered it.
    pub(crate) fn acts_alone(&self) -> bool {
        self.durable.operation.as_ref().is_none_or(|operation| match operation.course {
            Course::Undo(_) | Course::Boot | Course::Ended(_) => true,
            Course::Switch(_) | Course::Stop(_) | Course::Back { .. } => false,
        })
    }

    /// It is being stopped for a migration, or is.
    pub(crate) fn is_stopped(&self) -> bool {
        let operation = self.durable.operation.as_ref();
        operation.is_some_and(|operation| matches!(operation.course, Course::Stop(_)))
    }

    /// A migration runs here.
    pub(crate) fn migrates(&self) -> bool {
        self.durable.task.as_ref().is_some_and(|task| task.key.step == StepName::Migrate)
    }

    /// The application that would get traffic, were the host in rotation: the newest one.
    pub(crate) fn newest(&self) -> Option<&Application> {
        self.apps.values().max_by_key(|app| app.app.generation)
    }

    /// The application that gets traffic now.
    pub(crate) fn in_rotation(&self, rotation: RotationChoice) -> Option<&Application> {
        match rotation {
            RotationChoice::None => self.newest(),
            RotationChoice::Page => self.newest().filter(|_| self.page),
            RotationChoice::Commands => {
                let (release, port) = self.balancer.as_ref()?;
                self.apps.values().find(|app| app.app.release == *release && app.port == *port)
            }
        }
    }

    /// The release users are served with here, in truth.
    pub(crate) fn serves(&self, rotation: RotationChoice, now: u64) -> Option<ReleaseId> {
        if now < self.sick_until {
            return None;
        }
        self.in_rotation(rotation).filter(|app| app.serves(now)).map(|app| app.app.release)
    }

    /// The release that runs and passes its own health check in rotation, in truth.
    pub(crate) fn passes(&self, rotation: RotationChoice, now: u64) -> Option<ReleaseId> {
        if now < self.sick_until {
            return None;
        }
        self.in_rotation(rotation).filter(|app| app.passes(now)).map(|app| app.app.release)
    }

    /// For messages: what it runs and how.
    pub(crate) fn describe(
        &self,
        now: u64,
        label: impl Fn(Option<&ReleaseId>) -> String,
    ) -> String {
        let apps: Vec<String> = self
            .apps
            .values()
            .map(|app| format!("{}#{}", label(Some(&app.app.release)), app.app.generation))
            .collect();
        let head = &self.durable.head;
        let node = self.process.as_ref().map(|process| {
            let seen = process.node.observation(self.boot_clock(now));
            format!(
                "armed={} health={}",
                seen.armed,
                seen.app.map_or("none".to_owned(), |app| match app.health {
                    HealthState::Unproven => "unproven".to_owned(),
                    HealthState::Healthy => "healthy".to_owned(),
                    HealthState::Sick { why } => format!("sick ({why})"),
                })
            )
        });
        format!(
            "{}: runs [{}] page={} balancer={} pointed={} current={} open={} stable={} rollout={} undo={:?} fence={} {}",
            self.name,
            apps.join(" "),
            self.page,
            self.balancer.map_or("-".to_owned(), |(release, _)| label(Some(&release))),
            label(self.pointed.as_ref()),
            label(head.current.as_ref()),
            label(head.open.as_ref()),
            label(head.stable.as_ref()),
            head.rollout.as_ref().map_or("-".to_owned(), |open| open.value.id.to_string()),
            head.undo,
            head.fence,
            node.unwrap_or_else(|| "(host program down)".to_owned()),
        )
    }
}
