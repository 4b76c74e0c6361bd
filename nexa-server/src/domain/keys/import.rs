//! Brings in keys that another program has issued, of which only a hash is known, and hands out the hashes of all.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use nexa_core::KeyDigest;
use rand_core::CryptoRng;

use super::super::audit::{self, Act, Origin};
use super::super::email::EmailAddress;
use super::super::error::Error;
use super::super::principal::Role;
use super::super::{fields, operators};
use super::terms::{KeyPolicy, KeyTerms};
use crate::store::api_keys::{self, ApiKey, ExportedKey};
use crate::store::leaked_values;
use crate::store::users::{self, User};
use crate::store::{Store, StoreError, Tx};
use crate::time::UnixMillis;

/// How a hash is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HashForm {
    Sha256Hex,
    Sha256Base64,
    Sha512Hex,
    Sha512Base64,
}

/// What another program has kept of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ForeignHash {
    Sha256([u8; 32]),
    Sha512([u8; 64]),
}

/// What is said of a key that another program has issued.
pub(crate) struct ForeignFields<'a> {
    pub(crate) form: HashForm,
    pub(crate) hash: &'a str,
    /// The id of the user whose key it is, or an address that is known to be the user's.
    pub(crate) owner: &'a str,
    pub(crate) name: &'a str,
    /// What is known of the key itself; may be empty.
    pub(crate) prefix: &'a str,
    pub(crate) scopes: Vec<String>,
    pub(crate) expires_at: Option<UnixMillis>,
    pub(crate) created_at: Option<UnixMillis>,
    pub(crate) terms: KeyTerms,
}

/// A key whose fields hold, as far as that can be said without its owner.
pub(crate) struct ForeignKey {
    hash: ForeignHash,
    owner: OwnerName,
    scopes: Vec<String>,
    /// Its tenant, its user and its scopes are its owner's to fill in.
    row: ApiKey,
}

/// What became of one of the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Imported {
    Added,
    /// The tenant has that key already.
    Known,
}

/// Whether keys are written, or only looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ImportMode {
    Write,
    Try,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum OwnerName {
    Id(String),
    /// In the form that addresses are compared by.
    Address(String),
}

/// Characters of a key that may be shown for good.
const PREFIX_MAX: usize = 16;

impl ForeignKey {
    /// # Errors
    /// `Invalid` naming the field.
    pub(crate) fn new(
        now: UnixMillis,
        rng: &mut dyn CryptoRng,
        fields: ForeignFields<'_>,
    ) -> Result<Self, Error> {
        let hash = fields.form.read(fields.hash)?;
        let created_at = fields.created_at.unwrap_or(now);
        if created_at > now {
            return Err(Error::invalid("created_at", "must not lie in the future"));
        }
        let name = fields::name("name", fields.name)?;
        let mut row = ApiKey {
            created_at,
            // One that is over already stays known as over.
            expires_at: fields.expires_at,
            ..super::unlimited(now, rng, name, prefix(fields.prefix)?)
        };
        fields.terms.apply(&mut row)?;
        Ok(Self {
            hash,
            owner: OwnerName::read(fields.owner)?,
            scopes: fields.scopes,
            row,
        })
    }
}

/// Adds keys, each if nothing is wrong with it; answers what became of each, in their order. A key that is refused is no
/// reason to refuse the others. In one transaction, so that their number has to be bounded.
///
/// # Errors
/// What the store cannot do; then none is added.
pub(crate) fn import(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    policy: &KeyPolicy,
    keys: Vec<ForeignKey>,
    mode: ImportMode,
) -> Result<Vec<Result<Imported, Error>>, Error> {
    let mut owners = HashMap::new();
    let mut tried = HashSet::new();
    let mut tenants = BTreeSet::new();
    let mut done = Vec::with_capacity(keys.len());
    for key in keys {
        let digest = key.hash.digest();
        let became = match admitted(tx, policy, &mut owners, &digest, &key) {
            Ok(Some(owned)) if mode == ImportMode::Write => {
                let row = ApiKey {
                    tenant_id: owned.tenant_id,
                    user_id: owned.user_id,
                    scopes: owned.scopes,
                    ..key.row
                };
                api_keys::insert_foreign(tx, &row, &digest.to_bytes(), key.hash.sha512())?;
                tenants.insert(row.tenant_id);
                Ok(Imported::Added)
            }
            Ok(Some(_)) if tried.insert(digest.to_bytes()) => Ok(Imported::Added),
            Ok(_) => Ok(Imported::Known),
            Err(error @ Error::Invalid { .. }) => Err(error),
            Err(error) => return Err(error),
        };
        done.push(became);
    }
    for tenant_id in &tenants {
        audit::record(tx, now, origin, Act::KeysImported, Some(tenant_id), None)?;
    }
    Ok(done)
}

