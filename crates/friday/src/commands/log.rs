//! `friday log`: what happened, line by line; `log verify`: whether that is still what was written.

mod words;

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use friday_core::audit::{Finding, audit};
use friday_core::journal::{Event, Position};
use friday_core::time::Timestamp;
use friday_core::view::words::count;
use friday_core::view::{Line, Tone};
use friday_wire::{Digest, HostName};
use serde::Serialize;

use crate::cli::Global;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::journal::{Journal, damaged};
use crate::sight::{self, Look};
use crate::ui::{Ink, Table, Text, Ui};

use words::Word;

/// What to show.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  friday log                     the last rollout\n  friday log --all               every record of the journal\n  friday log ROLLOUT             one rollout\n  friday log --json              records as they are stored\n  friday log verify              chain, and witnesses on hosts"
)]
pub struct LogArgs {
    /// The rollout's id, or its last digits; without it, the last one and what it led to.
    pub rollout: Option<String>,
    /// Everything, small steps too.
    #[arg(long)]
    pub all: bool,
    /// Something else than showing.
    #[command(subcommand)]
    pub command: Option<LogCommand>,
}

/// Something else than showing.
#[derive(Debug, Subcommand)]
pub enum LogCommand {
    /// Check that no record was changed, and that the records keep friday's promises: the chain of
    /// hashes, what each host was shown of it, the signatures of overrides, and the promises that a journal
    /// can show broken.
    #[command(after_help = "Examples:\n  friday log verify\n  friday log verify --offline")]
    Verify(VerifyArgs),
}

/// How to check.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Only the chain and the promises; no host is asked for its witness.
    #[arg(long)]
    pub offline: bool,
}

#[derive(Serialize)]
struct LogView<'a> {
    records: Vec<RecordView>,
    lines: Vec<&'a Line>,
    damage: Option<String>,
}

/// A record with its event, for scripts.
#[derive(Serialize)]
pub struct RecordView {
    /// Its number.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// Its hash.
    pub hash: Digest,
    /// What.
    pub event: Event,
}

/// Runs it.
///
/// # Errors
/// When the journal cannot be read, or is not what was written.
pub fn run(ui: &Ui, global: &Global, args: &LogArgs) -> Result<Exit, CommandError> {
    let context = Context::load(global)?;
    let journal = Journal::read(&context)?;
    if let Some(LogCommand::Verify(verify)) = &args.command {
        return check(ui, &context, &journal, verify);
    }
    let everything = args.all || journal.chronicle.last_acting().is_none();
    let of = match (&args.rollout, everything) {
        (None, true) => None,
        (named, _) => Some(journal.rollout(named.as_deref())?),
    };
    // A push and what took it back are one story.
    let family: Option<Vec<_>> = of.map(|id| {
        let root = journal.chronicle.rollout(&id).and_then(|view| view.because_of.clone());
        let root = root.unwrap_or(id);
        let all = journal.chronicle.rollouts.iter();
        all.filter(|view| view.rollout == root || view.because_of.as_ref() == Some(&root))
            .map(|view| view.rollout.clone())
            .collect()
    });
    let wanted = |rollout: Option<&friday_wire::RolloutId>| match &family {
        None => true,
        Some(family) => rollout.is_some_and(|rollout| family.contains(rollout)),
    };
    let lines: Vec<&Line> =
        journal.lines.iter().filter(|line| wanted(line.rollout.as_ref())).collect();
    if ui.is_json() {
        let records = journal.records.iter().filter_map(|record| {
            let event = record.event().ok()?;
            wanted(friday_core::view::chronicle::rollout_of(&event)).then(|| RecordView {
                seq: record.seq,
                at: record.at,
                hash: record.hash(),
                event,
            })
        });
        let damage = journal.damage.as_ref().map(ToString::to_string);
        ui.json(&LogView { records: records.collect(), lines, damage });
    } else {
        show(ui, &lines, args);
    }
    match &journal.damage {
        Some(damage) => Err(damaged(damage)),
        None => Ok(Exit::Done),
    }
}

fn show(ui: &Ui, lines: &[&Line], args: &LogArgs) {
    let mut day = String::new();
    for line in lines.iter().filter(|line| args.all || line.tone != Tone::Fine) {
        let on = ui.clock().day(line.at);
        if on != day {
            ui.data(Text::new().ink(Ink::Strong, &on));
            day = on;
        }
        for text in ui.story_lines(line) {
            ui.data(text);
        }
    }
    if day.is_empty() {
        ui.say("Nothing was journalled yet.");
    }
}

#[derive(Serialize)]
struct VerifyView {
    records: usize,
    end: Option<String>,
    damage: Option<String>,
    findings: Vec<Finding>,
    overrides: Vec<Word>,
    witnesses: BTreeMap<HostName, Witnessed>,
}

/// What a host's witness says about this journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "witness", rename_all = "snake_case")]
enum Witnessed {
    /// The record it was shown is the one in the journal.
    Agrees { seq: u64 },
    /// It was shown another record under that number.
    Differs { seq: u64 },
    /// It was shown records that the journal does not have.
    Ahead { seq: u64 },
    /// It was never shown this journal.
    None,
    /// It does not answer.
    Unreachable { why: String },
}

