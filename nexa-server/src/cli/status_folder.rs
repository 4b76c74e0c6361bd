//! A folder that `nexa status export` has written: a signed key set, and status shards beside it.
//!
//! ```text
//! keyset.nexa         the key set, under the signature of the root key
//! shards/17.shard     the status shard of that number, under the signature of a status key of the key set
//! revocations.json    the published list, for clients that read nothing else
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use nexa_core::{
    KeySet, KeyUse, RevocationStatus, Revocations, SignedKeySet, StatusRef, StatusShard,
};

use super::exit::Failure;
use super::input::read_file;
use super::license_verify::read_keys;
use super::output::remark;

/// The name of the key set's file.
pub(super) const KEY_SET_FILE: &str = "keyset.nexa";

/// The name of the published list's file.
pub(super) const LIST_FILE: &str = "revocations.json";

/// Where the shard of that number stands.
pub(super) fn shard_file(folder: &Path, number: u32) -> PathBuf {
    folder.join("shards").join(format!("{number}.shard"))
}

/// Keys and revocation data, each as good as its signature.
pub(super) struct StatusFolder {
    folder: PathBuf,
    issuer: String,
    keys: KeySet,
    status_keys: Option<KeySet>,
}

impl StatusFolder {
    /// Reads the key set of a folder under the root key in the file `root`.
    pub(super) fn open(folder: &Path, root: &Path, issuer: &str) -> Result<Self, Failure> {
        let path = folder.join(KEY_SET_FILE);
        let refused = |problem: &dyn std::fmt::Display| {
            Failure::Usage(format!("{}: {problem}", path.display()))
        };
        let roots = read_keys(root)?;
        let root = match roots.iter().collect::<Vec<_>>()[..] {
            [root] => root,
            _ => return Err(Failure::usage("--root: one key is wanted")),
        };
        let bytes = read_file(&path)?;
        let key_set = SignedKeySet::open(&bytes, root, issuer).map_err(|error| refused(&error))?;
        Ok(Self {
            folder: folder.to_owned(),
            issuer: issuer.to_owned(),
            keys: key_set
                .keys(KeyUse::License)
                .ok_or_else(|| refused(&"it holds no key for licences"))?,
            status_keys: key_set.keys(KeyUse::Status),
        })
    }

    /// The keys that may have signed a licence.
    pub(super) const fn keys(&self) -> &KeySet {
        &self.keys
    }
}

/// What does not stand in the folder, or not under a good signature, says nothing; the second is remarked on.
impl Revocations for StatusFolder {
    fn lookup(&self, jti: &str, status: Option<&StatusRef<'_>>) -> RevocationStatus {
        let (Some(number), Some(keys)) = (status.and_then(StatusRef::shard), &self.status_keys)
        else {
            return RevocationStatus::NoData;
        };
        let path = shard_file(&self.folder, number);
        let Ok(bytes) = fs::read(&path) else {
            return RevocationStatus::NoData;
        };
        match StatusShard::open(&bytes, keys, &self.issuer) {
            Ok(shard) => shard.lookup(jti, status),
            Err(error) => {
                remark(&format!("nexa: {}: {error}", path.display()));
                RevocationStatus::NoData
            }
        }
    }
}
