//! Text on its way to a terminal. Everything that is put in is made harmless first.

use anstyle::{AnsiColor, Style};

/// What a piece of text is; how that looks is decided here only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// As it is.
    Plain,
    /// Bold.
    Strong,
    /// Less important.
    Faint,
    /// Something was reached.
    Good,
    /// Worth a look.
    Warn,
    /// Failed.
    Bad,
    /// A host's name, a command.
    Name,
    /// The word before a hint.
    Hint,
}

impl Ink {
    fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Strong => Style::new().bold(),
            Self::Faint => Style::new().dimmed(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Warn => AnsiColor::Yellow.on_default().bold(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::Name => AnsiColor::Cyan.on_default(),
            Self::Hint => AnsiColor::Blue.on_default().bold(),
        }
    }
}

/// A line of text.
#[derive(Debug, Clone, Default)]
pub struct Text {
    painted: String,
    bare: String,
    width: usize,
}

impl Text {
    /// Empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds text as it is.
    pub fn plain(self, text: &str) -> Self {
        self.ink(Ink::Plain, text)
    }

    /// Adds inked text.
    pub fn ink(mut self, ink: Ink, text: &str) -> Self {
        let safe = shown(text);
        self.width += safe.chars().count();
        self.bare.push_str(&safe);
        let style = ink.style();
        self.painted.push_str(&format!("{}{safe}{}", style.render(), style.render_reset()));
        self
    }

    /// Adds another text.
    pub fn append(mut self, other: Self) -> Self {
        self.painted.push_str(&other.painted);
        self.bare.push_str(&other.bare);
        self.width += other.width;
        self
    }

    /// Spaces up to a width.
    pub fn pad_to(mut self, width: usize) -> Self {
        if let Some(missing) = width.checked_sub(self.width) {
            self.painted.push_str(&" ".repeat(missing));
            self.bare.push_str(&" ".repeat(missing));
            self.width = width;
        }
        self
    }

    /// How many columns it takes.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Without styles.
    pub fn bare(&self) -> String {
        self.bare.clone()
    }

    /// With styles; the stream strips them where they are not wanted.
    pub fn painted(&self) -> String {
        self.painted.clone()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::new().plain(text)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::new().plain(&text)
    }
}

/// Text with its control characters made visible, direction marks too: they can reorder a line.
pub fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\t' => out.push_str("    "),
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                out.extend(character.escape_unicode());
            }
            _ if character.is_control() => out.extend(character.escape_default()),
            _ => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_and_never_sent() {
        assert_eq!(shown("a\x1b[2Jb\r\nc\u{202e}d\te"), "a\\u{1b}[2Jb\\r\\nc\\u{202e}d    e");
        let text = Text::new().ink(Ink::Bad, "x\x07y");
        assert!(!text.painted().contains('\x07'));
        assert_eq!(text.width(), "x\\u{7}y".len());
    }

    #[test]
    fn padding_counts_what_is_seen() {
        let text = Text::new().ink(Ink::Good, "äb").pad_to(4);
        assert_eq!(text.width(), 4);
        assert!(text.painted().ends_with("  "));
    }
}
