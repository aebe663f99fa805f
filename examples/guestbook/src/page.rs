//! Draws the page. Everything people wrote is escaped here and nowhere else.

use crate::book::{Entry, Shown};
use crate::look::Look;

/// The whole page.
pub fn render(look: &Look, shown: &Shown, served: u64) -> String {
    let list: String = shown.entries.iter().map(|entry| render_entry(look, entry)).collect();
    let (jar, served) = (euros(shown.jar), served.to_string());
    fill(&look.page, &[("entries", &list), ("jar", &jar), ("served", &served)])
}

fn render_entry(look: &Look, entry: &Entry) -> String {
    let (name, words) = (escape(&entry.name), escape(&entry.words));
    let place = match entry.place.as_str() {
        "" => String::new(),
        place => format!("from {}", escape(place)),
    };
    let gift = if entry.gift == 0 { String::new() } else { euros(entry.gift) };
    let values = [
        ("name", &*name),
        ("words", &words),
        ("at", &entry.at),
        ("place", &place),
        ("gift", &gift),
    ];
    fill(&look.entry, &values)
}

/// Cents as people write them.
fn euros(cents: i64) -> String {
    format!("€ {}.{:02}", cents / 100, cents % 100)
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
        let look = Look::plain(
            "<ul>{{entries}}</ul>{{jar}} {{served}}".to_owned(),
            "<li>{{name}}: {{ words }} {{place}} {{gift}}</li>".to_owned(),
        );
        let entry = Entry {
            name: "{{at}}".to_owned(),
            words: "<script>'\"&".to_owned(),
            place: "<b>".to_owned(),
            gift: 1205,
            at: "never".to_owned(),
        };
        assert_eq!(
            render(&look, &Shown { entries: vec![entry], jar: 7 }, 7),
            "<ul><li>{{at}}: &lt;script&gt;&#39;&quot;&amp; from &lt;b&gt; € 12.05</li></ul>€ 0.07 7"
        );
    }
}
