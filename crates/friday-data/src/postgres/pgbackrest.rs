//! pgBackRest in place of friday's own repository: the stanza that the team made, and nothing beside it.
//!
//! **Who keeps what.** pgBackRest backs up, archives, expires and proves its files; friday asks it to, reads what it
//! has, and drills it. A backup that friday asked for carries what a copy needs to know of its cluster as the
//! annotation `friday` (settings that a standby must have, the libraries it loads, roles): it is there also on
//! another host, and holds for the backups of the same cluster that somebody else made. Nothing of the stanza is
//! changed, expired or removed from here but by `pgbackrest backup`, as the team's configuration says.
//!
//! It must not judge what a copy is worth, nor restore to any directory but the one it is given.

mod archive;
mod backup;
mod examine;
mod info;
mod restore;
mod stanza;
mod verify;

pub use archive::Archive;
pub use backup::back_up;
pub use examine::examine;
pub use restore::restore;
pub use stanza::Stanza;
pub use verify::verify;
