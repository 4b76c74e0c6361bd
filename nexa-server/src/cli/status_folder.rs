//! A folder that `nexa status export` has written: a signed key set, and status shards beside it.
//!
//! ```text
//! keyset.nexa         the key set, under the signature of the root key
//! shards/17.shard     the status shard of that number, under the signature of a status key of the key set
//! revocations.json    the published list, for clients that read nothing else
//! ```

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use nexa_core::{
    KeySet, KeyUse, RevocationStatus, Revocations, SignedKeySet, StatusRef, StatusShard,
};

use super::exit::Failure;
use super::input::read_document;
use super::license_verify::read_keys;
use super::output::remark;

/// The name of the key set's file.
pub(super) const KEY_SET_FILE: &str = "keyset.nexa";

/// The name of the published list's file.
pub(super) const LIST_FILE: &str = "revocations.json";

/// Where the shards stand.
pub(super) fn shard_folder(folder: &Path) -> PathBuf {
    folder.join("shards")
}

/// Where the shard of that number stands.
pub(super) fn shard_file(folder: &Path, number: u32) -> PathBuf {
    shard_folder(folder).join(format!("{number}.shard"))
}

/// Keys and revocation data, each as good as its signature.
pub(super) struct StatusFolder {
    folder: PathBuf,
    issuer: String,
    keys: KeySet,
    status_keys: Option<KeySet>,
    has_failed: AtomicBool,
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
        let bytes = read_document(&path)?;
        let key_set = SignedKeySet::open(&bytes, root, issuer).map_err(|error| refused(&error))?;
        Ok(Self {
            folder: folder.to_owned(),
            issuer: issuer.to_owned(),
            keys: key_set
                .keys(KeyUse::License)
                .ok_or_else(|| refused(&"it holds no key for licences"))?,
            status_keys: key_set.keys(KeyUse::Status),
            has_failed: AtomicBool::new(false),
        })
    }

    /// The keys that may have signed a licence.
    pub(super) const fn keys(&self) -> &KeySet {
        &self.keys
    }

    /// Whether some licence names a shard that the folder does not hold under a good signature: nothing is known of its
    /// revocation then, and a folder that lacks a file must not pass for one that clears it.
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }

    fn shard_says(&self, jti: &str, status: &StatusRef<'_>) -> Result<RevocationStatus, String> {
        let number = (status.shard())
            .ok_or_else(|| format!("{:?} is no status shard of this kind", status.uri))?;
        let path = shard_file(&self.folder, number);
        let refused = |problem: &dyn std::fmt::Display| format!("{}: {problem}", path.display());
        let keys = (self.status_keys.as_ref())
            .ok_or_else(|| format!("{KEY_SET_FILE} holds no key for status"))?;
        let bytes = read_document(&path).map_err(|failure| failure.to_string())?;
        let shard =
            StatusShard::open(&bytes, keys, &self.issuer).map_err(|error| refused(&error))?;
        match shard.lookup(jti, Some(status)) {
            RevocationStatus::NoData | RevocationStatus::NotChecked => {
                Err(refused(&format!("it is shard {}", shard.number())))
            }
            known @ (RevocationStatus::NotRevoked { .. } | RevocationStatus::Revoked { .. }) => {
                Ok(known)
            }
        }
    }
}

/// What says nothing is remarked on.
impl Revocations for StatusFolder {
    fn lookup(&self, jti: &str, status: Option<&StatusRef<'_>>) -> RevocationStatus {
        let Some(status) = status else {
            remark(&format!(
                "nexa: licence {jti:?} names no status shard: its revocation is not published in one"
            ));
            return RevocationStatus::NoData;
        };
        self.shard_says(jti, status).unwrap_or_else(|problem| {
            self.has_failed.store(true, Ordering::Relaxed);
            remark(&format!(
                "nexa: whether licence {jti:?} was revoked is unknown: {problem}"
            ));
            RevocationStatus::NoData
        })
    }
}

#[cfg(test)]
mod tests {
    use nexa_core::{NewShard, UnixSeconds};

    use super::*;
    use crate::testing::{ISSUER, seeded_key};

    #[test]
    fn only_the_named_shard_clears_a_licence() {
        let scratch = tempfile::tempdir().unwrap();
        let key = seeded_key(1);
        let keys = KeySet::from_keys(&[key.verification_key()]).unwrap();
        let at = |seconds| UnixSeconds::new(seconds).unwrap();
        let shard = NewShard {
            number: 0,
            seq: 1,
            this_update: at(1_000),
            next_update: at(2_000),
            revoked: &[5],
        };
        let signed = shard.sign(&key, ISSUER).unwrap();
        std::fs::create_dir(shard_folder(scratch.path())).unwrap();
        for number in [0, 7] {
            std::fs::write(shard_file(scratch.path(), number), &signed).unwrap();
        }
        let not_revoked = RevocationStatus::NotRevoked {
            as_of: Some(at(1_000)),
        };
        let revoked = RevocationStatus::Revoked { at: at(1_000) };
        for (place, status_keys, known, has_failed) in [
            (Some((4, "0")), Some(&keys), not_revoked, false),
            (Some((5, "0")), Some(&keys), revoked, false),
            (Some((5, "0")), None, RevocationStatus::NoData, true),
            (Some((4, "7")), Some(&keys), RevocationStatus::NoData, true),
            (Some((4, "8")), Some(&keys), RevocationStatus::NoData, true),
            (Some((4, "x")), Some(&keys), RevocationStatus::NoData, true),
            // Nobody published anything of it in a shard.
            (None, Some(&keys), RevocationStatus::NoData, false),
        ] {
            let folder = StatusFolder {
                folder: scratch.path().to_owned(),
                issuer: ISSUER.to_owned(),
                keys: keys.clone(),
                status_keys: status_keys.cloned(),
                has_failed: AtomicBool::new(false),
            };
            let uri = place.map(|(_, name)| format!("{ISSUER}/api/licenses/status/{name}"));
            let status = place
                .zip(uri.as_deref())
                .map(|((index, _), uri)| StatusRef { index, uri });
            let found = folder.lookup("jti", status.as_ref());
            assert_eq!(
                (found, folder.has_failed()),
                (known, has_failed),
                "{place:?}"
            );
        }
    }
}
