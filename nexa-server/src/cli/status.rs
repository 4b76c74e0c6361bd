//! `nexa status export`: key set, shards and revocation list in a folder, for a stick or a mirror.

mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use self::source::{DataSource, ServerSource, Source};
use super::data_folder::DataFolder;
use super::exit::{Exit, Failure};
use super::output::{remark, write_file};
use super::running_server::RunningServer;
use super::status_folder::{KEY_SET_FILE, LIST_FILE, shard_file, shard_folder};

#[derive(Args)]
pub(super) struct Status {
    #[command(subcommand)]
    command: StatusCommand,
}

#[derive(Subcommand)]
enum StatusCommand {
    /// Write the signed key set and all status shards of a data folder, also while a server runs on it, or of a running
    /// server on another machine.
    Export(Export),
}

#[derive(Args)]
struct Export {
    /// The folder to write to; what stands there of an earlier export is replaced, file by file.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    data: DataFolder,
    #[command(flatten)]
    server: RunningServer,
}

impl Status {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        match self.command {
            StatusCommand::Export(export) => export.run(),
        }
    }
}

impl Export {
    fn run(self) -> Result<Exit, Failure> {
        let count = match self.server.is_named() {
            true => export(&ServerSource(&self.server), &self.out)?,
            false => export(&DataSource::open(&self.data)?, &self.out)?,
        };
        remark(&format!("nexa: key set and {count} shards written"));
        Ok(Exit::Success)
    }
}

/// Writes the folder; answers how many shards it has. The key set is read and written last, so that it knows the keys of
/// all shards however they were replaced meanwhile.
fn export(source: &impl Source, out: &Path) -> Result<usize, Failure> {
    // A source without any key set leaves the folder as it is.
    source.key_set()?;
    let shards = shard_folder(out);
    let failed =
        |error: &dyn std::fmt::Display| Failure::Failed(format!("{}: {error}", shards.display()));
    fs::create_dir_all(&shards).map_err(|error| failed(&error))?;
    let mut written = BTreeSet::new();
    loop {
        let part = source.shards_after(written.last().copied())?;
        if part.is_empty() {
            break;
        }
        for (number, signed) in part {
            write_file(Some(&shard_file(out, number)), &signed)?;
            written.insert(number);
        }
    }
    write_file(Some(&out.join(LIST_FILE)), &source.list()?)?;
    write_file(Some(&out.join(KEY_SET_FILE)), &source.key_set()?)?;
    remove_others(out, &written).map_err(|error| failed(&error))?;
    Ok(written.len())
}

/// Removes the shards that an earlier export has left.
fn remove_others(out: &Path, written: &BTreeSet<u32>) -> std::io::Result<()> {
    let ours: BTreeSet<PathBuf> = (written.iter())
        .map(|number| shard_file(out, *number))
        .collect();
    for entry in fs::read_dir(shard_folder(out))? {
        let entry = entry?;
        let path = entry.path();
        let is_shard = path
            .extension()
            .is_some_and(|extension| extension == "shard");
        if is_shard && !ours.contains(&path) && !entry.file_type()?.is_dir() {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Whose key set is replaced while it is read.
    struct Rotating {
        reads: Cell<u32>,
        last_part: Cell<u32>,
        numbers: [u32; 2],
    }

    impl Rotating {
        fn new(numbers: [u32; 2]) -> Self {
            Self {
                reads: Cell::new(0),
                last_part: Cell::new(0),
                numbers,
            }
        }

        fn read(&self) -> u32 {
            self.reads.set(self.reads.get() + 1);
            self.reads.get()
        }
    }

    impl Source for Rotating {
        fn key_set(&self) -> Result<Vec<u8>, Failure> {
            Ok(self.read().to_string().into_bytes())
        }

        fn list(&self) -> Result<Vec<u8>, Failure> {
            self.last_part.set(self.read());
            Ok(b"[]".to_vec())
        }

        fn shards_after(&self, last: Option<u32>) -> Result<Vec<(u32, Vec<u8>)>, Failure> {
            self.last_part.set(self.read());
            let mut numbers = self.numbers.into_iter();
            let next = numbers.find(|number| last.is_none_or(|last| *number > last));
            match next {
                Some(13) => Err(Failure::failed("gone")),
                Some(number) => Ok(vec![(number, number.to_string().into_bytes())]),
                None => Ok(Vec::new()),
            }
        }
    }

    fn names(folder: &Path) -> BTreeSet<String> {
        let entries = fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }

    #[test]
    fn the_key_set_is_as_new_as_the_shards_and_no_other_shard_stays() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let shards = out.join("shards");
        let key_set = || -> u32 {
            let text = fs::read_to_string(out.join(KEY_SET_FILE)).unwrap();
            text.parse().unwrap()
        };
        let source = Rotating::new([0, 7]);
        assert_eq!(export(&source, &out).unwrap(), 2);
        assert!(key_set() > source.last_part.get());
        assert_eq!(
            names(&shards),
            ["0.shard", "7.shard"].map(String::from).into()
        );

        // What is cut off leaves the key set that knows what is there.
        let before = key_set();
        assert!(export(&Rotating::new([0, 13]), &out).is_err());
        assert_eq!((key_set(), names(&shards).len()), (before, 2));

        fs::write(shards.join("note.txt"), "mine").unwrap();
        assert_eq!(export(&Rotating::new([0, 9]), &out).unwrap(), 2);
        let left = ["0.shard", "9.shard", "note.txt"];
        assert_eq!(names(&shards), left.map(String::from).into());
    }
}
