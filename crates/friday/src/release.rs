//! From a path to a release that can be pushed: built, read into the stock, its secrets kept.

use std::path::{Path, PathBuf};

use clap_complete::engine::ArgValueCompleter;
use friday_core::config::settings::ReleaseFacts;
use friday_core::release::tree_id;
use friday_core::rollout::plan::{MigrationBack, Plan, SignedWord};
use friday_edge::release_source::{SourceError, SourceLimits, read_release};
use friday_edge::secrets::{self, SecretStore};
use friday_edge::stock::Stock;
use friday_wire::{Entry, EntryKind, HostName, Manifest, ReleaseId, SecretsVersion};

use crate::complete;
use crate::context::Context;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::preparation::Preparation;
use crate::ui::{Ink, Text, Ui};

/// What `push` and `plan` are told of a release.
#[derive(Debug, clap::Args)]
pub struct ReleaseArgs {
    /// A file, directory or archive; without it, what `release.path` of the configuration names.
    pub path: Option<PathBuf>,
    /// What people call the release; without it, the path's last part.
    #[arg(long, value_name = "NAME")]
    pub label: Option<String>,
    /// Only to these hosts. The release runs there apart from the fleet, and the fleet's stable release
    /// stays what it is.
    #[arg(
        long,
        value_name = "HOST",
        num_args = 1..,
        value_delimiter = ',',
        add = ArgValueCompleter::new(complete::hosts)
    )]
    pub only: Vec<String>,
}

/// Whether commands of the configuration are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commands {
    /// Get secrets.
    Run,
    /// Take what is there.
    Leave,
}

/// A release that is in the stock, and the plan of its push.
#[derive(Debug)]
pub struct Prepared {
    /// The plan.
    pub plan: Plan,
    /// What it is made of.
    pub manifest: Manifest,
}

impl Prepared {
    /// Files, and their bytes.
    pub fn size(&self) -> (usize, u64) {
        let size = |entry: &Entry| match entry.kind {
            EntryKind::File { size, .. } => Some(size),
            EntryKind::Directory | EntryKind::Link { .. } => None,
        };
        let sizes: Vec<u64> = self.manifest.tree.iter().filter_map(size).collect();
        (sizes.len(), sizes.iter().sum())
    }
}

/// Runs the command that builds the release, where there is one and no other release is named.
///
/// # Errors
/// When it fails, or a host is named that is none.
pub fn build(ui: &Ui, context: &Context, args: &ReleaseArgs) -> Result<(), CommandError> {
    named_hosts(context, &args.only)?;
    match (&context.settings.build, &args.path) {
        (Some(build), None) => run_build(ui, &Preparation::begin()?, build, &context.base),
        _ => Ok(()),
    }
}

/// Makes a release ready, once it is built.
///
/// # Errors
/// When the release cannot be read, or a secret cannot be had.
pub fn prepare(
    context: &Context,
    args: &ReleaseArgs,
    commands: Commands,
    quarantine_override: Option<String>,
) -> Result<Prepared, CommandError> {
    let settings = &context.settings;
    let only = named_hosts(context, &args.only)?;
    context.state.make().map_err(|error| CommandError::from_error(Exit::Internal, &error))?;
    let preparation = Preparation::begin()?;
    let path = match &args.path {
        Some(path) => path.clone(),
        None => context.resolve(&settings.path),
    };
    let label = match &args.label {
        Some(label) => label.clone(),
        None => label_of(&path),
    };
    let stock = Stock::open(&context.state)
        .map_err(|error| CommandError::from_error(Exit::Internal, &error))?;
    let (run, called) = (settings.run_spec(), label.clone());
    let read = preparation.read("the release was read", move || {
        read_release(&path, run, &called, &stock, &SourceLimits::default())
    })?;
    let sourced = read.map_err(|error| {
        let exit = match &error {
            SourceError::Stock(_) => Exit::Internal,
            _ => Exit::Usage,
        };
        CommandError::new(exit, "the release could not be read")
            .because(error.to_string())
            .hint(error.hint())
    })?;
    let secrets = match commands {
        Commands::Run => keep_secrets(context, &preparation)?,
        Commands::Leave => None,
    };
    let measured = &sourced.manifest;
    let plan = settings.plan(ReleaseFacts {
        bytes: measured.size(),
        files: u64::try_from(measured.tree.len()).unwrap_or(u64::MAX),
        release: sourced.release,
        tree: tree_id(&sourced.manifest),
        label,
        secrets,
        quarantine_override,
        only,
    });
    Ok(Prepared { plan: beside_the_fleet(plan)?, manifest: sourced.manifest })
}

