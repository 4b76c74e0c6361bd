//! Issuers whose identity tokens are taken here, and what each of their subjects may have for one.

use std::fmt;

use nexa_core::{Scope, ScopeSet};
use sha2::{Digest, Sha256};

use super::identity::Claimed;
use crate::time::UnixMillis;

/// An OpenID issuer that the operator trusts.
#[derive(Clone, Debug)]
pub(crate) struct TrustedIssuer {
    /// `iss`, byte for byte; visible ASCII, at most [`TrustedIssuer::BYTES_MAX`].
    pub(crate) issuer: String,
    /// `aud`, byte for byte.
    pub(crate) audience: String,
    /// At least one.
    pub(crate) algorithms: Vec<Algorithm>,
    /// How far its clock and ours may be apart.
    pub(crate) leeway_s: u64,
    /// How long ago a token may have been issued, whenever it expires.
    pub(crate) max_age_s: u64,
    pub(crate) not_before: NotBefore,
    /// The first that a subject matches decides.
    pub(crate) subjects: Vec<SubjectRule>,
}

/// How a token is signed: fixed by the configuration and by the kind of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 §3.3).
    Rs256,
    /// ECDSA on P-256 with SHA-256 (RFC 7518 §3.4).
    Es256,
}

/// Whether `nbf` may be left out; what is there holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotBefore {
    Required,
    Optional,
}

/// What tokens of a subject are exchanged for.
#[derive(Clone, Debug)]
pub(crate) struct SubjectRule {
    pub(crate) pattern: SubjectPattern,
    pub(crate) tenant_id: String,
    /// What a token may do at most; at least one, at most [`SubjectRule::SCOPES_MAX`].
    pub(crate) scopes: ScopeSet,
}

/// A subject, or several: `*` stands for any run of characters, an empty one too.
#[derive(Clone, Debug)]
pub(crate) struct SubjectPattern {
    start: String,
    /// What stands between two `*`, in order, and what stands after the last one; none for an exact subject.
    rest: Vec<String>,
}

/// All of them, each issuer once.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrustedIssuers(Vec<TrustedIssuer>);

/// What an identity token says. Nothing of it has been checked.
#[derive(Debug)]
pub(crate) struct Claims {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) audience: String,
    /// Unix seconds, as the other times.
    pub(crate) issued_at: u64,
    pub(crate) not_before: Option<u64>,
    pub(crate) expires_at: u64,
}

/// Why an identity token is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// About the token itself: whoever sent it may know.
    #[error("{0}")]
    Plain(String),
    /// About what is trusted here: for the log alone.
    #[error("{0}")]
    Untrusted(String),
}

impl TrustedIssuers {
    /// More would be as many that could hang at once.
    pub(crate) const COUNT_MAX: usize = 16;

    pub(crate) fn new(issuers: Vec<TrustedIssuer>) -> Self {
        Self(issuers)
    }

    /// Holds a token's claims against what is trusted: everything but its signature.
    ///
    /// # Errors
    /// [`Refused`]: the first of issuer, algorithm, audience, times and subject that does not hold.
    pub(crate) fn claimed<'a>(
        &'a self,
        now: UnixMillis,
        token: &'a str,
        algorithm: Algorithm,
        claims: Claims,
    ) -> Result<Claimed<'a>, Refused> {
        let untrusted = |what: &str, value: &str| {
            Refused::Untrusted(format!("{what} {:?} is not trusted", clipped(value)))
        };
        let mut places = self.0.iter().enumerate();
        let (place, issuer) = places
            .find(|(_, trusted)| trusted.issuer == claims.issuer)
            .ok_or_else(|| untrusted("iss", &claims.issuer))?;
        if !issuer.algorithms.contains(&algorithm) {
            return Err(untrusted("alg", algorithm.name()));
        }
        if claims.audience != issuer.audience {
            return Err(untrusted("aud", &claims.audience));
        }
        let ends_at_s = issuer.ends_at(now, &claims)?;
        let rule = subject_rule(issuer, &claims.subject)?;
        Ok(Claimed {
            token,
            place,
            issuer,
            rule,
            algorithm,
            subject: claims.subject,
            ends_at_s,
        })
    }

    /// The issuer that [`TrustedIssuer::mark`] names.
    pub(super) fn by_mark(&self, mark: &str) -> Option<&TrustedIssuer> {
        self.0.iter().find(|trusted| trusted.mark() == mark)
    }
}

