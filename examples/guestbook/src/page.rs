//! Draws the page. Everything people wrote is escaped here and nowhere else.

use crate::book::Entry;
use crate::look::Look;

/// The whole page.
pub fn render(look: &Look, entries: &[Entry], served: u64) -> String {
    let list: String = entries.iter().map(|entry| render_entry(look, entry)).collect();
    fill(&look.page, &[("entries", &list), ("served", &served.to_string())])
}

fn render_entry(look: &Look, entry: &Entry) -> String {
    let (name, words) = (escape(&entry.name), escape(&entry.words));
    fill(&look.entry, &[("name", &name), ("words", &words), ("at", &entry.at)])
}

/// Replaces each `{{key}}` once over: what a value contains is never looked at again, so a guest who
/// writes `{{at}}` sees `{{at}}`.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        filled.push_str(before);
        let Some((key, tail)) = after.split_once("}}") else {
            filled.push_str("{{");
            rest = after;
            continue;
        };
        if let Some((_, value)) = values.iter().find(|(name, _)| *name == key.trim()) {
            filled.push_str(value);
        }
        rest = tail;
    }
    filled.push_str(rest);
    filled
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_guests_write_stays_text() {
        let look = Look {
            page: "<ul>{{entries}}</ul>{{served}}".to_owned(),
            entry: "<li>{{name}}: {{ words }}</li>".to_owned(),
            page_fails_after: None,
        };
        let entry = Entry {
            name: "{{at}}".to_owned(),
            words: "<script>'\"&".to_owned(),
            at: "never".to_owned(),
        };
        assert_eq!(
            render(&look, &[entry], 7),
            "<ul><li>{{at}}: &lt;script&gt;&#39;&quot;&amp;</li></ul>7"
        );
    }
}
