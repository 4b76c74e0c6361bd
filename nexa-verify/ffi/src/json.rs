//! A report as JSON: each fact once, under the name that the conformance file gives it.

use core::fmt::Write as _;

use verify::{
    DeviceMatch, Freshness, License, LicenseReport, RevocationStatus, UnixSeconds, Verdict,
};

use crate::text::TextBuffer;

/// Writes JSON into a buffer, members in order.
pub(crate) struct Writer<'o, const BYTES: usize> {
    out: &'o mut TextBuffer<BYTES>,
    /// Whether a comma has to stand before what comes next.
    follows: bool,
}

type Out<'o> = Writer<'o, 8192>;

impl<'o, const BYTES: usize> Writer<'o, BYTES> {
    pub(crate) const fn new(out: &'o mut TextBuffer<BYTES>) -> Self {
        Self {
            out,
            follows: false,
        }
    }

    pub(crate) fn object(&mut self, members: impl FnOnce(&mut Self)) {
        self.within("{", "}", members);
    }

    fn within(&mut self, open: &str, close: &str, inner: impl FnOnce(&mut Self)) {
        self.separate();
        self.out.push(open);
        self.follows = false;
        inner(self);
        self.out.push(close);
        self.follows = true;
    }

    fn name(&mut self, name: &str) {
        self.text(name);
        self.out.push(":");
        self.follows = false;
    }

    fn string(&mut self, name: &str, value: Option<&str>) {
        self.name(name);
        match value {
            Some(value) => self.text(value),
            None => self.raw("null"),
        }
    }

    fn number(&mut self, name: &str, value: Option<u64>) {
        self.name(name);
        self.value(value);
    }

    fn value(&mut self, value: Option<u64>) {
        match value {
            Some(value) => {
                self.separate();
                // A buffer takes what it has room for.
                let _ = write!(self.out, "{value}");
            }
            None => self.raw("null"),
        }
    }

    fn strings<'s>(&mut self, name: &str, values: impl Iterator<Item = &'s str>) {
        self.name(name);
        self.within("[", "]", |list| values.for_each(|value| list.text(value)));
    }

    /// A string with the shortest escapes (RFC 8259 §7), so that none gets longer than it may have been in a token.
    fn text(&mut self, text: &str) {
        self.separate();
        self.out.push("\"");
        let mut rest = text;
        let is_special = |c: char| c < ' ' || matches!(c, '"' | '\\');
        // Checked, though it cannot fail: what formats the panic is larger.
        while let Some((plain, special)) = rest
            .find(is_special)
            .and_then(|at| rest.split_at_checked(at))
        {
            self.out.push(plain);
            let mut characters = special.chars();
            match characters.next() {
                Some('"') => self.out.push("\\\""),
                Some('\\') => self.out.push("\\\\"),
                Some('\u{8}') => self.out.push("\\b"),
                Some('\u{c}') => self.out.push("\\f"),
                Some('\n') => self.out.push("\\n"),
                Some('\r') => self.out.push("\\r"),
                Some('\t') => self.out.push("\\t"),
                Some(control) => {
                    const DIGITS: &str = "0123456789abcdef";
                    let digit = |at: usize| DIGITS.get(at..=at).unwrap_or_default();
                    let code = control as usize;
                    self.out.push("\\u00");
                    self.out.push(digit(code / 16));
                    self.out.push(digit(code % 16));
                }
                None => {}
            }
            rest = characters.as_str();
        }
        self.out.push(rest);
        self.out.push("\"");
    }

    fn raw(&mut self, text: &str) {
        self.separate();
        self.out.push(text);
    }

    fn separate(&mut self) {
        if self.follows {
            self.out.push(",");
        }
        self.follows = true;
    }
}

/// What the plain check found, and its sentence.
pub(crate) fn report(json: &mut Out<'_>, report: &LicenseReport<'_>, message: &str) {
    verdict(json, report.verdict(), report.decision(), message);
    let at = match report.revocation() {
        RevocationStatus::Revoked { at } => Some(at.get()),
        RevocationStatus::NotChecked
        | RevocationStatus::NoData
        | RevocationStatus::NotRevoked { .. } => None,
    };
    json.number("revoked_at", at);
    let revocation = match report.revocation() {
        RevocationStatus::NotChecked => "not_checked",
        RevocationStatus::NoData => "no_data",
        RevocationStatus::NotRevoked { .. } => "not_revoked",
        RevocationStatus::Revoked { .. } => "revoked",
    };
    json.string("revocation", Some(revocation));
    let (freshness, age_s) = match report.freshness() {
        Freshness::Unknown => ("unknown", None),
        Freshness::Fresh { age_s } => ("fresh", Some(age_s)),
        Freshness::Aging { age_s } => ("aging", Some(age_s)),
        Freshness::TooOld { age_s, .. } => ("too_old", Some(age_s)),
    };
    json.string("freshness", Some(freshness));
    json.number("revocation_age_s", age_s);
    json.name("license");
    match report.license() {
        Some(verified) => json.object(|json| license(json, verified.claims())),
        None => json.raw("null"),
    }
    json.name("device");
    match report.device() {
        DeviceMatch::NotChecked => json.raw("null"),
        DeviceMatch::Checked {
            matched,
            required,
            total,
            drifted,
        } => json.object(|json| {
            json.number("matched", Some(u64::from(*matched)));
            json.number("required", Some(u64::from(*required)));
            json.number("total", Some(u64::from(*total)));
            json.strings("drifted", drifted.clone());
        }),
    }
}

