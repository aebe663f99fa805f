//! `friday push`: ship a release to every host, in waves gated by health.

use clap::Args;
use friday_core::answer::GoNoGo;
use friday_core::controller::input;
use friday_core::journal::finding::Gate;
use friday_core::rollout::plan::{Hour, HourGate, Plan};
use friday_edge::identity;
use friday_wire::{Part, Ports, RoleName};

use crate::cli::Global;
use crate::commands::plan::takes;
use crate::context::Context;
use crate::driver::{self, Early, Purpose};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::hour;
use crate::journal::Journal;
use crate::release::{self, Commands, ReleaseArgs};
use crate::ui::{Ink, Text, Ui, now};

/// What to ship.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  friday push\n  friday push dist/shop-v42.tar.gz\n  friday push releases/v42 --label v42\n  friday push --env staging\n  friday push --only web-2            one host; the others keep the stable release\n  friday push --override recovery --reason \"the drill's host is down\" --key ~/.ssh/id_ed25519\n  friday push --json | jq -c 'select(.result)'\n\nWith --json, the first line is the estimate of how long it takes.\n\nIt stays in front until the release is stable. On a terminal, Ctrl-C asks: go on, hold it here, or go\nback. Elsewhere it leaves: no further wave starts, and a switch that is not confirmed undoes itself.\nA terminal that is closed holds the push. `friday resume` goes on or back."
)]
pub struct PushArgs {
    /// Which release.
    #[command(flatten)]
    pub release: ReleaseArgs,
    /// The files are quarantined, and this is what was fixed elsewhere.
    #[arg(long, value_name = "TEXT")]
    pub fixed: Option<String>,
    /// Push although this gate refuses; the reason and the person stand in the journal. May be given for
    /// several.
    #[arg(long = "override", value_enum, value_name = "GATE", requires = "reason")]
    pub overridden: Vec<Overridable>,
    /// Why the gate is overridden.
    #[arg(long, value_name = "TEXT", requires = "overridden")]
    pub reason: Option<String>,
    /// The SSH key that signs the override; without it, `release.sign.key` of the configuration.
    #[arg(long, value_name = "FILE", requires = "overridden")]
    pub key: Option<String>,
}

/// A gate that a person may override.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Overridable {
    /// A guarded database's recovery is not proven by a drill.
    Recovery,
    /// The push was not rehearsed on a copy, or what that showed stands against it.
    Rehearsal,
    /// What must hold in a guarded database was broken before the push.
    Invariants,
    /// Nobody can act while the push can do harm.
    Cover,
    /// A freeze bars it.
    Freeze,
    /// Planned work meets it.
    Maintenance,
}

impl Overridable {
    fn word(self) -> &'static str {
        match self {
            Self::Recovery => "recovery",
            Self::Rehearsal => "rehearsal",
            Self::Invariants => "invariants",
            Self::Cover => "cover",
            Self::Freeze => "freeze",
            Self::Maintenance => "maintenance",
        }
    }
}

impl PushArgs {
    /// Lays the signed word of a person who pushes although a gate refuses over a plan.
    fn overriding(&self, context: &Context, plan: Plan) -> Result<Plan, CommandError> {
        if self.overridden.is_empty() {
            return Ok(plan);
        }
        let reason = self.reason.as_deref().unwrap_or_default();
        let person = identity::person();
        let gates: Vec<&str> = self.overridden.iter().map(|gate| gate.word()).collect();
        let text = format!(
            "friday override\nfleet {}\nrelease {}\ngates {}\nperson {person}\nat {}\nreason {reason}\n",
            context.settings.fleet,
            plan.release,
            gates.join(" "),
            now().0,
        );
        let signed = release::sign_word(context, self.key.as_deref(), text)?;
        let person = release::prove_word(context, &signed)?.unwrap_or(person);
        let said = format!("{reason} ({person}, key {})", signed.key);
        let word = |gate| self.overridden.contains(&gate).then(|| said.clone());
        Ok(Plan {
            recovery_override: word(Overridable::Recovery),
            rehearsal_override: word(Overridable::Rehearsal),
            invariants_override: word(Overridable::Invariants),
            hour: plan.hour.map(|hour| Box::new(vouched(*hour, word))),
            override_signature: Some(signed),
            ..plan
        })
    }
}

