//! Reasons about guarded databases, in words.

use std::fmt;

use friday_wire::DatabaseName;

use super::Reason;
use crate::journal::moment::Moment;
use crate::view::words::duration;

impl Reason {
    /// Those about guarded databases.
    pub(super) fn fmt_of_data(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRestorePoint { database, why } => {
                write!(f, "the database `{database}` got no restore point: {why}")
            }
            Self::RecoveryUnproven { database, why } => {
                write!(f, "the recovery of the database `{database}` is not proven: {why}")
            }
            Self::Unrehearsed { database, why } => {
                write!(f, "the rehearsal on the database `{database}` does not let it pass: {why}")
            }
            Self::WayBackBarred { database, says, recovery_ms } => {
                way_back_barred(f, database, says, *recovery_ms)
            }
            Self::InvariantBroken { database, name, moment: Moment::Before, evidence } => {
                write!(
                    f,
                    "the invariant `{name}` of the database `{database}` was broken before this push: {evidence}"
                )
            }
            Self::InvariantBroken { database, name, moment, evidence } => {
                write!(
                    f,
                    "the invariant `{name}` of the database `{database}` is broken {moment}: {evidence}"
                )
            }
            Self::InvariantsUnknown { database, moment, why } => {
                write!(
                    f,
                    "the invariants of the database `{database}` could not be asked {moment}: {why}"
                )
            }
            _ => Ok(()),
        }
    }

    /// What a person can do about those about guarded databases.
    pub(super) fn hint_of_data(&self) -> &'static str {
        match self {
            Self::OneWay => {
                "`friday resume --forward`, or `friday rollback RELEASE` when the data is put right"
            }
            Self::MigrationUnknown => {
                "look at the database, then `friday resume --forward` or `--back`"
            }
            Self::NoRestorePoint { .. } => "mend it and push again: nothing was switched",
            Self::Unrehearsed { .. } => {
                "`friday rehearse` tries it on a copy; or mend the migration, declare what was seen as `migrate_back`, or `friday push --override rehearsal --reason …`"
            }
            Self::WayBackBarred { .. } => {
                "`friday resume --forward`, `friday rollback RELEASE`, or `friday restore` beside the live database first"
            }
            Self::RecoveryUnproven { .. } => {
                "`friday drill` proves it, or says what stands in the way"
            }
            Self::InvariantBroken { moment: Moment::Before, .. } => {
                "nothing was switched: put the rows right, or `friday push --override invariants --reason …`"
            }
            Self::InvariantBroken { .. } => {
                "a rollback takes the code back, not the data: put the rows right, or see the restore point in `friday log`"
            }
            Self::InvariantsUnknown { .. } => {
                "see `friday doctor`; nothing is held against the release: mend it and push again"
            }
            _ => "",
        }
    }
}

/// The verdict, and what each choice costs.
fn way_back_barred(
    f: &mut fmt::Formatter<'_>,
    database: &DatabaseName,
    says: &str,
    recovery_ms: Option<u64>,
) -> fmt::Result {
    let recovery = match recovery_ms {
        Some(ms) => format!("about {}", duration(ms)),
        None => "a time that no drill has told".to_owned(),
    };
    write!(
        f,
        "the rehearsal on a copy of `{database}` showed it {says}. Going on loses nothing and keeps the \
         new release's faults; going back runs the old release on data that it was not seen to work \
         with, until that is put right; returning `{database}` to its restore point takes {recovery}, \
         and loses what was written since"
    )
}
