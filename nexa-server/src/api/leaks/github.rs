//! `POST /api/leaks/github`: GitHub's secret scanning partner programme.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nexa_core::KeyDigest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::route::Cx;
use crate::domain::Error;
use crate::domain::keys::Presented;
use crate::domain::leaks::{self, Found};
use crate::domain::operators;
use crate::domain::principal::Principal;
use crate::http::pick;
use crate::http::raw_body::RawBody;
use crate::http::reply::{Ok200, Secret};

/// Something that looks like one of our keys.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Match {
    token: String,
    /// What the scanner calls such tokens.
    #[serde(rename = "type")]
    kind: String,
    /// Where it stands; may be empty.
    #[serde(default)]
    url: Option<String>,
}

/// What is to be said of it.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Feedback {
    token_raw: String,
    token_type: String,
    label: Label,
}

#[derive(Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Label {
    /// It was a key of this server, or is the only operator key and still is one.
    TruePositive,
    FalsePositive,
}

/// Matches in one transaction.
const CHUNK: usize = 200;

/// Ends what is ours before it answers; the same report again has the same answer and no other effect.
pub(crate) fn report(
    cx: &mut Cx<'_>,
    body: RawBody<Vec<Match>>,
) -> Result<Secret<Ok200<Vec<Feedback>>>, Error> {
    require_signature(cx, body.bytes())?;
    let matches = body
        .read()
        .map_err(|problem| Error::invalid("body", problem))?;
    // Nobody has logged in: the server itself acts on what it was told.
    cx.origin.principal = Principal::Machine;
    let mut seen = HashSet::new();
    let matches: Vec<Match> = matches
        .into_iter()
        .filter(|found| seen.insert((KeyDigest::of(found.token.as_bytes()), found.kind.clone())))
        .collect();
    let mut feedback = Vec::with_capacity(matches.len());
    for chunk in matches.chunks(CHUNK) {
        let known = cx.read(|tx| {
            let chunk = chunk.iter();
            let known = chunk.map(|found| leaks::classify(tx, Presented::new(&found.token)));
            known.collect::<Result<Vec<_>, _>>()
        })?;
        let labels = known.iter().map(|known| match known {
            Some(_) => Label::TruePositive,
            None => Label::FalsePositive,
        });
        feedback.extend(chunk.iter().zip(labels).map(|(found, label)| Feedback {
            token_raw: found.token.clone(),
            token_type: found.kind.clone(),
            label,
        }));
        let urls = chunk.iter().map(|found| url(found.url.as_deref()));
        end(cx, known.into_iter().zip(urls))?;
    }
    cx.wake_mail();
    Ok(Secret(Ok200(feedback)))
}

/// Ends what is this server's, and drops it from memory.
fn end(
    cx: &Cx<'_>,
    known: impl Iterator<Item = (Option<Found>, Option<String>)>,
) -> Result<(), Error> {
    let mut live = Vec::new();
    for (known, url) in known {
        match known {
            Some(Found::Operator { key_id, digest }) => {
                let id = key_id.clone();
                let has_ended = cx.weaken(move |tx, now, origin| {
                    operators::end_leaked(tx, now, origin, &id, &digest)
                })?;
                tracing::error!(
                    key_id,
                    url,
                    has_ended,
                    "an operator key was found where others can read it; the only one stays, until another is made"
                );
            }
            Some(known @ (Found::Key(_) | Found::Secret { .. })) => live.push((known, url)),
            Some(Found::Before) | None => {}
        }
    }
    if live.is_empty() {
        return Ok(());
    }
    let count = live.len();
    cx.weaken(move |tx, now, origin| leaks::end(tx, now, origin, &live))?;
    tracing::warn!(
        count,
        "keys were found where others can read them, and are dead"
    );
    Ok(())
}

/// That one of the configured keys has signed the body.
fn require_signature(cx: &Cx<'_>, body: &[u8]) -> Result<(), Error> {
    const IDENTIFIER: &str = "Github-Public-Key-Identifier";
    const SIGNATURE: &str = "Github-Public-Key-Signature";
    const UNSIGNED: Error = Error::Forbidden {
        rule: "The report is not signed with a key that this server knows",
    };
    let [identifier, signature] = pick(
        &cx.head.headers,
        [
            "github-public-key-identifier",
            "github-public-key-signature",
        ],
    )
    .map_err(|_| Error::invalid(IDENTIFIER, "must stand once, and so must the signature"))?;
    let identifier = identifier.ok_or_else(|| Error::invalid(IDENTIFIER, "required"))?;
    let signature = signature.ok_or_else(|| Error::invalid(SIGNATURE, "required"))?;
    let keys = &cx.services.leak_report_keys;
    if keys.is_empty() {
        return Err(Error::NotConfigured {
            what: "Reports of leaks",
        });
    }
    let key = keys
        .iter()
        .find(|key| key.identifier.as_bytes() == identifier.as_bytes());
    let signature = STANDARD.decode(signature.as_bytes());
    match (key, signature) {
        (Some(key), Ok(signature)) if key.has_signed(body, &signature) => Ok(()),
        _ => Err(UNSIGNED),
    }
}

/// A URL that can be shown; a scanner may leave it out.
fn url(text: Option<&str>) -> Option<String> {
    const BYTES_MAX: usize = 2_000;
    let text = text?;
    let is_shown = text.len() <= BYTES_MAX
        && text.starts_with("https://")
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_shown.then(|| text.to_owned())
}