/// Whose a key becomes, and what it may do.
struct Owned {
    tenant_id: String,
    user_id: String,
    scopes: String,
}

/// `None` for a key that its tenant has.
fn admitted(
    tx: &Tx<'_>,
    policy: &KeyPolicy,
    owners: &mut HashMap<OwnerName, Option<User>>,
    digest: &KeyDigest,
    key: &ForeignKey,
) -> Result<Option<Owned>, Error> {
    let owner = match owners.entry(key.owner.clone()) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(unknown) => unknown.insert(key.owner.find(tx)?),
    };
    let Some(owner) = owner else {
        return Err(Error::invalid("owner", key.owner.rule()));
    };
    let scopes = policy.granted(Role::parse(&owner.role)?, Some(&key.scopes))?;
    // An operator key is looked for first: as a tenant's it could never be used, and would shut the operator out.
    if operators::find(tx, digest)?.is_some() {
        return Err(Error::invalid("hash", "is that of an operator key"));
    }
    if leaked_values::contains(tx, &digest.to_bytes())? {
        return Err(Error::invalid("hash", "is that of a key that has leaked"));
    }
    match api_keys::tenant_of_value(tx, &digest.to_bytes())? {
        None => Ok(Some(Owned {
            tenant_id: owner.tenant_id.clone(),
            user_id: owner.id.clone(),
            scopes,
        })),
        Some(tenant_id) if tenant_id == owner.tenant_id => Ok(None),
        Some(_) => Err(Error::invalid("hash", "is that of another tenant's key")),
    }
}

/// Notes an export in the trail: of one tenant's keys, or of all.
pub(crate) fn record_export(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    tenant_id: Option<&str>,
) -> Result<(), Error> {
    audit::record(tx, now, origin, Act::KeysExported, tenant_id, None)
}

/// Keys with their hashes, page by page, in the order of their ids: of one tenant, or of all. A value that a rotation has
/// replaced is left out.
pub(crate) fn exported(
    store: &Store,
    tenant_id: Option<String>,
) -> impl Iterator<Item = Result<Vec<ExportedKey>, StoreError>> + Send + 'static {
    const PAGE: u32 = 500;
    let store = store.clone();
    let (mut last, mut has_ended) = (None::<String>, false);
    std::iter::from_fn(move || {
        if has_ended {
            return None;
        }
        let page =
            store.read(|tx| api_keys::export(tx, tenant_id.as_deref(), last.as_deref(), PAGE));
        match page.as_ref().map(|page| page.last()) {
            Ok(Some(exported)) => last = Some(exported.key.id.clone()),
            Ok(None) | Err(_) => has_ended = true,
        }
        Some(page)
    })
}

impl HashForm {
    /// What the key of a hash is found by, if that is one.
    pub(crate) fn digest(self, text: &str) -> Option<KeyDigest> {
        self.read(text).ok().map(|hash| hash.digest())
    }

    /// # Errors
    /// `Invalid` for `hash`.
    fn read(self, text: &str) -> Result<ForeignHash, Error> {
        let (hash, rule) = match self {
            Self::Sha256Hex => (
                hex(text).map(ForeignHash::Sha256),
                "must be 64 hexadecimal digits",
            ),
            Self::Sha256Base64 => (
                base64(text).map(ForeignHash::Sha256),
                "must be 32 bytes in base64",
            ),
            Self::Sha512Hex => (
                hex(text).map(ForeignHash::Sha512),
                "must be 128 hexadecimal digits",
            ),
            Self::Sha512Base64 => (
                base64(text).map(ForeignHash::Sha512),
                "must be 64 bytes in base64",
            ),
        };
        hash.ok_or_else(|| Error::invalid("hash", rule))
    }
}

impl ForeignHash {
    /// What the key is found by.
    fn digest(&self) -> KeyDigest {
        match self {
            Self::Sha256(hash) => KeyDigest::from_bytes(*hash),
            Self::Sha512(hash) => KeyDigest::from_sha512(hash),
        }
    }

