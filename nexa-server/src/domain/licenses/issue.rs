//! Issuing: what a licence says is settled, signed and recorded in one transaction.

use nexa_core::{DevicePolicy, NewDevice, NewTerms, StatusRef, uuid_v7};
use rand_core::CryptoRng;

use super::super::apps::{self, App};
use super::super::audit::{self, Act, Origin};
use super::super::error::Error;
use super::super::fields;
use super::super::issuing::Issuing;
use super::super::status;
use super::devices::device_digest;
use crate::store::Tx;
use crate::store::licenses::{self, License};
use crate::time::UnixMillis;

/// In bytes.
const FINGERPRINT_MAX: usize = 512;
const SECONDS_A_DAY: u64 = 24 * 3600;

/// What is asked for.
pub(crate) struct LicenseFields<'a> {
    pub(crate) app_id: &'a str,
    pub(crate) fingerprint: &'a str,
    pub(crate) platform: &'a str,
    pub(crate) device_name: Option<&'a str>,
    pub(crate) ttl_days: Option<u32>,
}

/// A licence that is wanted, its fields checked, with all that chance has to give it.
pub(crate) struct NewLicense {
    jti: String,
    salt: [u8; 16],
    app_id: String,
    ttl_days: u32,
    fingerprint: String,
    device_platform: String,
    device_name: Option<String>,
}

/// A licence that is recorded; nobody may see the token before its COMMIT is durable.
pub(crate) struct Issued {
    pub(crate) token: String,
    pub(crate) expires_at: UnixMillis,
}

impl NewLicense {
    /// Checks the fields.
    ///
    /// # Errors
    /// `Invalid` naming the field: unknown app, days outside its bounds, a fingerprint that is empty or too long.
    pub(crate) fn new(
        now: UnixMillis,
        rng: &mut dyn CryptoRng,
        apps: &[App],
        fields: &LicenseFields<'_>,
    ) -> Result<Self, Error> {
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
        let mut salt = [0; 16];
        rng.fill_bytes(&mut salt);
        Ok(Self {
            jti: uuid_v7(now.unsigned_ms(), rng),
            salt,
            app_id: app.id.clone(),
            ttl_days,
            fingerprint: fields.fingerprint.to_owned(),
            device_platform,
            device_name,
        })
    }
}

/// Signs the licence and records it.
pub(crate) fn issue(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    issuing: &Issuing,
    wanted: NewLicense,
) -> Result<Issued, Error> {
    let member = origin.principal.member()?;
    let place = status::choose(tx, now, &issuing.status, &wanted.salt)?;
    let request = nexa_core::NewLicense {
        jti: &wanted.jti,
        subject: &member.tenant_id,
        audience: &wanted.app_id,
        ttl_s: u64::from(wanted.ttl_days) * SECONDS_A_DAY,
        device: NewDevice {
            components: &[("fingerprint", &wanted.fingerprint)],
            policy: DevicePolicy::All,
        },
        terms: NewTerms::default(),
        status: Some(StatusRef {
            index: place.place.position,
            uri: &place.uri,
        }),
    };
    let issued = issuing
        .licenses
        .issue_with_salt(now.seconds(), wanted.salt, &request)
        .map_err(|error| Error::Fault(format!("licence token: {error}")))?;
    let row = License {
        tenant_id: member.tenant_id.clone(),
        user_id: Some(member.user_id.clone()),
        app_id: wanted.app_id,
        device_fingerprint: device_digest(&member.tenant_id, &wanted.fingerprint),
        device_platform: wanted.device_platform,
        device_name: wanted.device_name,
        issued_at: now,
        expires_at: issued.expires_at.into(),
        revoked_at: None,
        revoked_reason: None,
        jti: wanted.jti,
    };
    licenses::insert(tx, &row)?;
    status::take(tx, &row.jti, &place, row.expires_at)?;
    let (tenant_id, jti) = (Some(row.tenant_id.as_str()), Some(row.jti.as_str()));
    audit::record(tx, now, origin, Act::LicenseIssued, tenant_id, jti)?;
    Ok(Issued {
        token: issued.token,
        expires_at: row.expires_at,
    })
}
