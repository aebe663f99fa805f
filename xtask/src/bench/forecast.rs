//! `cargo xtask bench forecast`: what friday forecasts from what it was told, for `bench recovery`.
//!
//! Reads on standard input what a journal would know, and prints the forecast in milliseconds. It must not forecast by
//! itself: the forecast that is measured is friday's own.

use std::io::{self, Read as _, Write as _};

use friday_core::database::{DataAct, DataOutcome, DatabaseKnown, Forecast};
use friday_core::time::Timestamp;
use friday_wire::RolloutId;
use friday_wire::data::RestorePoint;
use serde::Deserialize;

#[derive(Deserialize)]
struct Told {
    outcomes: Vec<DataOutcome>,
    points: Vec<RestorePoint>,
}

/// Forecasts once.
pub fn run() -> Result<(), String> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).map_err(|error| error.to_string())?;
    let told: Told = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let mut known = DatabaseKnown::default();
    for (number, outcome) in (0_i64..).zip(&told.outcomes) {
        known.learns(Timestamp(number), Some(DataAct::Drill), outcome);
    }
    for point in told.points {
        known.points.insert(RolloutId::new(point.name.clone()), point);
    }
    let forecast = Forecast::of(&known).ok_or("no drill was told of")?;
    writeln!(io::stdout(), "{}", forecast.ms).map_err(|error| error.to_string())
}