fn subject_rule<'a>(issuer: &'a TrustedIssuer, subject: &str) -> Result<&'a SubjectRule, Refused> {
    if subject.is_empty() || subject.len() > SubjectRule::SUBJECT_BYTES_MAX {
        return Err(Refused::Plain(format!(
            "sub: must be 1 to {} bytes",
            SubjectRule::SUBJECT_BYTES_MAX
        )));
    }
    if subject.chars().any(char::is_control) {
        return Err(Refused::Plain("sub: no control characters".to_owned()));
    }
    issuer
        .rule(subject)
        .ok_or_else(|| Refused::Untrusted(format!("sub {:?} matches no pattern", clipped(subject))))
}

impl TrustedIssuer {
    /// Of `issuer` and of `audience`.
    pub(crate) const BYTES_MAX: usize = 200;

    pub(super) fn rule(&self, subject: &str) -> Option<&SubjectRule> {
        self.subjects
            .iter()
            .find(|rule| rule.pattern.matches(subject))
    }

    /// A short name that two issuers do not share, for tokens of ours.
    pub(super) fn mark(&self) -> String {
        let digest = Sha256::digest(self.issuer.as_bytes());
        let head = digest.iter().take(8);
        head.map(|byte| format!("{byte:02x}")).collect()
    }

    /// When the token ends, leeway included, if it holds now.
    fn ends_at(&self, now: UnixMillis, claims: &Claims) -> Result<u64, Refused> {
        let (now_s, leeway_s) = (now.seconds().get(), self.leeway_s);
        let refuse = |problem: String| Err(Refused::Plain(problem));
        let Claims {
            issued_at,
            not_before,
            expires_at,
            ..
        } = *claims;
        if expires_at <= issued_at || not_before.is_some_and(|start| expires_at <= start) {
            return refuse("exp: must be after iat and nbf".to_owned());
        }
        let ends_at = expires_at.saturating_add(leeway_s);
        if now_s >= ends_at {
            return refuse(format!("expired {} s ago", now_s - expires_at));
        }
        match not_before {
            None if self.not_before == NotBefore::Required => {
                return refuse("nbf: required".to_owned());
            }
            Some(start) if start > now_s.saturating_add(leeway_s) => {
                return refuse(format!("nbf: comes in {} s", start - now_s));
            }
            None | Some(_) => {}
        }
        if issued_at > now_s.saturating_add(leeway_s) {
            return refuse(format!("iat: comes in {} s", issued_at - now_s));
        }
        let age_s = now_s.saturating_sub(issued_at);
        if age_s > self.max_age_s.saturating_add(leeway_s) {
            return refuse(format!("issued {age_s} s ago, which is too long"));
        }
        Ok(ends_at)
    }
}

impl Algorithm {
    pub(crate) const ALL: [Self; 2] = [Self::Rs256, Self::Es256];

    /// As `alg` names it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }

    /// Reads `alg`, whose names are case-sensitive (RFC 7515 §4.1.1).
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }
}

impl SubjectRule {
    /// OpenID Connect Core §2 has 255; our own tokens name the subject, and hold less.
    pub(crate) const SUBJECT_BYTES_MAX: usize = 230;
    /// So that a token of ours has room for them beside a long subject.
    pub(crate) const SCOPES_MAX: usize = 24;

    /// Whether a token of the subject may have that scope.
    pub(super) fn grants(&self, scope: &Scope) -> bool {
        self.scopes.covers(scope)
    }
}

