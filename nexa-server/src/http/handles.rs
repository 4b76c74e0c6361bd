//! File handles: how many this process may open, and what that leaves for connections.

/// `wanted` connections, or as many as the limit of open files allows; then a warning names both.
///
/// Without it, accepting would take the handles that the store and the log need.
pub(super) fn affordable(wanted: usize) -> usize {
    let Some(open_files) = open_files_max() else {
        return wanted;
    };
    let connections = wanted.min(left_by(open_files));
    if connections < wanted {
        tracing::warn!(
            wanted,
            connections,
            open_files,
            "the limit of open files (ulimit -n) allows fewer connections than are configured"
        );
    }
    connections
}

/// What a limit leaves beside the files of the store, the listener, the runtime and the log.
fn left_by(open_files: usize) -> usize {
    const OTHERS: usize = 64;
    open_files.saturating_sub(OTHERS).max(1)
}

/// The limit of this process; `None` where the system does not tell or has none.
fn open_files_max() -> Option<usize> {
    // Linux only; the call behind it would need unsafe code or one more dependency.
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    soft_limit(&limits)
}

fn soft_limit(limits: &str) -> Option<usize> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_read_and_leaves_room_for_the_store() {
        let table = |soft: &str| {
            format!(
                "Limit                     Soft Limit           Hard Limit           Units\n\
                 Max processes             95                   unlimited            processes\n\
                 Max open files            {soft:<20} 524288               files\n"
            )
        };
        assert_eq!(soft_limit(&table("1024")), Some(1024));
        assert_eq!(soft_limit(&table("unlimited")), None);
        assert_eq!(soft_limit(""), None);
        assert_eq!([left_by(1024), left_by(65), left_by(3)], [960, 1, 1]);
        assert_eq!(affordable(1), 1);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_system_tells_its_limit() {
        assert!(open_files_max().is_none_or(|open_files| open_files > 3));
        let table = std::fs::read_to_string("/proc/self/limits").unwrap();
        assert!(table.contains("Max open files"));
    }
}
