//! What edge does to the real world: files, shells, friday-host.

mod bench;
mod dispatching;
mod journal;
mod local_fleet;
mod strange_hosts;
mod updates;
mod upgrading;
