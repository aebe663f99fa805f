//! The commands, one file each: parse, call, render.

pub mod abort;
pub mod adopt;
pub mod backup;
pub mod completions;
pub mod doctor;
pub mod drill;
pub mod history;
pub mod hosts;
pub mod init;
pub mod lock;
pub mod log;
pub mod logs;
pub mod man;
pub mod members;
pub mod plan;
pub mod push;
pub mod quarantine;
pub mod rehearse;
pub mod restore;
pub mod resume;
pub mod rollback;
pub mod schema;
pub mod status;
pub mod sweep;
pub mod unlock;
pub mod why;
