//! Stories and random histories of one host.

#[cfg(test)]
mod booting;
#[cfg(test)]
mod fencing;
#[cfg(test)]
mod histories;
pub mod history;
#[cfg(test)]
mod processes;
#[cfg(test)]
mod stepping;
#[cfg(test)]
mod stopping;
#[cfg(test)]
mod switching;
#[cfg(test)]
mod watching;
#[cfg_attr(not(test), expect(dead_code, reason = "only stories use all of it"))]
pub mod world;