/// The hosts of `--only`, in the configuration's order; none where they are all.
fn named_hosts(context: &Context, named: &[String]) -> Result<Vec<HostName>, CommandError> {
    let mut only = Vec::new();
    for name in named {
        only.push(crate::commands::hosts::known(context, name).map_err(|error| {
            error.hint("a path comes before `--only`: `friday push PATH --only HOST HOST`")
        })?);
    }
    let hosts = context.settings.hosts.iter().map(|host| &host.name);
    let only: Vec<HostName> = hosts.filter(|host| only.contains(host)).cloned().collect();
    Ok(if only.len() == context.settings.hosts.len() { Vec::new() } else { only })
}

/// A migration that the old release does not survive cannot be run while most hosts keep the old one.
fn beside_the_fleet(mut plan: Plan) -> Result<Plan, CommandError> {
    if plan.only.is_empty() {
        return Ok(plan);
    }
    let Some(migration) = &mut plan.migration else { return Ok(plan) };
    if migration.stop_all || migration.back != MigrationBack::Safe {
        return Err(CommandError::new(
            Exit::Usage,
            "the other hosts keep the old release, and the migration is not declared safe for it",
        )
        .hint("push to every host, without `--only`")
        .hint(
            "`migrate_back = \"safe\"` says that the old release works with what the new one wrote",
        ));
    }
    if !plan.only.contains(&migration.host)
        && let Some(first) = plan.only.first()
    {
        migration.host = first.clone();
    }
    Ok(plan)
}

fn run_build(
    ui: &Ui,
    preparation: &Preparation,
    command: &str,
    base: &Path,
) -> Result<(), CommandError> {
    ui.say(Text::new().plain("Building: ").ink(Ink::Name, command));
    let failed = |why: String| {
        CommandError::new(Exit::Refused, "the build failed; nothing was changed")
            .because(format!("`{command}`: {why}"))
            .hint("`release.build` in the configuration names the command")
    };
    let shell = friday_edge::hook::ShellCommand { command, env: &[], directory: base };
    let end = preparation.command("`release.build` ran", &shell, BUILD_LIMIT, |line| {
        ui.say(Text::new().ink(Ink::Faint, &format!("  {line}")));
    })?;
    match end {
        friday_edge::hook::CommandEnd::Done => Ok(()),
        friday_edge::hook::CommandEnd::Failed { why }
        | friday_edge::hook::CommandEnd::Unknown { why } => Err(failed(why)),
    }
}

/// The longest a build may take. A build that takes longer does not belong into a push.
const BUILD_LIMIT: std::time::Duration = std::time::Duration::from_secs(3_600);

fn keep_secrets(
    context: &Context,
    preparation: &Preparation,
) -> Result<Option<SecretsVersion>, CommandError> {
    let sources = &context.settings.secrets;
    if sources.is_empty() {
        return Ok(None);
    }
    let failed = |error: secrets::SecretError| {
        CommandError::new(Exit::Refused, "a secret could not be had; nothing was changed")
            .because(error.to_string())
    };
    let asking = secrets::collect(sources, &context.base);
    let values = preparation.run("secrets were asked for", asking)?.map_err(failed)?;
    let store = SecretStore::open(&context.state).map_err(failed)?;
    store.keep(&values).map(Some).map_err(failed)
}

