//! Who listens on a port. Asked before a start, because a stranger who answers there would pass for
//! the release in every probe.

use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::output::shown;

/// A sentence when something listens on this port where an application on it would; else `None`.
pub fn taken(port: u16) -> Option<String> {
    let inode = listener(port)?;
    let by = holder(&inode).map_or_else(|| "another user's program".to_owned(), named);
    Some(format!("port {port} is taken by {by}"))
}

/// A program as people know it. Its name is its own to choose, and may be anything.
fn named(pid: i32) -> String {
    match fs::read(format!("/proc/{pid}/comm")) {
        Ok(name) => format!("`{}` (pid {pid})", shown(name.trim_ascii_end())),
        Err(_) => format!("another program (pid {pid})"),
    }
}

/// The socket's inode, from the kernel's table of this network namespace.
fn listener(port: u16) -> Option<String> {
    ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|table| {
        fs::read_to_string(table).ok()?.lines().skip(1).find_map(|line| listens(line, port))
    })
}

/// Columns: number, local address, remote address, state (0A: listening), …, inode as the tenth.
fn listens(line: &str, port: u16) -> Option<String> {
    let columns: Vec<&str> = line.split_whitespace().collect();
    let (address, found) = columns.get(1)?.rsplit_once(':')?;
    let listening = *columns.get(3)? == "0A" && u16::from_str_radix(found, 16).ok()? == port;
    (listening && is_in_the_way(address)).then(|| columns.get(9).map(ToString::to_string))?
}

/// Every address, or the one that probes ask: 127.0.0.1. Another address may well have a listener
/// of its own on the same port.
fn is_in_the_way(address: &str) -> bool {
    let everywhere = address.bytes().all(|byte| byte == b'0');
    // Each 32-bit word in the machine's byte order.
    let word = |bytes: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(bytes));
    let loopback = word([127, 0, 0, 1]);
    let mapped = format!("{:08X}{:08X}{}{loopback}", 0, 0, word([0, 0, 0xff, 0xff]));
    everywhere || address == loopback || address == mapped
}

/// The process that holds a socket; only this user's can be looked into.
fn holder(inode: &str) -> Option<i32> {
    let inode: u64 = inode.parse().ok()?;
    crate::process::all().into_iter().map(|process| process.pid).find(|pid| {
        let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
        open.flatten().any(|fd| {
            fs::read_link(fd.path())
                .is_ok_and(|target| target.as_os_str().as_encoded_bytes().starts_with(b"socket:"))
                && fs::metadata(fd.path()).is_ok_and(|found| found.ino() == inode)
        })
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_listener_is_named_and_a_free_port_is_free() {
        let here = TcpListener::bind("127.0.0.1:0").expect("listens");
        let port = here.local_addr().expect("has one").port();
        let told = taken(port).expect("is taken");
        let own = fs::read_to_string("/proc/self/comm").expect("has a name");
        let (own, pid) = (own.trim_end(), std::process::id());
        assert_eq!(told, format!("port {port} is taken by `{own}` (pid {pid})"));
        drop(here);
        assert_eq!(taken(port), None);
    }

    #[test]
    fn another_address_is_not_in_the_way() {
        let there = TcpListener::bind("127.0.0.9:0").expect("listens");
        assert_eq!(taken(there.local_addr().expect("has one").port()), None);
        let everywhere = TcpListener::bind("0.0.0.0:0").expect("listens");
        assert!(taken(everywhere.local_addr().expect("has one").port()).is_some());
    }
}
