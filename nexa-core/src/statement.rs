//! What is signed of a document that is no token: its kind, its issuer and its bytes, in a fixed number of bytes.
use sha2::{Digest as _, Sha256};

/// A kind of document.
///
/// No compact JWS holds a blank or a NUL where these have them, and no two are alike, so a signature over one kind passes
/// as no other's.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// A status shard.
    StatusShard,
    /// A key set.
    KeySet,
}

const STATEMENT_BYTES: usize = 24 + 32 + 32;

/// The kind's prefix, then the SHA-256 of the issuer's URL and the SHA-256 of the document.
///
/// The issuer stands under the signature and not in the document: a document of one issuer never passes as another's, even
/// where both use one key.
pub(crate) fn statement(kind: Kind, issuer: &str, document: &[u8]) -> [u8; STATEMENT_BYTES] {
    let prefix: &[u8; 24] = match kind {
        Kind::StatusShard => b"nexa status shard 1\0\0\0\0\0",
        Kind::KeySet => b"nexa key set 1\0\0\0\0\0\0\0\0\0\0",
    };
    let issuer = Sha256::digest(issuer);
    let document = Sha256::digest(document);
    let mut statement = [0; STATEMENT_BYTES];
    let parts = prefix.iter().chain(&issuer).chain(&document);
    for (place, byte) in statement.iter_mut().zip(parts) {
        *place = *byte;
    }
    statement
}