/// Signs a release that is about to be pushed, where the configuration names a key.
///
/// # Errors
/// When it cannot be signed, or the signature cannot be kept.
pub fn sign(ui: &Ui, context: &Context, release: &ReleaseId) -> Result<(), CommandError> {
    let Some(key) = &context.settings.sign_key else { return Ok(()) };
    let key = key_path(context, key);
    let failed = |error: &dyn std::error::Error| {
        CommandError::new(Exit::Refused, "the release could not be signed; nothing was changed")
            .because(error.to_string())
            .hint("`release.sign.key` in the configuration names the key")
    };
    ui.say(Text::new().plain("Signing with ").ink(Ink::Name, &key.display().to_string()));
    let signing = friday_edge::signature::sign(&key, &context.settings.fleet, release);
    let signed = Preparation::begin()?.run("the release was signed", signing)?;
    let signature = signed.map_err(|error| failed(&error))?;
    let stock = Stock::open(&context.state).map_err(|error| failed(&error))?;
    stock.keep_signature(release, &signature).map_err(|error| failed(&error))
}

/// Signs a person's word with the key that is named, or the configuration's.
///
/// # Errors
/// When there is no key, or it does not sign.
pub fn sign_word(
    context: &Context,
    key: Option<&str>,
    text: String,
) -> Result<SignedWord, CommandError> {
    let key = match (key, &context.settings.sign_key) {
        (Some(key), _) => Path::new(key).to_owned(),
        (None, Some(key)) => key_path(context, key),
        (None, None) => {
            return Err(CommandError::new(
                Exit::Usage,
                "an override is a person's word, and is signed with their SSH key",
            )
            .hint("name it: --key ~/.ssh/id_ed25519, or `[release.sign]` in the configuration"));
        }
    };
    let signing = friday_edge::signature::sign_word(&key, text);
    let signed = Preparation::begin()?.run("the override was signed", signing)?;
    signed.map_err(|error| {
        CommandError::new(Exit::Refused, "the override could not be signed; nothing was changed")
            .because(error.to_string())
    })
}

/// Whose word it is: the one whom the configuration's file of allowed signers names for its key. `None`: the
/// configuration has no such file, and the key alone stands in the journal.
///
/// # Errors
/// When the key is nobody's who is listed there, or that cannot be checked.
pub fn prove_word(context: &Context, word: &SignedWord) -> Result<Option<String>, CommandError> {
    let Some(signers) = &context.settings.calendar.signers else { return Ok(None) };
    let refused = |why: String| {
        CommandError::new(Exit::Refused, "the override is not taken; nothing was changed")
            .because(why)
            .hint("`check.signers` in the configuration names the file of those who may override")
    };
    let signers = key_path(context, signers);
    context.state.make().map_err(|error| refused(error.to_string()))?;
    let proving = friday_edge::signature::prove(&signers, word, context.state.path());
    let proven = Preparation::begin()?.run("the override was checked", proving)?;
    proven.map(Some).map_err(|error| refused(error.to_string()))
}

/// The configuration's key, from where friday runs.
fn key_path(context: &Context, key: &str) -> PathBuf {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    key.strip_prefix("~/").map_or_else(|| context.resolve(key), |rest| home.join(rest))
}

/// What a path is called: its last part, without an archive's ending.
fn label_of(path: &Path) -> String {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = whole.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_else(|| "release".to_owned());
    let endings = [".tar.zst", ".tar.gz", ".tgz", ".tar"];
    let bare = endings.iter().find_map(|ending| name.strip_suffix(ending));
    bare.filter(|bare| !bare.is_empty()).map_or(name.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_last_parts_without_archive_endings() {
        for (path, label) in
            [("/x/v2", "v2"), ("/x/v3.tar.gz", "v3"), ("app", "app"), ("/", "release")]
        {
            assert_eq!(label_of(Path::new(path)), label, "{path}");
        }
    }
}