impl SubjectPattern {
    /// # Errors
    /// The rule that the text breaks.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        const STARS_MAX: usize = 8;
        if text.is_empty() || text.len() > SubjectRule::SUBJECT_BYTES_MAX {
            return Err("must be 1 to 230 bytes");
        }
        if text.chars().any(char::is_control) {
            return Err("must have no control characters");
        }
        let mut parts = text.split('*').map(str::to_owned);
        let start = parts.next().unwrap_or_default();
        let rest: Vec<String> = parts.collect();
        if start.is_empty() {
            return Err("must not begin with *: every subject of the issuer would be trusted");
        }
        if rest.len() > STARS_MAX {
            return Err("must have at most 8 *");
        }
        Ok(Self { start, rest })
    }

    /// Whether the whole subject is one of those meant, byte for byte. Takes a time linear in the subject for each `*`.
    pub(crate) fn matches(&self, subject: &str) -> bool {
        let Some(mut left) = subject.strip_prefix(self.start.as_str()) else {
            return false;
        };
        let Some((end, between)) = self.rest.split_last() else {
            return left.is_empty();
        };
        // The first place is as good as any: what it leaves holds all that another would.
        for part in between {
            match left.split_once(part.as_str()) {
                Some((_, after)) => left = after,
                None => return false,
            }
        }
        left.ends_with(end.as_str())
    }
}

impl fmt::Display for SubjectPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.start)?;
        self.rest.iter().try_for_each(|part| write!(f, "*{part}"))
    }
}

/// What a stranger wrote, cut for the log.
fn clipped(text: &str) -> &str {
    const CHARS_MAX: usize = 200;
    let end = text.char_indices().nth(CHARS_MAX).map(|(end, _)| end);
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_whole_subjects() {
        for (pattern, matching, others) in [
            ("a", &["a"][..], &["", "A", "ab", "ba", "a ", "aa"][..]),
            ("a*", &["a", "ab", "a*", "a:b/c"], &["", "b", "ba", "A"]),
            (
                "a*b",
                &["ab", "a:b", "abab", "a/b/b"],
                &["a", "b", "abc", "aB"],
            ),
            ("aa*aa", &["aaaa", "aa:aa"], &["aa", "aaa", "aaab"]),
            (
                "repo:acme/*:ref:refs/tags/*",
                &[
                    "repo:acme/app:ref:refs/tags/v1",
                    "repo:acme/:ref:refs/tags/",
                ],
                &[
                    "repo:acme/app:ref:refs/heads/v1",
                    "repo:acme:ref:refs/tags/v1",
                    "xrepo:acme/app:ref:refs/tags/v1",
                ],
            ),
            (
                "a*b*c",
                &["abc", "abbc", "aXbYc", "acbc"],
                &["acb", "ab", "ac", "abcd"],
            ),
            ("a**c", &["ac", "abc"], &["a", "c"]),
            ("a.c", &["a.c"], &["abc"]),
        ] {
            let parsed = SubjectPattern::parse(pattern).unwrap();
            assert_eq!(parsed.to_string(), pattern);
            for subject in matching {
                assert!(parsed.matches(subject), "{pattern} {subject}");
            }
            for subject in others {
                assert!(!parsed.matches(subject), "{pattern} {subject}");
            }
        }
        for (pattern, rule) in [
            ("", "must be 1 to 230 bytes"),
            (&"a".repeat(231), "must be 1 to 230 bytes"),
            ("a\n", "must have no control characters"),
            (
                "*",
                "must not begin with *: every subject of the issuer would be trusted",
            ),
            (
                "*a",
                "must not begin with *: every subject of the issuer would be trusted",
            ),
            ("a*********", "must have at most 8 *"),
        ] {
            assert_eq!(
                SubjectPattern::parse(pattern).unwrap_err(),
                rule,
                "{pattern}"
            );
        }
    }
}