fn check(
    ui: &Ui,
    context: &Context,
    journal: &Journal,
    args: &VerifyArgs,
) -> Result<Exit, CommandError> {
    let witnesses = if args.offline { BTreeMap::new() } else { witnesses(context, journal)? };
    let overrides = words::check(context, journal)?;
    let mut findings = findings(journal)?;
    findings.extend(overrides.iter().filter_map(Word::finding));
    let view = VerifyView {
        records: journal.records.len(),
        end: journal.end.as_ref().map(|end: &Position| end.hash.to_string()),
        damage: journal.damage.as_ref().map(ToString::to_string),
        findings,
        overrides,
        witnesses,
    };
    if ui.is_json() {
        ui.json(&view);
    } else {
        draw_check(ui, journal, &view);
    }
    if let Some(damage) = &journal.damage {
        return Err(damaged(damage));
    }
    if !view.findings.is_empty() {
        let many = count(view.findings.len(), "finding");
        return Err(CommandError::new(
            Exit::Person,
            format!("the journal shows a promise broken: {many}"),
        )
        .because("friday keeps every promise it makes, or is wrong; or somebody else wrote records")
        .hint("`friday log --all` shows what led there; docs/promises.md has the promises")
        .hint("please report it with the output of `friday log verify` and `friday log --all`"));
    }
    let differ = view.witnesses.iter().filter(|(_, witness)| {
        matches!(witness, Witnessed::Differs { .. } | Witnessed::Ahead { .. })
    });
    match differ.count() {
        0 => Ok(Exit::Done),
        hosts => Err(CommandError::new(
            Exit::Person,
            format!("{} were shown another journal than this", count(hosts, "host")),
        )
        .hint(
            "records were changed or removed after they were written, or an old copy was put back",
        )
        .hint("`friday status` shows what the hosts hold; they are the truth")),
    }
}

fn draw_check(ui: &Ui, journal: &Journal, view: &VerifyView) {
    let whole = journal.end.as_ref().map_or(0, |end| end.seq);
    ui.data(match &view.damage {
        None => format!("The chain holds: {}.", count(journal.records.len(), "record")),
        Some(damage) => format!("The chain holds up to record {whole}; then: {damage}."),
    });
    if journal.records.is_empty() || (whole == 0 && view.damage.is_some()) {
        return;
    }
    if view.findings.is_empty() {
        ui.data("The records keep every promise that a journal can show broken.");
    }
    for Finding { promise, seq, says } in &view.findings {
        let says = format!("promise {promise}, record {seq}: {says}");
        ui.data(Text::new().ink(Ink::Bad, "Broken: ").plain(&says));
    }
    for word in &view.overrides {
        ui.data(Text::new().ink(Ink::Strong, "Override ").plain(&word.says()));
    }
    if view.witnesses.is_empty() {
        return;
    }
    let mut table = Table::new(&["HOST", "WITNESS"]);
    for (host, witness) in &view.witnesses {
        let (ink, says) = match witness {
            Witnessed::Agrees { seq } => (Ink::Good, format!("agrees up to record {seq}")),
            Witnessed::Differs { seq } => (Ink::Bad, format!("was shown another record {seq}")),
            Witnessed::Ahead { seq } => {
                (Ink::Bad, format!("was shown record {seq}, which is not in the journal"))
            }
            Witnessed::None => (Ink::Faint, "was never shown this journal".to_owned()),
            Witnessed::Unreachable { why } => (Ink::Warn, format!("does not answer: {why}")),
        };
        table.row([Text::new().ink(Ink::Name, host.as_str()), Text::new().ink(ink, &says)]);
    }
    ui.table(&table);
}

/// What the audit finds, in the records up to where the journal is damaged.
fn findings(journal: &Journal) -> Result<Vec<Finding>, CommandError> {
    let whole = journal.end.as_ref().map_or(0, |end| end.seq);
    let whole = usize::try_from(whole).unwrap_or(usize::MAX).min(journal.records.len());
    audit(&journal.records[..whole]).map_err(|damage| damaged(&damage))
}

fn witnesses(
    context: &Context,
    journal: &Journal,
) -> Result<BTreeMap<HostName, Witnessed>, CommandError> {
    let Some(id) = &journal.chronicle.journal else {
        return Ok(BTreeMap::new());
    };
    let seen = sight::look(context)?;
    let judged = seen.into_iter().map(|(host, look)| {
        let witnessed = match look {
            Look::Unreachable { why } => Witnessed::Unreachable { why },
            Look::Seen { seen, .. } => match seen.head.witnesses.get(id) {
                None => Witnessed::None,
                Some(witness) => {
                    let index = usize::try_from(witness.seq).unwrap_or(usize::MAX);
                    let seq = witness.seq;
                    match journal.records.get(index.wrapping_sub(1)) {
                        None if seq == 0 => Witnessed::None,
                        None => Witnessed::Ahead { seq },
                        Some(record) if record.hash() == witness.hash => Witnessed::Agrees { seq },
                        Some(_) => Witnessed::Differs { seq },
                    }
                }
            },
        };
        (host, witnessed)
    });
    Ok(judged.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use friday_core::journal::Record;
    use friday_wire::{JournalId, RolloutId};

    #[test]
    fn a_broken_promise_is_found_up_to_where_the_journal_is_damaged() {
        let created =
            Event::JournalCreated { journal: JournalId::new("j-1"), format: 1, fleet: "x".into() };
        let bare = Event::Held { rollout: RolloutId::new("r-1"), reasons: Vec::new() };
        let mut records: Vec<Record> = Vec::new();
        let mut position = Position::START;
        for event in [&created, &bare, &bare] {
            let record = Record::after(&position, Timestamp(0), event);
            position = record.position();
            records.push(record);
        }
        records[2].body.push(' ');
        records[2].prev = Digest([7; 32]);
        let found = findings(&Journal::fold(records)).expect("audited");
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].promise, found[0].seq), (10, 2));
    }
}
