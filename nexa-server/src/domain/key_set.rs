//! The published key set: which keys of this server are for what, as its root key signed it.

use nexa_core::{
    KeySetEntry, KeyUse, NewKeySet, SignedKeySet, SigningKey, UnixSeconds, VerificationKey,
};

use super::error::Error;
use crate::store::key_sets::{self, KeySetRow};
use crate::store::{Store, Tx};
use crate::time::UnixMillis;

/// The keys that a key set is to hold.
pub(crate) struct Keys {
    pub(crate) license: VerificationKey,
    pub(crate) status: VerificationKey,
    pub(crate) audit: VerificationKey,
}

/// What is published.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    pub(crate) seq: u64,
    pub(crate) signed: Vec<u8>,
    /// Whether it holds the keys of this server, for its public URL.
    pub(crate) is_current: bool,
}

impl Keys {
    /// Each from the beginning of time: what they signed before there was a key set counts too.
    fn entries(&self) -> [KeySetEntry; 3] {
        let always = |key_use, key: &VerificationKey| KeySetEntry {
            key_use,
            key: key.clone(),
            not_before: UnixSeconds::EPOCH,
            not_after: None,
        };
        [
            always(KeyUse::License, &self.license),
            always(KeyUse::Status, &self.status),
            always(KeyUse::Audit, &self.audit),
        ]
    }
}

/// The key set of these keys for this issuer: the newest one, if it says just that, else one that is made and kept now.
/// Without a root key, which is kept elsewhere then, the newest one stays, and says that it is not current.
///
/// # Errors
/// `Invalid` for `root_key` when it is another than the one that clients may have embedded.
pub(crate) fn publish(
    store: &Store,
    now: UnixMillis,
    root: Option<&SigningKey>,
    issuer: &str,
    keys: &Keys,
) -> Result<Published, Error> {
    let newest = store.read(|tx| Ok::<_, Error>(key_sets::newest(tx)?))?;
    let entries = keys.entries();
    if let Some(newest) = &newest {
        let recorded = VerificationKey::from_bytes(&newest.root)
            .map_err(|error| Error::Fault(format!("recorded root key: {error}")))?;
        if let Some(key) = root
            && key.verification_key() != recorded
        {
            return Err(Error::invalid(
                "root_key",
                format!(
                    "is {}, and not {}, which clients may have embedded",
                    key.kid(),
                    recorded.kid()
                ),
            ));
        }
        let is_current = SignedKeySet::open(&newest.signed, &recorded, issuer)
            .is_ok_and(|set| set.contents().keys().eq(entries.iter().cloned()));
        if is_current || root.is_none() {
            return Ok(Published {
                seq: newest.seq,
                signed: newest.signed.clone(),
                is_current,
            });
        }
    }
    let Some(root) = root else {
        return Err(Error::Fault("no root key was ever recorded".to_owned()));
    };
    let now_s = now.seconds().get();
    let seq = newest.map_or(now_s, |newest| now_s.max(newest.seq + 1));
    let new = NewKeySet {
        seq,
        issued_at: now.seconds(),
        keys: &entries,
        revoked: &[],
    };
    let signed = new
        .sign(root, issuer)
        .map_err(|error| Error::Fault(format!("key set: {error}")))?;
    let row = KeySetRow {
        seq,
        root: root.verification_key().to_bytes(),
        signed: signed.clone(),
        made_at_s: now_s,
    };
    store.write(move |tx| Ok::<_, Error>(key_sets::insert(tx, &row)?))?;
    Ok(Published {
        seq,
        signed,
        is_current: true,
    })
}

/// Whether a root key was ever recorded.
pub(crate) fn has_root(tx: &Tx<'_>) -> Result<bool, Error> {
    Ok(key_sets::newest(tx)?.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MIGRATIONS;
    use crate::testing::SeededRng;

    fn key(seed: u64) -> SigningKey {
        SigningKey::generate(&mut SeededRng::new(seed))
    }

    fn keys(seeds: [u64; 3]) -> Keys {
        let [license, status, audit] = seeds.map(|seed| key(seed).verification_key());
        Keys {
            license,
            status,
            audit,
        }
    }

    #[test]
    fn a_key_set_is_made_when_what_it_says_changes_and_only_then() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), MIGRATIONS).unwrap();
        let at = |seconds| UnixMillis::from_ms(1_800_000_000_000).plus_seconds(seconds);
        let publish =
            |seconds, root, issuer, keys| publish(&store, at(seconds), root, issuer, keys);
        let root = key(1);
        let here = || Some(&root);
        let (first, other) = (keys([2, 3, 4]), keys([2, 5, 4]));
        let made = publish(0, here(), "https://a.example", &first).unwrap();
        assert_eq!(made.seq, 1_800_000_000);
        let set = SignedKeySet::open(
            &made.signed,
            &key(1).verification_key(),
            "https://a.example",
        );
        let set = set.unwrap();
        assert!(
            set.keys(KeyUse::License)
                .unwrap()
                .find(key(2).kid())
                .is_some()
        );
        assert!(
            set.keys(KeyUse::Status)
                .unwrap()
                .find(key(3).kid())
                .is_some()
        );
        assert!(
            set.keys(KeyUse::License)
                .unwrap()
                .find(key(3).kid())
                .is_none()
        );

        let again = publish(60, here(), "https://a.example", &first).unwrap();
        assert_eq!((again.seq, &again.signed), (made.seq, &made.signed));
        let away = publish(61, None, "https://a.example", &first).unwrap();
        assert_eq!(away.seq, made.seq);

        // A clock that went back does not take the version along.
        let newer = publish(-9, here(), "https://a.example", &other).unwrap();
        assert_eq!(newer.seq, made.seq + 1);
        let moved = publish(70, here(), "https://b.example", &other).unwrap();
        assert_eq!(moved.seq, 1_800_000_070);

        // Without the root key the newest one stays, and says so.
        for (issuer, keys) in [("https://b.example", &first), ("https://c.example", &other)] {
            let stays = publish(80, None, issuer, keys).unwrap();
            assert_eq!((stays.seq, stays.is_current), (moved.seq, false));
        }
        let refused = publish(80, Some(&key(9)), "https://b.example", &other);
        assert!(matches!(refused, Err(Error::Invalid { .. })), "{refused:?}");
    }
}
