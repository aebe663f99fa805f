//! Starting over: the same process with a new image of the same program, which reads everything from
//! the disk again. Locks, sockets and threads end with the old image; applications have shims of
//! their own and notice nothing.

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::host::Host;
use crate::note::note;

/// Before it starts over: the last answers reach their connections, and a disk that stays full does
/// not make a loop that burns.
const PAUSE: Duration = Duration::from_secs(1);

/// Never returns. If not even that can be done, the process ends, and the next connection starts
/// another.
pub fn restart(host: &Host) -> ! {
    thread::sleep(PAUSE);
    let error = Command::new("/proc/self/exe")
        .arg0("friday-host")
        .args(["serve", "--dir"])
        .arg(host.place.dir())
        .exec();
    note(&format!("friday-host cannot start over: {error}"));
    std::process::exit(1);
}