    const fn sha512(&self) -> Option<&[u8; 64]> {
        match self {
            Self::Sha256(_) => None,
            Self::Sha512(hash) => Some(hash),
        }
    }
}

impl OwnerName {
    /// # Errors
    /// `Invalid` for `owner`.
    fn read(text: &str) -> Result<Self, Error> {
        if !text.contains('@') {
            return Ok(Self::Id(text.to_owned()));
        }
        match EmailAddress::parse(text) {
            Ok(address) => Ok(Self::Address(address.normal)),
            Err(Error::Invalid { rule, .. }) => Err(Error::invalid("owner", rule)),
            Err(error) => Err(error),
        }
    }

    fn find(&self, tx: &Tx<'_>) -> Result<Option<User>, Error> {
        let found = match self {
            Self::Id(id) => users::find(tx, id)?,
            // Anybody can register with an address that is not theirs, and must not get the keys of whose it is.
            Self::Address(normal) => {
                users::find_by_email(tx, normal)?.filter(|user| user.email_verified_at.is_some())
            }
        };
        Ok(found.filter(|user| user.is_active))
    }

    const fn rule(&self) -> &'static str {
        match self {
            Self::Id(_) => "no active user has that id",
            Self::Address(_) => "no active user is known to read that address",
        }
    }
}

/// # Errors
/// `Invalid` for `prefix`.
fn prefix(text: &str) -> Result<String, Error> {
    if text.len() > PREFIX_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::invalid(
            "prefix",
            format!("at most {PREFIX_MAX} visible ASCII characters"),
        ));
    }
    // RFC 7515: the beginning of every compact JWS whose header is an object.
    if text.starts_with("eyJ") {
        return Err(Error::invalid(
            "prefix",
            "must not begin with eyJ: what has the shape of a token is never looked up as a key",
        ));
    }
    Ok(text.to_owned())
}

fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

/// Of either alphabet (RFC 4648 §4 and §5), with padding or without.
fn base64<const N: usize>(text: &str) -> Option<[u8; N]> {
    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    const EITHER: [GeneralPurpose; 2] = [
        GeneralPurpose::new(&STANDARD, LENIENT),
        GeneralPurpose::new(&URL_SAFE, LENIENT),
    ];
    let bytes = EITHER.iter().find_map(|engine| engine.decode(text).ok())?;
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_has_one_length_and_either_alphabet() {
        let hash = |byte| ForeignHash::Sha256([byte; 32]);
        let read = |form: HashForm, text: &str| form.read(text).map_err(|error| error.to_string());
        assert_eq!(read(HashForm::Sha256Hex, &"aB".repeat(32)), Ok(hash(0xab)));
        let plus = format!("{}8=", "+".repeat(42));
        let dash = format!("{}8", "-".repeat(42));
        assert_eq!(
            read(HashForm::Sha256Base64, &plus),
            read(HashForm::Sha256Base64, &dash)
        );
        assert!(read(HashForm::Sha256Base64, &plus).is_ok());
        for (form, text, rule) in [
            (
                HashForm::Sha256Hex,
                "ab".repeat(64),
                "hash: must be 64 hexadecimal digits",
            ),
            (
                HashForm::Sha256Hex,
                format!("{}g", "a".repeat(63)),
                "hash: must be 64 hexadecimal digits",
            ),
            (
                HashForm::Sha256Hex,
                format!("{}é", "a".repeat(62)),
                "hash: must be 64 hexadecimal digits",
            ),
            (
                HashForm::Sha256Base64,
                "ab".repeat(32),
                "hash: must be 32 bytes in base64",
            ),
            (
                HashForm::Sha512Hex,
                "ab".repeat(32),
                "hash: must be 128 hexadecimal digits",
            ),
            (
                HashForm::Sha512Base64,
                plus,
                "hash: must be 64 bytes in base64",
            ),
        ] {
            assert_eq!(read(form, &text), Err(rule.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_prefix_shows_little_and_is_no_tokens() {
        for good in ["", "acme_live_", "sk_live_51Habcde"] {
            assert!(prefix(good).is_ok(), "{good}");
        }
        for bad in ["sk_live_51Habcdef", "a b", "é", "eyJ", "eyJhbGci"] {
            assert!(prefix(bad).is_err(), "{bad}");
        }
    }
}
