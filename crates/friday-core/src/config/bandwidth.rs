//! Bandwidths as people write them: `10MB/s`, `500kB/s`, `1MiB/s`.

/// Units, bytes. Bits are not taken: `Mb` and `MB` are too easily mistaken for each other.
const UNITS: [(&str, u64); 7] = [
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// The least, bytes in a second. Less is a mistake: nothing would arrive in time.
const BANDWIDTH_MIN: u64 = 1_000;

/// Why a text is no bandwidth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BandwidthError {
    /// No `/s`.
    #[error("`/s` is missing at its end")]
    NotPerSecond,
    /// No number, or a fraction.
    #[error("it does not begin with a whole number")]
    Number,
    /// No unit, bits, or another word.
    #[error("its unit is none of kB, MB, GB, KiB, MiB and GiB")]
    Unit,
    /// Too little, or too much to count.
    #[error("it is less than 1 kB in a second, or more than can be")]
    Range,
}

impl BandwidthError {
    /// What to write.
    pub fn hint(self) -> &'static str {
        match self {
            Self::NotPerSecond | Self::Number => "for example \"10MB/s\"",
            Self::Unit => "bytes, not bits: \"10MB/s\" is 80 megabit in a second",
            Self::Range => "for example \"100kB/s\"",
        }
    }
}

/// Bytes in a second.
///
/// # Errors
/// See [`BandwidthError`].
pub fn parse_bandwidth(text: &str) -> Result<u64, BandwidthError> {
    let amount = text.trim().strip_suffix("/s").ok_or(BandwidthError::NotPerSecond)?;
    let digits = amount.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = amount.split_at(digits);
    let number: u64 = match number.parse() {
        Ok(number) => number,
        Err(_) if digits > 0 => return Err(BandwidthError::Range),
        Err(_) => return Err(BandwidthError::Number),
    };
    let unit = unit.trim();
    let (_, bytes) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(BandwidthError::Unit)?;
    let total = number.checked_mul(*bytes).ok_or(BandwidthError::Range)?;
    if total < BANDWIDTH_MIN { Err(BandwidthError::Range) } else { Ok(total) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_write_it_so() {
        let right =
            [("10MB/s", 10_000_000), ("1 kB/s", 1_000), (" 2GiB/s", 2 << 30), ("64KiB/s", 65_536)];
        for (text, bytes) in right {
            assert_eq!(parse_bandwidth(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_could_be_meant_otherwise_is_refused() {
        let wrong = [
            ("10MB", BandwidthError::NotPerSecond),
            ("MB/s", BandwidthError::Number),
            ("10/s", BandwidthError::Unit),
            ("10Mb/s", BandwidthError::Unit),
            ("1.5MB/s", BandwidthError::Unit),
            ("0MB/s", BandwidthError::Range),
            ("99999999999999999999MB/s", BandwidthError::Range),
            ("18446744073709551615kB/s", BandwidthError::Range),
        ];
        for (text, error) in wrong {
            assert_eq!(parse_bandwidth(text), Err(error), "{text}");
        }
    }
}
