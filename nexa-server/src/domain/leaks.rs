//! Keys and secrets that were found where others can read them: each is dead at once, and whose it was is told.

use nexa_core::KeyDigest;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};

use super::agents;
use super::audit::Origin;
use super::error::Error;
use super::key_cache::Weakened;
use super::keys::{self, Presented};
use super::operators;
use crate::store::Tx;
use crate::store::agents as agent_rows;
use crate::store::leaked_values;
use crate::time::UnixMillis;

/// A key by which the reports of a scanner are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReportKey {
    pub(crate) identifier: String,
    /// On the curve P-256, uncompressed.
    pub(crate) point: Vec<u8>,
}

/// What something that was found is to this server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A value of a tenant's key, by all digests under which that value may be known: each may have been imported.
    Key(Vec<KeyDigest>),
    /// The secret of the agent of that tenant.
    Secret {
        tenant_id: String,
        digest: KeyDigest,
    },
    Operator {
        key_id: String,
        digest: KeyDigest,
    },
    /// It was one of these, until it was found the first time.
    Before,
}

impl ReportKey {
    /// Whether a report was signed with this key: ECDSA with SHA-256, the signature in ASN.1 DER.
    pub(crate) fn has_signed(&self, report: &[u8], signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.point);
        key.verify(report, signature).is_ok()
    }
}

/// What it is that was found; `None` for nothing of this server.
pub(crate) fn classify(tx: &Tx<'_>, found: Presented<'_>) -> Result<Option<Found>, Error> {
    let digest = *found.digest();
    if let Some(key_id) = operators::find(tx, &digest)? {
        return Ok(Some(Found::Operator { key_id, digest }));
    }
    if let Some(tenant_id) = agent_rows::tenant_of_secret(tx, &digest.to_bytes())? {
        return Ok(Some(Found::Secret { tenant_id, digest }));
    }
    let digests: Vec<KeyDigest> = found.digests().collect();
    let mut has_leaked = false;
    for digest in &digests {
        if keys::matching(tx, digest)?.is_some() {
            return Ok(Some(Found::Key(digests)));
        }
        has_leaked |= leaked_values::contains(tx, &digest.to_bytes())?;
    }
    Ok(has_leaked.then_some(Found::Before))
}

/// Ends keys and secrets that were found, each with the URL where it was. What has ended meanwhile stays as it is.
pub(crate) fn end(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    found: &[(Found, Option<String>)],
) -> Result<((), Weakened), Error> {
    let mut values = Vec::new();
    for (found, url) in found {
        match found {
            Found::Key(digests) => {
                for digest in digests {
                    leaked_values::insert(tx, now, &digest.to_bytes())?;
                    let url = url.as_deref();
                    values.extend(keys::end_leaked(tx, now, origin, digest, url)?);
                }
            }
            Found::Secret { tenant_id, digest } => {
                let url = url.as_deref();
                agents::end_leaked_secret(tx, now, origin, tenant_id, digest, url)?;
            }
            Found::Operator { .. } | Found::Before => {}
        }
    }
    Ok(((), Weakened::Values(values)))
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    /// What GitHub documents for its partner programme, in its present and in an earlier version: identifier, key (in PEM
    /// without its frame), signature and body.
    const DOCUMENTED: [(&str, &str, &str); 2] = [
        (
            "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYAGMWO8XgCamYKMJS6jc/qgvSlAdAjPuDPRcXU22YxgBrz+zoN19MzuRyW87qEt9/AmtoNP5GrobzUvQSyJFVw==",
            "MEQCIQDaMKqrGnE27S0kgMrEK0eYBmyG0LeZismAEz/BgZyt7AIfXt9fErtRS4XaeSt/AO1RtBY66YcAdjxji410VQV4xg==",
            r#"[{"source":"commit","token":"some_token","type":"some_type","url":"https://example.com/base-repo-url/"}]"#,
        ),
        (
            "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEsz9ugWDj5jK5ELBK42ynytbo38gPHzZFI03Exwz8Lh/tCfL3YxwMdLjB+bMznsanlhK0RwcGP3IDb34kQDIo3Q==",
            "MEUCIFLZzeK++IhS+y276SRk2Pe5LfDrfvTXu6iwKKcFGCrvAiEAhHN2kDOhy2I6eGkOFmxNkOJ+L2y8oQ9A2T9GGJo6WJY=",
            r#"[{"token":"some_token","type":"some_type","url":"some_url","source":"some_source"}]"#,
        ),
    ];

    #[test]
    fn the_documented_examples_hold_and_nothing_beside_them_does() {
        let decoded = |text| STANDARD.decode(text).unwrap();
        for (place, (key, signature, body)) in DOCUMENTED.into_iter().enumerate() {
            let key = ReportKey {
                identifier: String::new(),
                point: decoded(key)[26..].to_vec(),
            };
            let signature = decoded(signature);
            assert!(key.has_signed(body.as_bytes(), &signature));
            assert!(!key.has_signed(format!("{body} ").as_bytes(), &signature));
            assert!(!key.has_signed(body.as_bytes(), &signature[1..]));
            assert!(!key.has_signed(body.as_bytes(), b""));
            let (_, other, _) = DOCUMENTED[1 - place];
            assert!(!key.has_signed(body.as_bytes(), &decoded(other)));
        }
    }
}
