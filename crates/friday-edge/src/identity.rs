//! New identities, and what this machine calls its user and itself.
//!
//! Ids are random because two laptops that do not know each other must never make the same one.

use friday_core::time::Timestamp;
use friday_wire::{JournalId, RolloutId, SecretsVersion, StartId};

/// The system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random numbers: {0}")]
pub struct NoRandomness(getrandom::Error);

/// Which start of a driver this is: half of its fences.
///
/// # Errors
/// When the system gives no randomness.
pub fn new_start_id() -> Result<StartId, NoRandomness> {
    Ok(StartId::new(random_hex::<8>()?))
}

/// A rollout's id, `r-20261123-a1b2c3`: sorts by day, and short enough to say aloud.
///
/// # Errors
/// When the system gives no randomness.
pub fn new_rollout_id(now: Timestamp) -> Result<RolloutId, NoRandomness> {
    let (year, month, day) = civil_date(now);
    Ok(RolloutId::new(format!("r-{year:04}{month:02}{day:02}-{}", random_hex::<3>()?)))
}

/// A journal's id, made once when the journal is.
///
/// # Errors
/// When the system gives no randomness.
pub fn new_journal_id() -> Result<JournalId, NoRandomness> {
    Ok(JournalId::new(format!("j-{}", random_hex::<8>()?)))
}

/// A name for a set of secrets. Tells nothing of them.
///
/// # Errors
/// When the system gives no randomness.
pub fn new_secrets_version() -> Result<SecretsVersion, NoRandomness> {
    Ok(SecretsVersion::new(format!("s-{}", random_hex::<8>()?)))
}

/// What the machine calls the person at it. A label for messages and evidence, never proof.
pub fn person() -> String {
    ["USER", "LOGNAME"]
        .iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|name| !name.is_empty())
        .unwrap_or_else(|| format!("uid-{}", rustix::process::getuid().as_raw()))
}

/// What the machine calls itself.
pub fn machine() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn random_hex<const BYTES: usize>() -> Result<String, NoRandomness> {
    let mut bytes = [0_u8; BYTES];
    getrandom::fill(&mut bytes).map_err(NoRandomness)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Year, month and day in UTC (Howard Hinnant's `civil_from_days`).
fn civil_date(at: Timestamp) -> (i64, i64, i64) {
    let days = at.0.div_euclid(86_400_000) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rollout_ids_begin_with_the_day() {
        let at = Timestamp(1_795_449_600_000);
        let id = new_rollout_id(at).expect("randomness");
        assert!(id.as_str().starts_with("r-20261123-"), "{id}");
        assert_eq!(id.as_str().len(), "r-20261123-a1b2c3".len());
        assert_ne!(id, new_rollout_id(at).expect("randomness"));
    }

    #[test]
    fn days_are_civil_days_in_utc() {
        assert_eq!(civil_date(Timestamp(0)), (1970, 1, 1));
        assert_eq!(civil_date(Timestamp(-1)), (1969, 12, 31));
        assert_eq!(civil_date(Timestamp(951_782_400_000)), (2000, 2, 29));
        assert_eq!(civil_date(Timestamp(1_772_323_200_000)), (2026, 3, 1));
    }

    #[test]
    fn start_ids_are_sixteen_digits() {
        let id = new_start_id().expect("randomness");
        assert_eq!(id.as_str().len(), 16);
        assert_ne!(id, new_start_id().expect("randomness"));
    }
}
