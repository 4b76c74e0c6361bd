//! What every subcommand writes: answers to standard output, remarks to standard error.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use super::exit::Failure;

/// Writes one line to standard output. Nobody reading any more is the end of the program's work.
pub(super) fn print_line(line: &str) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    writeln!(output, "{line}")
        .and_then(|()| output.flush())
        .map_err(|error| Failure::failed(format!("standard output: {error}")))
}

/// Writes a whole document: to a file, under another name first so that nobody reads half of it, or to standard output.
pub(super) fn write_file(path: Option<&Path>, content: &[u8]) -> Result<(), Failure> {
    let Some(path) = path else {
        let mut output = io::stdout().lock();
        return output
            .write_all(content)
            .and_then(|()| output.flush())
            .map_err(|error| Failure::failed(format!("standard output: {error}")));
    };
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let write = || {
        let mut file = File::create(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().map_err(|error| Failure::failed(format!("{}: {error}", path.display())))
}

/// Writes one line to standard error. Nobody reading it is no reason to stop, let alone to panic: the answer and
/// the exit code do not depend on it.
pub(super) fn remark(line: &str) {
    // In one piece, so that lines of the log cannot fall into it.
    let _ = io::stderr()
        .lock()
        .write_all(format!("{line}\n").as_bytes());
}