fn verdict(json: &mut Out<'_>, verdict: Verdict, decision: verify::Decision, message: &str) {
    json.string("code", Some(verdict.code()));
    json.string("message", Some(message));
    json.string(
        "decision",
        Some(match decision {
            verify::Decision::Allow => "allow",
            verify::Decision::Deny => "deny",
        }),
    );
    let (starts_in_s, since_s, grace_left_s) = match verdict {
        Verdict::NotYetValid { starts_in_s } => (Some(starts_in_s), None, None),
        Verdict::Expired {
            since_s,
            grace_left_s,
        } => (None, Some(since_s), grace_left_s),
        Verdict::Valid
        | Verdict::Revoked { .. }
        | Verdict::OtherDevice { .. }
        | Verdict::RevocationDataOld { .. }
        | Verdict::UnknownKey
        | Verdict::Refused(_) => (None, None, None),
    };
    json.number("starts_in_s", starts_in_s);
    json.number("since_s", since_s);
    json.number("grace_left_s", grace_left_s);
}

fn license(json: &mut Out<'_>, license: &License<'_>) {
    json.string("issuer", Some(license.issuer()));
    json.string("subject", Some(license.subject()));
    json.string("audience", Some(license.audience()));
    json.string("jti", Some(license.jti()));
    json.string("kid", Some(license.kid()));
    json.number("issued_at", Some(license.issued_at().get()));
    json.number("not_before", Some(license.not_before().get()));
    json.number("expires_at", Some(license.expires_at().get()));
    let terms = license.terms();
    json.string("plan", terms.plan());
    json.strings("entitlements", terms.entitlements());
    json.name("limits");
    json.object(|json| {
        for (name, limit) in terms.limits() {
            json.number(name, Some(limit));
        }
    });
    json.number("grace_s", Some(terms.grace_s()));
    json.number("fresh_s", terms.fresh_s());
    json.number("max_age_s", terms.max_age_s());
    json.string("stale", Some(terms.stale().name()));
    json.number("renew_after", terms.renew_after().map(UnixSeconds::get));
    json.name("trial");
    json.raw(if terms.is_trial() { "true" } else { "false" });
    let status = license.status();
    json.number("status_idx", status.map(|status| u64::from(status.index)));
    json.string("status_uri", status.map(|status| status.uri));
}

/// What a client's check found: the same, the clock, and what to fetch next.
#[cfg(feature = "client")]
pub(crate) fn checked(json: &mut Out<'_>, checked: &verify::Checked<'_>, message: &str, url: &str) {
    match checked.report() {
        Some(found) => report(json, found, message),
        None => without_keys(json, checked, message),
    }
    let clock = checked.clock();
    json.name("clock");
    json.object(|json| {
        json.number("trusted", Some(clock.trusted.get()));
        json.number("stepped_back_s", Some(clock.stepped_back_s));
        json.number("ahead_s", Some(clock.ahead_s));
    });
    json.name("wanted");
    match checked.next_fetch() {
        Some(fetch) => json.object(|json| wanted(json, &fetch, url)),
        None => json.raw("null"),
    }
}

/// Nothing could be checked: the members that [`report`] writes, as far as they are known.
#[cfg(feature = "client")]
fn without_keys(json: &mut Out<'_>, checked: &verify::Checked<'_>, message: &str) {
    verdict(json, checked.verdict(), checked.decision(), message);
    json.number("revoked_at", None);
    json.string("revocation", Some("not_checked"));
    json.string("freshness", Some("unknown"));
    json.number("revocation_age_s", None);
    json.string("license", None);
    json.string("device", None);
}

#[cfg(feature = "client")]
fn wanted(json: &mut Out<'_>, fetch: &verify::Fetch<'_>, url: &str) {
    use verify::{Wanted, Why};
    let (document, number, since) = match fetch.document {
        Wanted::KeySet => ("key_set", None, None),
        Wanted::Shard { number, since } => ("shard", Some(u64::from(number)), since),
    };
    json.string("document", Some(document));
    json.number("number", number);
    json.number("since", since);
    let why = match fetch.why {
        Why::Missing => "missing",
        Why::UnknownKey => "unknown_key",
        Why::UnknownStatusKey => "unknown_status_key",
        Why::Old => "old",
        Why::DeltaFailed => "delta_failed",
    };
    json.string("why", Some(why));
    json.string("url", Some(url));
}
