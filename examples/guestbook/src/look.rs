//! What makes one release differ from the next: two templates and a few settings, read once at the start.

use std::path::Path;

use crate::schema::Schema;

/// A release's look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The page, with `{{entries}}`, `{{jar}}` and `{{served}}`.
    pub page: String,
    /// One entry, with `{{name}}`, `{{words}}`, `{{at}}`, `{{place}}`, `{{gift}}`.
    pub entry: String,
    /// The mistake of release v3: after this many pages it answers each further one with status 500.
    /// It stands for what tests miss and only real traffic finds: a leak, a cache that fills, a limit.
    pub page_fails_after: Option<u64>,
    /// The shape of the book that this release works with.
    pub schema: Schema,
    /// The mistake of release v2-damage: it takes the cents from gifts, and leaves them in the jar. Its health is
    /// good, its pages are, and only who sums the gifts finds out.
    pub rounds_gifts: bool,
}

impl Look {
    /// Reads `page.html`, `entry.html` and `settings` from a directory.
    pub fn read(directory: &Path) -> Result<Self, String> {
        let read = |name: &str| {
            let path = directory.join(name);
            std::fs::read_to_string(&path)
                .map_err(|error| format!("cannot read {}: {error}", path.display()))
        };
        let look = Self::plain(read("page.html")?, read("entry.html")?);
        look.with_settings(&read("settings")?)
    }

    /// Templates without settings.
    pub fn plain(page: String, entry: String) -> Self {
        Self { page, entry, page_fails_after: None, schema: Schema::First, rounds_gifts: false }
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
                Some(("schema", name)) => {
                    let schema = Schema::named(name);
                    self.schema = schema.ok_or_else(|| format!("`{name}` is no schema"))?;
                }
                Some(("rounds_gifts", "yes")) => self.rounds_gifts = true,
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
        Look::plain(String::new(), String::new())
    }

    #[test]
    fn settings_are_read() {
        let look = plain().with_settings("# a remark\n\npage_fails_after = 6\n");
        assert_eq!(look.map(|look| look.page_fails_after), Ok(Some(6)));
        assert!(plain().with_settings("page_fails_after = soon").is_err());
        for line in ["colour = red", "schema = 7", "rounds_gifts = perhaps"] {
            assert!(plain().with_settings(line).is_err(), "{line}");
        }
    }

    #[test]
    fn every_release_of_the_example_has_its_look() {
        let releases = Path::new(env!("CARGO_MANIFEST_DIR")).join("releases");
        let seen = ["v1", "v2", "v2-one-way", "v2-damage", "v3"].map(|name| {
            let look = Look::read(&releases.join(name)).expect("it has one");
            (look.page_fails_after.is_some(), look.schema, look.rounds_gifts)
        });
        let expected = [
            (false, Schema::First, false),
            (false, Schema::WithPlaces, false),
            (false, Schema::WithoutTimes, false),
            (false, Schema::First, true),
            (true, Schema::First, false),
        ];
        assert_eq!(seen, expected);
    }
}
