//! What several subcommands read: files, keys, lines of standard input.

use std::fs::File;
use std::io::{self, BufRead, Read};
use std::path::Path;

use nexa_core::SigningKey;
use zeroize::Zeroizing;

use super::exit::Failure;

/// Longer tokens are refused unread.
pub(super) const TOKEN_MAX: usize = 4096;

/// What a person or a device writes is short: requests, keys, checkpoints.
const FILE_MAX: usize = 64 << 10;

/// Shards and lists grow with what was revoked.
pub(super) const DOCUMENT_MAX: usize = 16 << 20;

/// Reads a whole file of at most 64 KiB, naming it in the error.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    read_at_most(FILE_MAX, path)
}

/// Reads a whole status document, a file of at most 16 MiB, naming it in the error.
pub(super) fn read_document(path: &Path) -> Result<Vec<u8>, Failure> {
    read_at_most(DOCUMENT_MAX, path)
}

/// A device file that never ends must not fill the memory.
fn read_at_most(max: usize, path: &Path) -> Result<Vec<u8>, Failure> {
    let read = || {
        let file = File::open(path)?;
        // Room for all of it at once: a buffer that grows leaves copies of a key behind.
        let size = usize::try_from(file.metadata()?.len()).unwrap_or(max);
        let mut content = Vec::with_capacity(size.min(max) + 1);
        let limit = u64::try_from(max + 1).unwrap_or(u64::MAX);
        file.take(limit).read_to_end(&mut content)?;
        Ok(content)
    };
    let content = read()
        .map_err(|error: io::Error| Failure::Usage(format!("{}: {error}", path.display())))?;
    match content.len() <= max {
        true => Ok(content),
        false => Err(Failure::Usage(format!(
            "{}: longer than {max} bytes",
            path.display()
        ))),
    }
}

/// Reads a whole text file, naming it in the error.
pub(super) fn read_text(path: &Path) -> Result<String, Failure> {
    String::from_utf8(read_file(path)?)
        .map_err(|_| Failure::Usage(format!("{}: not UTF-8", path.display())))
}

/// Reads an Ed25519 private key from a PKCS#8 PEM file.
pub(super) fn read_signing_key(path: &Path) -> Result<SigningKey, Failure> {
    let pem = Zeroizing::new(read_text(path)?);
    SigningKey::from_pkcs8_pem(&pem)
        .map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))
}

/// Calls `each` with every line of standard input, without its line feed and nothing else removed.
/// Of a line longer than `max` bytes, the first `max + 1` are passed on: enough to see that it is too long.
pub(super) fn each_line(
    max: usize,
    each: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    each_line_of(io::stdin().lock(), "standard input", max, each)
}

/// As [`each_line`], of an input that has that name in errors.
pub(super) fn each_line_of(
    mut input: impl BufRead,
    name: &str,
    max: usize,
    mut each: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let unreadable = |error: io::Error| Failure::Usage(format!("{name}: {error}"));
    let mut line = Vec::with_capacity(max + 2);
    loop {
        line.clear();
        let limit = u64::try_from(max + 2).unwrap_or(u64::MAX);
        let read = input
            .by_ref()
            .take(limit)
            .read_until(b'\n', &mut line)
            .map_err(unreadable)?;
        if read == 0 {
            return Ok(());
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        } else if line.len() > max {
            line.truncate(max + 1);
            input.skip_until(b'\n').map_err(unreadable)?;
        }
        each(&line)?;
    }
}

/// Calls `each` with the token, or with every line of standard input when it is `-`.
pub(super) fn each_token(
    token: &str,
    mut each: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if token == "-" {
        each_line(TOKEN_MAX, each)
    } else {
        each(token.as_bytes())
    }
}
