//! The files that hold private keys: mode 0600, written once.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// A private key of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyFile {
    /// Issues tokens.
    Signing,
    /// Signs checkpoints of the audit trail.
    Audit,
    /// Signs what is told of revocations.
    Status,
    /// Signs which keys are for what; what clients embed is its public half.
    Root,
}

impl KeyFile {
    /// Where the key of a data folder stands.
    pub(crate) fn path(self, folder: &Path) -> PathBuf {
        folder.join(match self {
            Self::Signing => "signing-key.pem",
            Self::Audit => "audit-key.pem",
            Self::Status => "status-key.pem",
            Self::Root => "root-key.pem",
        })
    }

    /// Reads the key; `None` when there is no file.
    ///
    /// # Errors
    /// What the file system says; `PermissionDenied` for a file that others than its owner can read.
    pub(crate) fn load(self, folder: &Path) -> io::Result<Option<Zeroizing<String>>> {
        let path = self.path(folder);
        match fs::read_to_string(&path) {
            Ok(pem) => {
                let pem = Zeroizing::new(pem);
                refuse_if_shared(&path)?;
                Ok(Some(pem))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Keeps a new key, synced before it is used.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn keep(self, folder: &Path, pem: &str) -> io::Result<()> {
        write_private(&self.path(folder), pem.as_bytes())?;
        File::open(folder)?.sync_all()
    }
}

/// Writes a new file that only its owner may read: under another name first, so that a crash leaves
/// either nothing or the whole key.
fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("pem.new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}

#[cfg(unix)]
fn refuse_if_shared(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let problem = format!(
            "{} has mode {mode:04o}; it must be readable by its owner only (0600)",
            path.display()
        );
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, problem));
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_if_shared(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn the_key_is_kept_private_and_refused_when_shared() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        for (file, name) in [
            (KeyFile::Signing, "signing-key.pem"),
            (KeyFile::Audit, "audit-key.pem"),
        ] {
            assert!(file.load(folder.path()).unwrap().is_none());
            file.keep(folder.path(), name).unwrap();
            let path = folder.path().join(name);
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
            assert_eq!(file.load(folder.path()).unwrap().unwrap().as_str(), name);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            let refused = file.load(folder.path()).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
        }
    }
}
