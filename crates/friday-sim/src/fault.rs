//! Faults that come by themselves, as often as the run's options say.

use crate::host::Disk;
use crate::world::{Happening, World};

#[derive(Debug, Clone, Copy)]
enum Fault {
    Reboot,
    ProcessCrash,
    Partition,
    SlowDisk,
    FullDisk,
    SickHost,
    TakenPort,
    Kill,
    Sleep,
    ClockJump,
}

impl World {
    fn rates(&self) -> [(Fault, f64); 10] {
        let faults = &self.faults;
        [
            (Fault::Reboot, faults.reboots),
            (Fault::ProcessCrash, faults.process_crashes),
            (Fault::Partition, faults.partitions),
            (Fault::SlowDisk, faults.slow_disks),
            (Fault::FullDisk, faults.full_disks),
            (Fault::SickHost, faults.sick_hosts),
            (Fault::TakenPort, faults.taken_ports),
            (Fault::Kill, faults.kills),
            (Fault::Sleep, faults.sleeps),
            (Fault::ClockJump, faults.clock_jumps),
        ]
    }

    /// Plans the next fault, if there are any in this run.
    pub(crate) fn plan_fault(&mut self) {
        let per_minute: f64 = self.rates().iter().map(|(_, rate)| rate).sum();
        if per_minute > 0.0 {
            let minutes = -(1.0 - self.rng.f64()).ln() / per_minute;
            let wait = (minutes * 60_000.0).min(1e12) as u64;
            self.schedule.put(self.now + wait.max(1), Happening::Fault);
        }
    }

    pub(crate) fn next_fault(&mut self) {
        let rates = self.rates();
        let mut draw = self.rng.f64() * rates.iter().map(|(_, rate)| rate).sum::<f64>();
        let drawn = rates.into_iter().find(|(_, rate)| {
            draw -= rate;
            draw < 0.0
        });
        let Some((fault, _)) = drawn else { return };
        self.strike(fault);
        self.plan_fault();
    }

    fn strike(&mut self, fault: Fault) {
        let host = self.rng.usize(..self.hosts.len());
        let laptop = self.rng.usize(..self.laptops.len());
        match fault {
            Fault::Reboot => {
                let down = if self.rng.u32(..4) == 0 {
                    self.rng.u64(60_000..300_000)
                } else {
                    self.rng.u64(1_000..40_000)
                };
                self.reboot(host, down);
            }
            Fault::ProcessCrash => {
                if self.hosts[host].process.is_some() {
                    self.crash_and_restart(host);
                }
            }
            Fault::Partition => self.strike_partition(laptop, host),
            Fault::SlowDisk => self.strike_disk(host, Disk::Slow),
            Fault::FullDisk => self.strike_disk(host, Disk::Full),
            Fault::SickHost => {
                let until = self.now + self.rng.u64(1_000..60_000);
                self.note(|world| format!("{} is sick", world.hosts[host].name));
                self.hosts[host].sick_until = until;
            }
            Fault::TakenPort => {
                let until = self.now + self.rng.u64(1_000..60_000);
                self.take_ports(host, until);
            }
            Fault::Kill => self.kill_friday(laptop, "killed"),
            Fault::Sleep => {
                let until = self.now + self.rng.u64(1_000..180_000);
                self.note(|world| format!("{}'s lid closes", world.laptops[laptop].name));
                self.laptops[laptop].sleeps_until = until;
                self.schedule.put(until, Happening::LaptopWakes { laptop });
            }
            Fault::ClockJump => {
                // Within a process time is monotonic; between two, the wall clock may be anything.
                if self.laptops[laptop].process.is_none() {
                    self.laptops[laptop].clock_ms += self.rng.i64(-7_200_000..7_200_000);
                }
            }
        }
    }

    /// The machine goes down and comes back.
    pub(crate) fn reboot(&mut self, host: usize, down_ms: u64) {
        if self.hosts[host].booted_at.is_none() {
            return;
        }
        self.power_off(host);
        let boots = self.hosts[host].boots;
        self.schedule.put(self.now + down_ms, Happening::Boots { host, boots });
    }

    fn strike_partition(&mut self, laptop: usize, host: usize) {
        let until = self.now + self.rng.u64(500..120_000);
        let (all_laptops, all_hosts) = (self.rng.u32(..4) == 0, self.rng.u32(..4) == 0);
        self.note(|world| {
            let host = if all_hosts { "all hosts" } else { world.hosts[host].name.as_str() };
            let laptop = if all_laptops { "everybody" } else { &world.laptops[laptop].name };
            format!("{laptop} is cut off from {host} until {}", until / 1000)
        });
        for one in 0..self.laptops.len() {
            for other in 0..self.hosts.len() {
                if (all_laptops || one == laptop) && (all_hosts || other == host) {
                    self.cut(one, other, until);
                }
            }
        }
    }

    /// A laptop and a host do not hear each other until then.
    pub(crate) fn cut(&mut self, laptop: usize, host: usize, until: u64) {
        let present = self.cuts.entry((laptop, host)).or_insert(0);
        *present = until.max(*present);
        // What was under way on that connection is lost with it.
        let Some(process) = self.hosts[host].process.as_mut() else { return };
        let lost: Vec<_> = process
            .calls
            .iter()
            .filter(|(_, caller)| caller.laptop == laptop)
            .map(|(call, _)| *call)
            .collect();
        for call in lost {
            let caller =
                self.hosts[host].process.as_mut().and_then(|process| process.calls.remove(&call));
            if let Some(caller) = caller {
                self.breaks(caller);
            }
        }
    }

    /// Another program has whatever port a release would listen on, and that none of ours listens on.
    pub(crate) fn take_ports(&mut self, host: usize, until: u64) {
        self.note(|world| format!("ports of {} are taken", world.hosts[host].name));
        self.hosts[host].ports_taken_until = until;
    }

    fn strike_disk(&mut self, host: usize, disk: Disk) {
        self.note(|world| format!("the disk of {} is {disk:?}", world.hosts[host].name));
        self.hosts[host].disk = disk;
        let at = self.now + self.rng.u64(500..40_000);
        self.schedule.put(at, Happening::DiskHeals { host });
    }

    /// From here on nothing breaks by itself, and what is broken heals.
    pub(crate) fn stop_faults(&mut self) {
        self.note(|_| "the faults stop".to_owned());
        self.faults = crate::options::Faults::default();
        self.cuts.clear();
        for laptop in 0..self.laptops.len() {
            self.laptops[laptop].sleeps_until = self.now;
            self.laptop_wakes(laptop);
        }
        for host in 0..self.hosts.len() {
            self.hosts[host].disk = Disk::Fine;
            self.hosts[host].sick_until = self.now;
            self.hosts[host].ports_taken_until = self.now;
            if self.hosts[host].booted_at.is_none() {
                self.boot(host);
            }
            let epoch = self.hosts[host].process_epoch;
            self.schedule.put(self.now + 500, Happening::ProgramStarts { host, epoch });
        }
    }
}
