//! What every subcommand writes: answers to standard output, remarks to standard error.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rand_core::Rng;
use serde_json::Value;

use super::exit::Failure;
use crate::serve::rng;

/// Writes one line to standard output. Nobody reading any more is the end of the program's work.
pub(super) fn print_line(line: &str) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    writeln!(output, "{line}")
        .and_then(|()| output.flush())
        .map_err(|error| Failure::failed(format!("standard output: {error}")))
}

/// A text that others chose, for a terminal: what would steer it, turn the writing around it or not be seen is escaped.
pub(super) fn shown(text: &str) -> String {
    let escaped = text.escape_debug().to_string();
    // Nothing depends on quotes here, and names have them.
    escaped.replace("\\'", "'").replace("\\\"", "\"")
}

/// Writes an answer of a server as one line of JSON. What would steer a terminal is escaped in it, as JSON allows.
pub(super) fn print_json(value: &Value) -> Result<(), Failure> {
    let mut line = String::new();
    for c in value.to_string().chars() {
        match c.is_control() {
            // None of them is beyond U+009F.
            true => line.push_str(&format!("\\u{:04x}", u32::from(c))),
            false => line.push(c),
        }
    }
    print_line(&line)
}

/// Writes a whole public document to a file, or to standard output: a key set, a shard, a request.
///
/// A file is there whole or not at all. A symbolic link is followed, and what is no regular file is written to as it is.
pub(super) fn write_file(path: Option<&Path>, content: &[u8]) -> Result<(), Failure> {
    write(path, content, Readers::Anyone)
}

/// As [`write_file`], for what serves whoever has it: of such a file only its owner may read.
pub(super) fn write_private_file(path: Option<&Path>, content: &[u8]) -> Result<(), Failure> {
    write(path, content, Readers::Owner)
}

/// Who may read a new file, as far as the umask lets them.
#[derive(Clone, Copy)]
enum Readers {
    Owner,
    Anyone,
}

fn write(path: Option<&Path>, content: &[u8], readers: Readers) -> Result<(), Failure> {
    let Some(path) = path else {
        let mut output = io::stdout().lock();
        return output
            .write_all(content)
            .and_then(|()| output.flush())
            .map_err(|error| Failure::failed(format!("standard output: {error}")));
    };
    let written = match fs::metadata(path) {
        Ok(there) if !there.is_file() => OpenOptions::new()
            .write(true)
            .open(path)
            .and_then(|mut file| file.write_all(content)),
        Ok(_) | Err(_) => link_target(path).and_then(|path| replace(&path, content, readers)),
    };
    written.map_err(|error| Failure::failed(format!("{}: {error}", path.display())))
}

/// Where a chain of symbolic links ends; nothing has to be there.
fn link_target(path: &Path) -> io::Result<PathBuf> {
    const LINKS_MAX: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        match fs::read_link(&path) {
            Ok(target) => path = folder_of(&path).join(target),
            // It is no link.
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

/// Puts a new file in the place of another, durably. Its first name cannot be guessed and is made new, so that no planted
/// link is written through.
fn replace(path: &Path, content: &[u8], readers: Readers) -> io::Result<()> {
    let folder = folder_of(path);
    let temporary = folder.join(format!(".nexa-{:016x}.new", rng().next_u64()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(
        &mut options,
        match readers {
            Readers::Owner => 0o600,
            Readers::Anyone => 0o666,
        },
    );
    #[cfg(not(unix))]
    let _ = readers;
    let mut file = options.open(&temporary)?;
    let placed = file
        .write_all(content)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&temporary, path));
    if placed.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&temporary);
    }
    placed.and_then(|()| File::open(folder)?.sync_all())
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        Some(_) | None => Path::new("."),
    }
}

/// Writes one line to standard error. Nobody reading it is no reason to stop, let alone to panic: the answer and
/// the exit code do not depend on it.
pub(super) fn remark(line: &str) {
    // In one piece, so that lines of the log cannot fall into it.
    let _ = io::stderr()
        .lock()
        .write_all(format!("{line}\n").as_bytes());
}

#[cfg(test)]
mod texts {
    use super::*;

    #[test]
    fn no_name_steers_a_terminal() {
        for (name, on_terminal) in [
            ("Acme & S\u{f6}hne", "Acme & S\u{f6}hne"),
            ("O'Brien \"Bob\"", "O'Brien \"Bob\""),
            (
                "\u{939}\u{93f}\u{928}\u{94d}\u{926}\u{940}",
                "\u{939}\u{93f}\u{928}\u{94d}\u{926}\u{940}",
            ),
            ("a\u{1b}[2Jb", "a\\u{1b}[2Jb"),
            ("a\u{9b}2J", "a\\u{9b}2J"),
            ("a\r\n\tb", "a\\r\\n\\tb"),
            ("a\u{202e}b\u{2028}c", "a\\u{202e}b\\u{2028}c"),
            ("a\\'b", "a\\\\'b"),
        ] {
            assert_eq!(shown(name), on_terminal);
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let (out, victim) = (folder.path().join("out"), folder.path().join("victim"));
        fs::write(&victim, "mine").unwrap();
        symlink(&victim, folder.path().join("out.new")).unwrap();
        for content in ["longer", "new"] {
            write_file(Some(&out), content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&out).unwrap(), content);
        }
        assert_eq!(fs::read_to_string(&victim).unwrap(), "mine");
        let there = ["out", "out.new", "victim"];
        assert_eq!(names(folder.path()), there);
        // What cannot take its place goes.
        let taken = folder.path().join("taken");
        fs::create_dir(&taken).unwrap();
        replace(&taken, b"new", Readers::Anyone).unwrap_err();
        assert_eq!(names(folder.path()), ["out", "out.new", "taken", "victim"]);
    }

    #[test]
    fn a_link_is_followed_and_a_device_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("sub")).unwrap();
        fs::write(at("sub/there"), "old").unwrap();
        for (link, target) in [("link", "sub/there"), ("dangling", "sub/new")] {
            symlink(target, at(link)).unwrap();
            symlink(link, at("again")).unwrap();
            write_file(Some(&at("again")), b"new").unwrap();
            assert!(at(link).is_symlink() && at("again").is_symlink());
            assert_eq!(fs::read(at(target)).unwrap(), b"new");
            fs::remove_file(at("again")).unwrap();
        }
        symlink("round", at("round")).unwrap();
        write_file(Some(&at("round")), b"new").unwrap_err();
        symlink("/dev/null", at("null")).unwrap();
        write_private_file(Some(&at("null")), b"new").unwrap();
        let null = fs::metadata(at("null")).unwrap();
        assert!(null.file_type().is_char_device() && at("null").is_symlink());
    }

    #[test]
    fn only_its_owner_reads_a_private_file() {
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("token");
        let mode = || fs::metadata(&token).unwrap().permissions().mode() & 0o777;
        write_file(Some(&token), b"public").unwrap();
        assert_eq!(mode() & 0o600, 0o600);
        fs::set_permissions(&token, fs::Permissions::from_mode(0o644)).unwrap();
        write_private_file(Some(&token), b"secret").unwrap();
        assert_eq!(mode(), 0o600);
    }
}
