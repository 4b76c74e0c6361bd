//! What every subcommand writes: answers to standard output, remarks to standard error.

use std::io::{self, Write};

use super::exit::Failure;

/// Writes one line to standard output. Nobody reading any more is the end of the program's work.
pub(super) fn print_line(line: &str) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    writeln!(output, "{line}")
        .and_then(|()| output.flush())
        .map_err(|error| Failure::failed(format!("standard output: {error}")))
}

/// Writes one line to standard error. Nobody reading it is no reason to stop, let alone to panic: the answer and
/// the exit code do not depend on it.
pub(super) fn remark(line: &str) {
    // In one piece, so that lines of the log cannot fall into it.
    let _ = io::stderr()
        .lock()
        .write_all(format!("{line}\n").as_bytes());
}
