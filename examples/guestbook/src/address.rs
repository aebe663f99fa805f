//! Where the book is: one setting, `DATABASE_URL`, chooses the engine too.

use std::path::PathBuf;

/// Where it is unless somebody says otherwise.
const BY_ITSELF: &str = "book/book.sqlite";

/// Where a book is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A file of SQLite.
    Sqlite(PathBuf),
    /// A connection string of PostgreSQL.
    Postgres(String),
}

impl Address {
    /// As the environment says.
    pub fn from_environment() -> Result<Self, String> {
        let named = std::env::var("DATABASE_URL").ok().filter(|url| !url.is_empty());
        Self::read(named.as_deref().unwrap_or(BY_ITSELF))
    }

    /// A connection string of PostgreSQL in either of its forms; all else is a file, with or without `sqlite:`
    /// before it and options behind it.
    fn read(url: &str) -> Result<Self, String> {
        let is_server = ["postgres://", "postgresql://"].iter().any(|it| url.starts_with(it));
        let is_words = url.split_whitespace().any(|word| word.starts_with("host="));
        if is_server || is_words {
            return Ok(Self::Postgres(url.to_owned()));
        }
        if let Some((scheme, _)) = url.split_once("://").filter(|(scheme, _)| *scheme != "sqlite") {
            return Err(format!("no guestbook can be kept in `{scheme}`"));
        }
        let path = match url.strip_prefix("sqlite:") {
            Some(rest) => rest.strip_prefix("//").unwrap_or(rest).split('?').next().unwrap_or(""),
            None => url,
        };
        if path.is_empty() {
            return Err("DATABASE_URL names no file".to_owned());
        }
        Ok(Self::Sqlite(path.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_setting_chooses() {
        let file = |path: &str| Ok(Address::Sqlite(path.into()));
        let read = Address::read;
        assert_eq!(read(BY_ITSELF), file("book/book.sqlite"));
        assert_eq!(read("/srv/b.sqlite"), file("/srv/b.sqlite"));
        assert_eq!(read("sqlite:b.sqlite?mode=rw"), file("b.sqlite"));
        assert_eq!(read("sqlite:///srv/b.sqlite"), file("/srv/b.sqlite"));
        let urls = ["postgres://anna@db/book", "postgresql:///book?host=/run/x&port=7", "host=/x"];
        for url in urls {
            assert_eq!(read(url), Ok(Address::Postgres(url.to_owned())));
        }
        for url in ["mysql://db/book", "sqlite:"] {
            assert!(read(url).is_err(), "{url}");
        }
    }
}
