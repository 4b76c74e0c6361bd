//! The data folder: made private, owned by one process.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

use super::error::OpenError;

const LOCK_FILE: &str = "nexa.lock";

/// The ownership of a data folder. It ends when this is dropped or the process dies, however it dies.
#[derive(Debug)]
pub(super) struct FolderLock {
    /// Held for its lock. A file of its own: closing any descriptor of the database file would drop SQLite's locks.
    file: File,
}

impl FolderLock {
    /// Takes the folder, making it (mode 0700) where it is missing.
    ///
    /// # Errors
    /// [`OpenError::InUse`] if it has an owner, [`OpenError::Io`] otherwise.
    pub(super) fn take(folder: &Path) -> Result<FolderLock, OpenError> {
        create_folder(folder).map_err(at(folder))?;
        let path = folder.join(LOCK_FILE);
        let file = private(OpenOptions::new().create(true).truncate(false).write(true))
            .open(&path)
            .map_err(at(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(FolderLock { file }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse {
                folder: folder.to_owned(),
            }),
            Err(TryLockError::Error(source)) => Err(OpenError::Io { path, source }),
        }
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Closing the file is not enough: a process that is just being started still holds a copy of it.
        // Should this fail, closing will have to do.
        let _ = self.file.unlock();
    }
}

/// Makes `path` as an empty file of mode 0600 that survives a power cut, or gives an existing one that mode.
/// SQLite hands the mode of the database on to its log and its index.
///
/// # Errors
/// Whatever the file system answers.
pub(super) fn create_private_file(path: &Path) -> io::Result<()> {
    match create_new_private_file(path) {
        Ok(file) => {
            file.sync_all()?;
            sync_folder_of(path)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => make_private(path),
        Err(error) => Err(error),
    }
}

/// Makes `path` as an empty file of mode 0600; fails if there is one.
///
/// # Errors
/// Whatever the file system answers.
pub(super) fn create_new_private_file(path: &Path) -> io::Result<File> {
    private(OpenOptions::new().create_new(true).write(true)).open(path)
}

/// Makes the names in the folder of `path` survive a power cut.
///
/// # Errors
/// Whatever the file system answers.
pub(super) fn sync_folder_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        // Windows cannot sync a folder and does not need to.
        Some(folder) if cfg!(unix) => File::open(folder)?.sync_all(),
        Some(_) | None => Ok(()),
    }
}

/// A path as an open error.
pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path: PathBuf = path.to_owned();
    move |source| OpenError::Io { path, source }
}

fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    sync_folder_of(folder)
}

#[cfg_attr(
    not(unix),
    expect(clippy::needless_pass_by_ref_mut, reason = "only Unix has modes")
)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

#[cfg(unix)]
fn make_private(path: &Path) -> io::Result<()> {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(path, mode)
}

#[cfg(not(unix))]
fn make_private(path: &Path) -> io::Result<()> {
    fs::metadata(path).map(drop)
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_second_owner_is_refused_until_the_first_is_gone() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("a/b");
        let first = FolderLock::take(&folder).unwrap();
        match FolderLock::take(&folder) {
            Err(OpenError::InUse { folder: named }) => assert_eq!(named, folder),
            other => panic!("{other:?}"),
        }
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&folder.join(LOCK_FILE)), 0o600);
        drop(first);
        FolderLock::take(&folder).unwrap();
    }

    #[test]
    fn files_are_private_even_if_they_were_not() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("nexa.db");
        fs::write(&path, b"").unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        create_private_file(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
        assert!(create_new_private_file(&path).is_err());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("file");
        fs::write(&file, b"").unwrap();
        match FolderLock::take(&file.join("folder")) {
            Err(OpenError::Io { path, .. }) => assert_eq!(path, file.join("folder")),
            other => panic!("{other:?}"),
        }
    }
}
