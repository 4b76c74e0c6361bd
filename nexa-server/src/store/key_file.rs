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
    /// Signs deliveries of webhooks.
    Webhook,
    /// The one before it, which signs too while receivers learn of the new one.
    PreviousWebhook,
}

impl KeyFile {
    /// Where the key of a data folder stands.
    pub(crate) fn path(self, folder: &Path) -> PathBuf {
        folder.join(match self {
            Self::Signing => "signing-key.pem",
            Self::Audit => "audit-key.pem",
            Self::Status => "status-key.pem",
            Self::Root => "root-key.pem",
            Self::Webhook => "webhook-key.pem",
            Self::PreviousWebhook => "previous-webhook-key.pem",
        })
    }

    /// Reads the key; `None` when there is no file.
    ///
    /// # Errors
    /// What the file system says; `PermissionDenied` for a file that others than its owner can read.
    pub(crate) fn load(self, folder: &Path) -> io::Result<Option<Zeroizing<String>>> {
        load(&self.path(folder))
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

/// The files of keys that came after the first of their use: `keys/<kid>.pem`.
#[derive(Clone, Debug)]
pub(crate) struct RotatedKeys {
    folder: PathBuf,
}

impl RotatedKeys {
    /// Those of a data folder.
    pub(crate) fn of(data: &Path) -> Self {
        Self {
            folder: data.join("keys"),
        }
    }

    /// Where the key of that id stands.
    pub(crate) fn path(&self, kid: &str) -> PathBuf {
        self.folder.join(format!("{kid}.pem"))
    }

    /// As [`KeyFile::load`].
    pub(crate) fn load(&self, kid: &str) -> io::Result<Option<Zeroizing<String>>> {
        load(&self.path(kid))
    }

    /// As [`KeyFile::keep`]; the folder is made where it is missing.
    pub(crate) fn keep(&self, kid: &str, pem: &str) -> io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(&self.folder) {
            Ok(()) => {
                if let Some(data) = self.folder.parent() {
                    File::open(data)?.sync_all()?;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        write_private(&self.path(kid), pem.as_bytes())?;
        File::open(&self.folder)?.sync_all()
    }

    /// The ids of the keys that have a file.
    pub(crate) fn kids(&self) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut kids = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "pem")
                && let Some(kid) = path.file_stem().and_then(|stem| stem.to_str())
            {
                kids.push(kid.to_owned());
            }
        }
        Ok(kids)
    }

    /// Removes a key that came to no use.
    pub(crate) fn remove(&self, kid: &str) -> io::Result<()> {
        fs::remove_file(self.path(kid))
    }
}

fn load(path: &Path) -> io::Result<Option<Zeroizing<String>>> {
    match fs::read_to_string(path) {
        Ok(pem) => {
            let pem = Zeroizing::new(pem);
            refuse_if_shared(path)?;
            Ok(Some(pem))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
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
    fn a_rotated_key_is_kept_as_privately() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let keys = RotatedKeys::of(folder.path());
        assert!(keys.load("kid").unwrap().is_none());
        keys.keep("kid", "one").unwrap();
        keys.keep("other", "two").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder.path().join("keys")), 0o700);
        assert_eq!(mode(&keys.path("kid")), 0o600);
        assert_eq!(keys.load("other").unwrap().unwrap().as_str(), "two");
        keys.remove("other").unwrap();
        assert!(keys.load("other").unwrap().is_none());
        fs::set_permissions(keys.path("kid"), fs::Permissions::from_mode(0o640)).unwrap();
        let refused = keys.load("kid").unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
    }

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
