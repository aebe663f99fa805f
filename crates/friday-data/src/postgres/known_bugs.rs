//! Versions of PostgreSQL that can damage data by themselves, as their release notes say.
//!
//! Not a complete list: what a release note calls a risk to stored rows or indexes, for the branches whose notes were
//! read (<https://www.postgresql.org/docs/release/>). A newer minor version mends each; what is damaged already stays so.

/// A bug that a minor version mended.
struct Bug {
    /// Branch, and its first minor version without the bug. A branch that is not named never had it, or is not known.
    mended: &'static [(u32, u32)],
    /// What it can do.
    does: &'static str,
    /// What to do after the update.
    then: &'static str,
}

const BUGS: &[Bug] = &[
    Bug {
        mended: &[(14, 4)],
        does: "an index made with CONCURRENTLY may lack rows",
        then: "REINDEX what was made so",
    },
    Bug {
        mended: &[(14, 8), (15, 3)],
        does: "VACUUM can remove live rows where vacuum_defer_cleanup_age is set",
        then: "drill, and see what the invariants say",
    },
    Bug {
        mended: &[(13, 14), (14, 11), (15, 6), (16, 2)],
        does: "a GIN index can be damaged by two writers",
        then: "REINDEX the GIN indexes",
    },
    Bug {
        mended: &[(13, 17), (14, 14), (15, 9), (16, 5), (17, 1)],
        does: "a table can forget that it has a new index, which then lacks rows",
        then: "drill: pg_amcheck finds what an index lacks",
    },
    Bug {
        mended: &[(13, 19), (14, 16), (15, 11), (16, 7), (17, 3)],
        does: "deleted rows can come back when a table could not be made shorter",
        then: "drill: pg_amcheck looks for them",
    },
    Bug {
        mended: &[(15, 20), (18, 7)],
        does: "GIN indexes and btree indexes of type char(n) can be damaged",
        then: "REINDEX them, as the release notes say",
    },
];

/// What a version can do by itself, newest first, and what to do. `version`: as the server says it, `15.4 (Debian …)`.
pub fn known(version: &str) -> Option<(String, String)> {
    let plain = version.split_whitespace().next()?;
    let (major, minor) = plain.split_once('.')?;
    let (major, minor): (u32, u32) = (major.parse().ok()?, minor.parse().ok()?);
    let has =
        |bug: &&Bug| bug.mended.iter().any(|(branch, first)| *branch == major && minor < *first);
    let found: Vec<&Bug> = BUGS.iter().rev().filter(has).collect();
    let newest = found.first()?;
    let (_, least) = newest.mended.iter().find(|(branch, _)| *branch == major)?;
    let does: Vec<&str> = found.iter().map(|bug| bug.does).collect();
    let mut then: Vec<&str> = found.iter().map(|bug| bug.then).collect();
    then.dedup();
    let says = format!("PostgreSQL {plain} is known to damage data: {}", does.join("; "));
    Some((says, format!("update to {major}.{least} or newer; then: {}", then.join("; "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_told_what_it_can_do_and_which_one_mends_it() {
        let (says, help) = known("14.3 (Debian 14.3-1.pgdg110+1)").expect("it has several");
        assert!(says.starts_with("PostgreSQL 14.3 is known"), "{says}");
        assert!(says.contains("CONCURRENTLY") && says.contains("GIN"), "{says}");
        assert!(help.starts_with("update to 14.16 or newer"), "{help}");
        let (says, help) = known("18.6").expect("one");
        assert!(says.contains("char(n)") && help.contains("18.7"), "{says}: {help}");
    }

    #[test]
    fn what_is_new_enough_or_no_number_is_not_warned_of() {
        for version in ["15.20 (Debian 15.20-0+deb12u1)", "18.7", "19beta1", "", "devel"] {
            assert_eq!(known(version), None, "{version}");
        }
    }
}
