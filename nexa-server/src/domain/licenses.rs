//! Licences: issued to a device for an app, listed, revoked.

use nexa_core::{DevicePolicy, NewDevice, NewLicense, NewTerms, uuid_v7};
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};

use super::apps::{self, App};
use super::audit::{self, Act, Origin};
use super::error::Error;
use super::fields;
use super::issuing::Issuing;
use super::principal::Member;
use crate::store::licenses::{self, License, Revocation};
use crate::store::{Store, Tx, tenants};
use crate::time::UnixMillis;

/// In bytes.
const FINGERPRINT_MAX: usize = 512;
/// In characters.
const REASON_MAX: usize = 500;
const SECONDS_A_DAY: u64 = 24 * 3600;

/// What is asked for.
pub(crate) struct LicenseFields<'a> {
    pub(crate) app_id: &'a str,
    pub(crate) fingerprint: &'a str,
    pub(crate) platform: &'a str,
    pub(crate) device_name: Option<&'a str>,
    pub(crate) ttl_days: Option<u32>,
}

/// A signed licence that [`issue`] has yet to record; until then nobody may see the token.
pub(crate) struct Draft {
    pub(crate) token: String,
    pub(crate) row: License,
}

/// Checks the fields and signs.
///
/// # Errors
/// `Invalid` naming the field: unknown app, days outside its bounds, a fingerprint that is empty or too long.
pub(crate) fn draft(
    now: UnixMillis,
    rng: &mut dyn CryptoRng,
    issuing: &Issuing,
    apps: &[App],
    member: &Member,
    fields: &LicenseFields<'_>,
) -> Result<Draft, Error> {
    let app = apps::find(apps, fields.app_id)?;
    let ttl_days = app.ttl_days(fields.ttl_days)?;
    if fields.fingerprint.is_empty() || fields.fingerprint.len() > FINGERPRINT_MAX {
        return Err(Error::invalid(
            "device.fingerprint",
            format!("must be 1 to {FINGERPRINT_MAX} bytes long"),
        ));
    }
    let device_platform = fields::name("device.platform", fields.platform)?;
    let device_name = fields
        .device_name
        .map(|name| fields::name("device.name", name))
        .transpose()?;
    let jti = uuid_v7(now.unsigned_ms(), rng);
    let request = NewLicense {
        jti: &jti,
        subject: &member.tenant_id,
        audience: &app.id,
        ttl_s: u64::from(ttl_days) * SECONDS_A_DAY,
        device: NewDevice {
            components: &[("fingerprint", fields.fingerprint)],
            policy: DevicePolicy::All,
        },
        terms: NewTerms::default(),
        status: None,
    };
    let issued = issuing
        .licenses
        .issue(now.seconds(), rng, &request)
        .map_err(|error| Error::Fault(format!("licence token: {error}")))?;
    let row = License {
        tenant_id: member.tenant_id.clone(),
        user_id: Some(member.user_id.clone()),
        app_id: app.id.clone(),
        device_fingerprint: device_digest(&member.tenant_id, fields.fingerprint),
        device_platform,
        device_name,
        issued_at: now,
        expires_at: issued.expires_at.into(),
        revoked_at: None,
        revoked_reason: None,
        jti,
    };
    Ok(Draft {
        token: issued.token,
        row,
    })
}

/// Records the licence.
pub(crate) fn issue(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    license: &License,
) -> Result<(), Error> {
    licenses::insert(tx, license)?;
    audit::record(
        tx,
        now,
        origin,
        Act::LicenseIssued,
        Some(&license.tenant_id),
        Some(&license.jti),
    )
}

/// The licences the member sees, oldest first; never their tokens, which are not kept.
pub(crate) fn list(tx: &Tx<'_>, member: &Member) -> Result<Vec<License>, Error> {
    Ok(licenses::list(
        tx,
        &member.tenant_id,
        member.sees_only(),
        None,
        u32::MAX,
    )?)
}

/// Revokes a licence; doing it again changes nothing.
///
/// # Errors
/// `NotFound`, also for another tenant's licence and for one the member does not manage; `Invalid` for `reason`.
pub(crate) fn revoke(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    jti: &str,
    reason: Option<&str>,
) -> Result<(), Error> {
    let member = origin.principal.member()?;
    let reason = reason
        .map(|reason| fields::text_up_to("reason", reason, REASON_MAX))
        .transpose()?;
    let license = licenses::find(tx, &member.tenant_id, jti)?
        .filter(|license| match &license.user_id {
            Some(user_id) => member.manages(user_id),
            None => member.role.manages_tenant(),
        })
        .ok_or(Error::NotFound { noun: "License" })?;
    if license.revoked_at.is_some() {
        return Ok(());
    }
    licenses::revoke(tx, now, &license.jti, reason.as_deref())?;
    audit::record(
        tx,
        now,
        origin,
        Act::LicenseRevoked,
        Some(&license.tenant_id),
        Some(&license.jti),
    )
}

/// Lays down that the tenant's licences are to be revoked, whose end it is; [`finish_revoking`] does it, now or after a
/// crash.
pub(super) fn begin_revoking(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    tenant_id: &str,
) -> Result<(), Error> {
    tenants::begin_revoking(tx, now, tenant_id)?;
    let tenant_id = Some(tenant_id);
    audit::record(tx, now, origin, Act::LicensesRevoked, tenant_id, tenant_id)
}

/// Revokes the licences of every tenant for which that was laid down, in turns of the writer that keep nobody waiting for
/// long. Doing it again changes nothing.
///
/// # Errors
/// `Store`; what is left is revoked by the next call.
pub(crate) fn finish_revoking(store: &Store, now: UnixMillis) -> Result<(), Error> {
    const TENANTS: u32 = 10;
    const PART: u32 = 1_000;
    loop {
        let found = store.read(|tx| tenants::revoking(tx, TENANTS))?;
        for (tenant_id, since) in &found {
            let mut last: Option<String> = None;
            loop {
                let (id, since) = (tenant_id.clone(), *since);
                last = store.write(move |tx| -> Result<_, Error> {
                    let last = licenses::revoke_part(tx, now, &id, since, last.as_deref(), PART)?;
                    if last.is_none() {
                        tenants::end_revoking(tx, since, &id)?;
                    }
                    Ok(last)
                })?;
                if last.is_none() {
                    break;
                }
            }
        }
        if found.is_empty() {
            return Ok(());
        }
    }
}

/// What was revoked later than `since`, oldest first: for everybody, so without tenants and reasons.
pub(crate) fn revocations(
    tx: &Tx<'_>,
    since: Option<UnixMillis>,
) -> Result<Vec<Revocation>, Error> {
    Ok(licenses::revocations(tx, since)?)
}

/// Tells one tenant's devices apart without keeping what they are made of.
fn device_digest(tenant_id: &str, fingerprint: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"nexa device row v1\0");
    hash.update(tenant_id.as_bytes());
    hash.update([0]);
    hash.update(fingerprint.as_bytes());
    hash.finalize().into()
}
