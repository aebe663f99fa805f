//! What was probably meant by a key that friday does not know.

use super::document::Entry;
use super::problem::Fault;
use super::reference::{self, heading, keys};

/// The nearest of some names, if it is near enough to be a slip.
pub(crate) fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let plain = |name: &str| name.to_ascii_lowercase().replace(['-', ' '], "_");
    let name: String = plain(name).chars().take(64).collect();
    // A third of the letters may be wrong, at least one.
    let most = (name.chars().count() / 3).max(1);
    names
        .map(|known| (strsim::damerau_levenshtein(&name, &plain(known)), known))
        .filter(|(distance, known)| *distance <= most && *distance < known.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// The problem of an unknown key in a section, and the name there that was probably meant.
pub(crate) fn unknown_key(section: &str, entry: &Entry) -> (Fault, Option<&'static str>) {
    let names = reference::names_in(section);
    let near = nearest(&entry.key, names.iter().copied());
    (fault(section, entry, &names, near), near)
}

fn fault(section: &str, entry: &Entry, names: &[&str], near: Option<&str>) -> Fault {
    let name = &entry.key;
    let place = if section.is_empty() {
        "at the top of the file".to_owned()
    } else {
        format!("in `{}`", heading(section))
    };
    let fault = Fault::at(entry.key_span.clone(), format!("there is no key `{name}` {place}"))
        .label("unknown key");
    if let Some(near) = near {
        return fault.hint(format!("did you mean `{near}`?"));
    }
    if reference::is_section(name) {
        return fault
            .hint(format!("it is a section of its own: begin it with `{}`", heading(name)));
    }
    let elsewhere = sections_with(name);
    if !elsewhere.is_empty() {
        return fault.hint(format!("`{name}` belongs in {}", elsewhere.join(" or ")));
    }
    let far: Vec<&str> = keys().filter_map(|key| key.path.rsplit('.').next()).collect();
    if let Some(near) = nearest(name, far.into_iter().filter(|name| *name != "*")) {
        let place = sections_with(near).join(" or ");
        return fault.hint(format!("did you mean `{near}` in {place}?"));
    }
    fault.hint(format!("known here: {}", names.join(", ")))
}

/// The sections that have a key of this name, for a sentence.
fn sections_with(name: &str) -> Vec<String> {
    keys()
        .filter_map(|key| match key.path.rsplit_once('.') {
            Some((section, last)) if last == name => Some(format!("`{}`", heading(section))),
            None if key.path == name => Some("the top of the file".to_owned()),
            Some(_) | None => None,
        })
        .collect()
}

/// Whether some section has a key of this name.
pub(crate) fn is_known_elsewhere(name: &str) -> bool {
    !sections_with(name).is_empty()
}
