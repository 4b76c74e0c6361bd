//! What a licence says: its claims, read by rule.
use core::fmt;

use crate::claims::{check_lifetime, exact, optional, required, seconds, text};
use crate::json::{Object, Value};
use crate::license::{DeviceBinding, LICENSE_TYPE, LicenseExpectations, LicenseTerms};
use crate::refusal::{Claim, Refusal};
use crate::time::UnixSeconds;

/// What a licence says.
#[derive(Clone, Copy, Debug)]
pub struct License<'b> {
    issuer: &'b str,
    subject: &'b str,
    audience: &'b str,
    jti: &'b str,
    kid: Kid,
    issued_at: UnixSeconds,
    not_before: UnixSeconds,
    expires_at: UnixSeconds,
    status: Option<StatusRef<'b>>,
    terms: LicenseTerms<'b>,
    device: DeviceBinding<'b>,
}

impl<'b> License<'b> {
    /// `iss`: the issuer's public URL.
    #[must_use]
    pub const fn issuer(&self) -> &'b str {
        self.issuer
    }

    /// `sub`: the tenant's id.
    #[must_use]
    pub const fn subject(&self) -> &'b str {
        self.subject
    }

    /// `aud`: the app's id.
    #[must_use]
    pub const fn audience(&self) -> &'b str {
        self.audience
    }

    /// `jti`: the licence's own id, by which it is revoked.
    #[must_use]
    pub const fn jti(&self) -> &'b str {
        self.jti
    }

    /// The id of the key that signed it.
    #[must_use]
    pub fn kid(&self) -> &str {
        core::str::from_utf8(&self.kid.0).unwrap_or_default()
    }

    /// `iat`: when it was issued.
    #[must_use]
    pub const fn issued_at(&self) -> UnixSeconds {
        self.issued_at
    }

    /// `nbf`: the first second at which it is valid.
    #[must_use]
    pub const fn not_before(&self) -> UnixSeconds {
        self.not_before
    }

    /// `exp`: the first second at which it no longer is.
    #[must_use]
    pub const fn expires_at(&self) -> UnixSeconds {
        self.expires_at
    }

    /// `status`: its place in a status list.
    #[must_use]
    pub const fn status(&self) -> Option<StatusRef<'b>> {
        self.status
    }

    /// `lic`: what it grants.
    #[must_use]
    pub const fn terms(&self) -> &LicenseTerms<'b> {
        &self.terms
    }

    /// `device`: the device it was issued for.
    #[must_use]
    pub const fn device(&self) -> &DeviceBinding<'b> {
        &self.device
    }
}

/// A licence's place in a status list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusRef<'b> {
    /// The position in the list.
    pub index: u16,
    /// Where the list is.
    pub uri: &'b str,
}

impl StatusRef<'_> {
    /// The number of the status shard: what follows the last slash of `uri`, in decimal without a leading zero; `None` if
    /// that is something else.
    #[must_use]
    pub fn shard(&self) -> Option<u32> {
        let (_, number) = self.uri.rsplit_once('/')?;
        let is_canonical = match number.as_bytes() {
            [b'0'] => true,
            [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
            _ => false,
        };
        number.parse().ok().filter(|_| is_canonical)
    }
}

#[derive(Clone, Copy)]
struct Kid([u8; 43]);

impl fmt::Debug for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        core::str::from_utf8(&self.0).unwrap_or_default().fmt(f)
    }
}

/// The claims' rules, in this order: issuer, subject, audience, type, id, times, device, status, terms.
pub(crate) fn read_claims<'b>(
    object: &Object<'b>,
    kid: [u8; 43],
    expect: &LicenseExpectations<'_>,
    now: UnixSeconds,
) -> Result<License<'b>, Refusal> {
    let issuer = exact(object, "iss", Claim::Iss, expect.issuer)?;
    let subject = text(object, "sub", Claim::Sub)?;
    let audience = match expect.audience {
        Some(audience) => exact(object, "aud", Claim::Aud, audience)?,
        None => text(object, "aud", Claim::Aud)?,
    };
    exact(object, "type", Claim::Type, LICENSE_TYPE)?;
    let jti = text(object, "jti", Claim::Jti)?;
    let issued_at = seconds(object, "iat", Claim::Iat)?;
    let not_before = seconds(object, "nbf", Claim::Nbf)?;
    let expires_at = seconds(object, "exp", Claim::Exp)?;
    if expires_at <= not_before {
        return Err(Refusal::ExpNotAfterNbf);
    }
    check_lifetime(now, issued_at, expires_at, expect.max_lifetime_s)?;
    let device = DeviceBinding::read(object)?;
    let status = read_status(object)?;
    let terms = LicenseTerms::read(object)?;
    Ok(License {
        issuer,
        subject,
        audience,
        jti,
        kid: Kid(kid),
        issued_at,
        not_before,
        expires_at,
        status,
        terms,
        device,
    })
}

/// Reads the claim `status` of the OAuth Token Status List draft.
fn read_status<'b>(object: &Object<'b>) -> Result<Option<StatusRef<'b>>, Refusal> {
    let Some(status) = optional(object, "status", Claim::Status, Value::as_object)? else {
        return Ok(None);
    };
    let list = required(&status, "status_list", Claim::StatusList)?
        .as_object()
        .ok_or(Refusal::ClaimType(Claim::StatusList))?;
    let index = required(&list, "idx", Claim::StatusIdx)?
        .as_integer()
        .ok_or(Refusal::ClaimType(Claim::StatusIdx))?;
    Ok(Some(StatusRef {
        index: u16::try_from(index).map_err(|_| Refusal::ClaimWrong(Claim::StatusIdx))?,
        uri: text(&list, "uri", Claim::StatusUri)?,
    }))
}
