//! Documents that are written by code, so that they cannot lie: `cargo xtask docs` writes them, and
//! tidy refuses a stale one.

mod drawing;

use std::path::Path;

use crate::tidy::Problem;
use crate::workspace;

/// One generated document.
struct Document {
    /// Relative to the root.
    path: &'static str,
    /// Its text.
    text: fn() -> String,
}

/// All of them.
const DOCUMENTS: [Document; 3] = [
    Document {
        path: "docs/reference/configuration.md",
        text: friday_core::config::reference_markdown,
    },
    Document { path: "docs/state-machine.md", text: drawing::markdown },
    Document { path: "docs/rollouts.md", text: drawing::rollouts },
];

/// Writes every document.
pub fn write() -> Result<(), String> {
    for document in &DOCUMENTS {
        let path = workspace::root().join(document.path);
        let directory = path.parent().expect("documents lie in a directory");
        std::fs::create_dir_all(directory)
            .and_then(|()| std::fs::write(&path, (document.text)()))
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        crate::print(&format!("wrote {}\n", document.path));
    }
    write_reference()
}

/// The pages that the product itself knows; its own tests see to it that they are not stale.
fn write_reference() -> Result<(), String> {
    for page in ["exit-codes", "commands"] {
        let mut friday = workspace::cargo();
        friday.args(["run", "--quiet", "--package", "friday", "--", "__docs", page]);
        let text = workspace::output(&mut friday)?;
        let path = format!("docs/reference/{page}.md");
        std::fs::write(workspace::root().join(&path), text)
            .map_err(|error| format!("cannot write {path}: {error}"))?;
        crate::print(&format!("wrote {path}\n"));
    }
    Ok(())
}

/// Those that differ from what the code would write.
pub fn stale() -> Vec<Problem> {
    let differs = |document: &&Document| {
        let stored = std::fs::read_to_string(workspace::root().join(document.path));
        stored.map_or(true, |stored| stored != (document.text)())
    };
    let stale = DOCUMENTS.iter().filter(differs);
    let mend = "is not what the code says now; run `cargo xtask docs`";
    stale
        .map(|document| Problem::new(Path::new(document.path), 1, "stale document", mend))
        .collect()
}
