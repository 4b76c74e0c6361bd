//! What Linux tells of this process; nothing on other systems.

use std::fs;

/// As `/proc/self` has it (proc_pid_stat(5), proc_pid_status(5)).
#[derive(Debug)]
pub(super) struct Process {
    pub(super) resident_bytes: u64,
    pub(super) open_files: usize,
    pub(super) processor_s: f64,
}

impl Process {
    pub(super) fn read() -> Option<Self> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        Some(Self {
            resident_bytes: resident_bytes(&status)?,
            // Less the one that counts them.
            open_files: fs::read_dir("/proc/self/fd").ok()?.count().checked_sub(1)?,
            processor_s: processor_s(&stat)?,
        })
    }
}

fn resident_bytes(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    kib.checked_mul(1024)
}

fn processor_s(stat: &str) -> Option<f64> {
    /// What Linux shows times in, on every architecture: USER_HZ.
    const TICKS_A_SECOND: f64 = 100.0;
    // The name of the program stands in brackets, and may hold brackets and spaces.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) as f64 / TICKS_A_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_tells_is_read() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 100 0 0 0 250 125 0 0 20 0 5 0 100 0 0";
        assert_eq!(processor_s(stat), Some(3.75));
        assert_eq!(processor_s("7 (a"), None);
        assert_eq!(
            resident_bytes("Name:\ta\nVmRSS:\t    12 kB\n"),
            Some(12_288)
        );
        assert_eq!(resident_bytes("Name:\ta\n"), None);
    }
}
