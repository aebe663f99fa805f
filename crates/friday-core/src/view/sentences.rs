//! Reasons as sentences, each thing said once.

use crate::reason::Reason;

/// One sentence for each reason. A host that does not answer and is needed for two things is named
/// once, with both.
pub fn sentences(reasons: &[Reason]) -> Vec<String> {
    let mut said: Vec<(&Reason, String)> = Vec::new();
    for reason in reasons {
        let more = said.iter_mut().find_map(|(known, says)| Some((says, adds(known, reason)?)));
        match more {
            Some((says, more)) => says.push_str(&more),
            None => said.push((reason, reason.to_string())),
        }
    }
    said.into_iter().map(|(_, says)| says).collect()
}

/// What the second says beyond the first, where both are about the same silence of one host.
fn adds(first: &Reason, second: &Reason) -> Option<String> {
    let (Reason::Unreachable { host: known, why: known_why }, Reason::Unreachable { host, why }) =
        (first, second)
    else {
        return None;
    };
    if known != host {
        return None;
    }
    if known_why.starts_with(why.as_str()) {
        return Some(String::new());
    }
    let (same, more) = why.rsplit_once("; ")?;
    known_why.starts_with(same).then(|| format!("; {more}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use friday_wire::HostName;

    fn silent(host: &str, why: &str) -> Reason {
        Reason::Unreachable { host: HostName::new(host), why: why.to_owned() }
    }

    #[test]
    fn a_silent_keeper_is_named_once() {
        let all = [
            silent("a", "no route (and 1 more of 3 hosts)"),
            silent("a", "no route; it keeps the lease"),
            silent("b", "no route"),
        ];
        assert_eq!(
            sentences(&all),
            [
                "`a` does not answer: no route (and 1 more of 3 hosts); it keeps the lease",
                "`b` does not answer: no route",
            ]
        );
        let other = [silent("a", "no route"), silent("a", "it was not asked; it keeps the lease")];
        assert_eq!(sentences(&other).len(), 2);
    }
}