/// Runs it.
///
/// # Errors
/// Whatever the push came to, if not to a stable release.
pub fn run(ui: &Ui, global: &Global, args: &PushArgs) -> Result<Exit, CommandError> {
    let context = Context::load(global)?;
    driver::refuse_beside_another(&context)?;
    driver::settle(ui, &context)?;
    release::build(ui, &context, &args.release)?;
    // Handshakes go on while the release is read.
    let early = Early::begin(&context)?;
    let prepared = release::prepare(&context, &args.release, Commands::Run, args.fixed.clone())?;
    let plan = args.overriding(&context, ask_the_hour(ui, &context, prepared.plan))?;
    release::sign(ui, &context, &plan.release)?;
    // A push that will be refused takes no time at all.
    if let Ok(journal) = Journal::read(&context)
        && journal.chronicle.open().next().is_none()
    {
        let estimate = journal.paces.estimate(&plan);
        if ui.is_json() {
            ui.json(&serde_json::json!({ "estimate": estimate }));
        } else {
            ui.say(takes(&estimate));
        }
    }
    let addresses = addresses(&context, &plan);
    let over = (Purpose::Act, Some(early));
    let exit = driver::drive_over(ui, &context, over, |rollout, driver| input::Command::Push {
        rollout,
        driver,
        plan: Box::new(plan),
    })?;
    if exit == Exit::Done && !ui.is_json() {
        for address in addresses {
            ui.data(Text::new().ink(Ink::Name, &address));
        }
    }
    Ok(exit)
}

/// What calendars and rotas said, with a person's word for those gates that it names.
fn vouched(hour: Hour, word: impl Fn(Overridable) -> Option<String>) -> Hour {
    let named = |gate| match gate {
        Gate::Cover => word(Overridable::Cover),
        Gate::Freeze => word(Overridable::Freeze),
        Gate::Maintenance => word(Overridable::Maintenance),
        _ => None,
    };
    let gates = hour.gates.into_iter();
    let gates = gates.map(|said| HourGate { vouched: named(said.gate), ..said }).collect();
    // Who pushes into a freeze pushes through it.
    let closed = hour.closed.into_iter().filter(|closed| named(closed.gate).is_none()).collect();
    Hour { gates, closed, ..hour }
}

/// What the hour says of the push; told where it speaks against it.
fn ask_the_hour(ui: &Ui, context: &Context, plan: Plan) -> Plan {
    if !context.settings.calendar.judges() {
        return plan;
    }
    let journal = Journal::read_whole(context).ok();
    let at = now();
    let (plan, answer, says) = hour::paced(context, journal.as_ref(), plan, at);
    for changed in says.iter().filter(|_| !ui.is_json()) {
        ui.say(Text::new().ink(Ink::Warn, "Note:").plain(" ").plain(changed));
    }
    if answer.answer == GoNoGo::NoGo && !ui.is_json() {
        ui.say("The hour speaks against this push:");
        hour::draw(ui, context, &answer, |ui, text| ui.say(text));
    }
    Plan { hour: Some(Box::new(answer.hour(at))), ..plan }
}

/// Where the release can be looked at, as far as the configuration tells.
fn addresses(context: &Context, plan: &Plan) -> Vec<String> {
    let hosts = plan.fleet.hosts.iter();
    hosts
        .filter(|host| plan.takes(&host.name))
        .filter_map(|host| {
            let port = match host.ports {
                Ports::Fixed { port } => port,
                Ports::None | Ports::PerRelease { .. } => return None,
            };
            let settings = context.settings.host(&host.name)?;
            let parts = context.settings.processes.parts(Some(&RoleName::new(&settings.role)));
            if !parts.contains(&Part::Run) {
                return None;
            }
            let address = settings.address.in_url();
            Some(format!("http://{address}:{port}/"))
        })
        .take(5)
        .collect()
}
