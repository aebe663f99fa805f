//! `friday schema`: the JSON schema of `friday.toml`, for editors.

use clap::Args;

use crate::error::CommandError;
use crate::exit::Exit;
use crate::ui::Ui;

/// Nothing to choose.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  friday schema > .friday/schema.json\n\nand as the first line of friday.toml, for editors with Taplo (`Even Better TOML` in VS Code):\n  #:schema .friday/schema.json\n\nIt is draft-07, made from the table that the configuration is read by. What keys mean together is\nchecked by `friday plan --offline`."
)]
pub struct SchemaArgs {}

/// Runs it.
///
/// # Errors
/// Never; the signature is every command's.
pub fn run(ui: &Ui, _args: &SchemaArgs) -> Result<Exit, CommandError> {
    let schema = friday_core::config::json_schema();
    if ui.is_json() {
        ui.json(&schema);
    } else {
        ui.text(&format!("{schema:#}\n"));
    }
    Ok(Exit::Done)
}
