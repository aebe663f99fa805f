//! Blanks comments and the insides of strings and characters, so that rules see code only.
//!
//! Not a parser: it knows just enough of Rust's words to tell code from text, and keeps every line
//! break where it was.

/// The same text with comments and literals blanked.
pub fn mask(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let (kept, blanked) = literal(rest, masked.chars().next_back());
        if blanked > 0 {
            masked.push_str(&rest[..kept]);
            masked.extend(rest[kept..blanked].chars().map(|c| if c == '\n' { c } else { ' ' }));
            rest = &rest[blanked..];
        } else {
            masked.push(letter);
            rest = &rest[letter.len_utf8()..];
        }
    }
    masked
}

/// If a comment or literal begins here: how much of it to keep, and where it ends; else zeros.
fn literal(rest: &str, before: Option<char>) -> (usize, usize) {
    if rest.starts_with("//") {
        return (0, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (0, block_end(rest));
    }
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if !in_word && let Some(end) = raw_end(rest) {
        return (0, end);
    }
    if rest.starts_with('"') {
        return (1, string_end(rest));
    }
    if let Some(inner) = rest.strip_prefix('\'') {
        return (0, character_end(inner).map_or(0, |end| end + 1));
    }
    (0, 0)
}

fn block_end(rest: &str) -> usize {
    let mut depth = 0_u32;
    let mut at = 0;
    while at < rest.len() {
        let tail = &rest.as_bytes()[at..];
        if tail.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if tail.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// `r"…"`, `r#"…"#`, `br"…"`.
fn raw_end(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let inner = after[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    let begin = rest.len() - inner.len();
    Some(inner.find(&close).map_or(rest.len(), |end| begin + end + close.len()))
}

fn string_end(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// The end of a character's literal after its first quote; `None` for a lifetime.
fn character_end(inner: &str) -> Option<usize> {
    if let Some(escaped) = inner.strip_prefix('\\') {
        let first = escaped.chars().next()?.len_utf8();
        return Some(1 + first + escaped[first..].find('\'')? + 1);
    }
    let first = inner.chars().next()?.len_utf8();
    inner[first..].starts_with('\'').then_some(first + 1)
}
