//! What makes one release differ from the next: two templates and a few settings, read once at the start.

use std::path::Path;

/// A release's look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The page, with `{{entries}}` and `{{served}}`.
    pub page: String,
    /// One entry, with `{{name}}`, `{{words}}`, `{{at}}`.
    pub entry: String,
    /// The mistake of release v3: after this many pages it answers each further one with status 500.
    /// It stands for what tests miss and only real traffic finds: a leak, a cache that fills, a limit.
    pub page_fails_after: Option<u64>,
}

impl Look {
    /// Reads `page.html`, `entry.html` and `settings` from a directory.
    pub fn read(directory: &Path) -> Result<Self, String> {
        let read = |name: &str| {
            let path = directory.join(name);
            std::fs::read_to_string(&path)
                .map_err(|error| format!("cannot read {}: {error}", path.display()))
        };
        let look =
            Self { page: read("page.html")?, entry: read("entry.html")?, page_fails_after: None };
        look.with_settings(&read("settings")?)
    }

    fn with_settings(mut self, text: &str) -> Result<Self, String> {
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if line.starts_with('#') {
                continue;
            }
            match line.split_once('=').map(|(key, value)| (key.trim(), value.trim())) {
                Some(("page_fails_after", value)) => {
                    let pages = value.parse();
                    self.page_fails_after =
                        Some(pages.map_err(|_| format!("`{value}` is no number of pages"))?);
                }
                _ => return Err(format!("`{line}` is no setting")),
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> Look {
        Look { page: String::new(), entry: String::new(), page_fails_after: None }
    }

    #[test]
    fn settings_are_read() {
        let look = plain().with_settings("# a remark\n\npage_fails_after = 6\n");
        assert_eq!(look.map(|look| look.page_fails_after), Ok(Some(6)));
        assert!(plain().with_settings("page_fails_after = soon").is_err());
        assert!(plain().with_settings("colour = red").is_err());
    }

    #[test]
    fn every_release_of_the_example_has_its_look() {
        let releases = Path::new(env!("CARGO_MANIFEST_DIR")).join("releases");
        let fails = ["v1", "v2", "v3"].map(|name| {
            Look::read(&releases.join(name)).map(|look| look.page_fails_after.is_some())
        });
        assert_eq!(fails, [Ok(false), Ok(false), Ok(true)]);
    }
}
