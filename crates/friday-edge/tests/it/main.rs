//! What edge does to the real world: files, shells, friday-host.

mod bench;
mod dispatching;
mod feeds;
mod journal;
mod local_fleet;
mod mail;
mod notify;
mod outbound;
mod sink;
mod strange_hosts;
mod updates;
mod upgrading;
