//! File handles: how many this process may open, and what that leaves for connections.

/// The `wanted` connections and WebSockets, or as many of each, in proportion, as the limit of open files allows; then a
/// warning names them.
///
/// Without it, accepting would take the handles that everything else needs, which are `others`.
pub(super) fn affordable(wanted: [usize; 2], others: usize) -> [usize; 2] {
    let Some(open_files) = open_files_max() else {
        return wanted;
    };
    let shares = shares(wanted, left_by(open_files, others));
    if shares != wanted {
        let [connections, websockets] = shares;
        tracing::warn!(
            connections,
            websockets,
            open_files,
            "the limit of open files (ulimit -n) allows fewer connections and WebSockets than are configured"
        );
    }
    shares
}

/// What each gets of `left`: what it wants, or its share by what it wants; never nothing of what is wanted.
fn shares(wanted: [usize; 2], left: usize) -> [usize; 2] {
    let [first, second] = wanted;
    let all = first.saturating_add(second).max(1);
    if all <= left {
        return wanted;
    }
    let share = |wanted: usize| {
        let part = (wanted as u128 * left as u128) / all as u128;
        usize::try_from(part).map_or(wanted, |part| part.clamp(wanted.min(1), wanted))
    };
    [share(first), share(second)]
}

fn left_by(open_files: usize, others: usize) -> usize {
    open_files.saturating_sub(others).max(1)
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
        assert_eq!(
            [1024, 65, 3].map(|open_files| left_by(open_files, 64)),
            [960, 1, 1]
        );
        assert_eq!(affordable([1, 0], 2), [1, 0]);
        for (wanted, left, expected) in [
            ([10, 10], 20, [10, 10]),
            ([10, 10], 10, [5, 5]),
            ([10_000, 10_000], 960, [480, 480]),
            ([30, 10], 20, [15, 5]),
            ([10_000, 1], 100, [99, 1]),
            ([10_000, 0], 100, [100, 0]),
            ([1, 1_000], 10, [1, 9]),
        ] {
            assert_eq!(shares(wanted, left), expected, "{wanted:?} of {left}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_system_tells_its_limit() {
        assert!(open_files_max().is_none_or(|open_files| open_files > 3));
        let table = std::fs::read_to_string("/proc/self/limits").unwrap();
        assert!(table.contains("Max open files"));
    }
}
