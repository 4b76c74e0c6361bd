//! Issuing: what a licence says is settled, signed and recorded in one transaction.

use nexa_core::{IssuedLicense, StatusRef, uuid_v7};
use rand_core::CryptoRng;

use super::super::apps::{self, App, Kind, Offer};
use super::super::audit::{self, Act, Origin};
use super::super::error::Error;
use super::super::events::{self, Event};
use super::super::idempotency::{self, Answered, Attempt};
use super::super::notices::{self, TrialOf};
use super::super::principal::Member;
use super::super::server_keys;
use super::super::status;
use super::Shop;
use super::devices::{self, DeviceFields, NewDevice};
use crate::store::Tx;
use crate::store::licenses::{self, License};
use crate::time::UnixMillis;

const SECONDS_A_DAY: u64 = 24 * 3600;

/// A licence that is wanted, its fields checked, with all that chance has to give it.
pub(crate) struct NewLicense {
    jti: String,
    salt: [u8; 16],
    /// What a device that is not known yet is called.
    device_id: String,
    pub(super) device: NewDevice,
    ttl_days: Option<u32>,
}

/// A licence that is recorded; nobody may see the token before its COMMIT is durable.
pub(crate) struct Issued {
    pub(crate) jti: String,
    pub(crate) token: String,
    pub(crate) expires_at: UnixMillis,
    /// The status of the first answer, where this is that answer once more.
    pub(crate) replayed: Option<u16>,
}

impl NewLicense {
    /// Checks the fields that mean the same whatever the app is.
    ///
    /// # Errors
    /// `Invalid` naming the field.
    pub(crate) fn new(
        now: UnixMillis,
        rng: &mut dyn CryptoRng,
        device: &DeviceFields<'_>,
        ttl_days: Option<u32>,
    ) -> Result<Self, Error> {
        let device = NewDevice::new(device)?;
        let mut salt = [0; 16];
        rng.fill_bytes(&mut salt);
        Ok(Self {
            jti: uuid_v7(now.unsigned_ms(), rng),
            salt,
            device_id: uuid_v7(now.unsigned_ms(), rng),
            device,
            ttl_days,
        })
    }
}

/// Issues a licence, or answers once more what the first call of this attempt has answered.
///
/// # Errors
/// `Invalid` naming the field: unknown app, days outside its bounds, too few components; `DeviceLimit`, `TrialOver`;
/// `IdempotencyKeyReused`, `IdempotentAnswerGone`.
pub(crate) fn issue(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    shop: &Shop,
    attempt: Option<&Attempt>,
    app_id: &str,
    wanted: NewLicense,
) -> Result<Issued, Error> {
    once(tx, now, origin, shop, attempt, || {
        let app = apps::find(tx, &shop.apps, app_id)?;
        let (signed, tenant_id) = grant(tx, now, origin, shop, &app, wanted, None)?;
        let (tenant_id, jti) = (Some(tenant_id.as_str()), Some(signed.license.jti.as_str()));
        audit::record(tx, now, origin, Act::LicenseIssued, tenant_id, jti)?;
        Ok(signed)
    })
}

/// Has an effect and keeps its answer, or answers what was kept: one effect for one attempt, whatever happens between.
pub(super) fn once(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    shop: &Shop,
    attempt: Option<&Attempt>,
    effect: impl FnOnce() -> Result<Signed, Error>,
) -> Result<Issued, Error> {
    let (tenant_id, _) = origin.principal.in_tenant()?;
    let issued = |signed: IssuedLicense, replayed| Issued {
        jti: signed.jti,
        token: signed.token,
        expires_at: signed.expires_at.into(),
        replayed,
    };
    let Some(attempt) = attempt else {
        return Ok(issued(effect()?.license, None));
    };
    if let Some(answered) = idempotency::earlier(tx, now, tenant_id, attempt)? {
        let status = answered.status;
        return Ok(issued(sign_again(tx, now, shop, answered)?, Some(status)));
    }
    let signed = effect()?;
    let answered = Answered {
        status: attempt.status,
        kid: signed.kid,
        answer: signed.license.payload.clone(),
    };
    idempotency::record(tx, now, tenant_id, attempt, &answered)?;
    Ok(issued(signed.license, None))
}

/// Signs what was signed before, with the same key.
///
/// # Errors
/// `IdempotentAnswerGone` when that key is not to be used any more, or this server has another name now.
fn sign_again(
    tx: &Tx<'_>,
    now: UnixMillis,
    shop: &Shop,
    answered: Answered,
) -> Result<IssuedLicense, Error> {
    let gone = |reason: String| Error::IdempotentAnswerGone { reason };
    (shop.ring.license_issuer_of(tx, now, &answered.kid)?)
        .ok_or_else(|| gone(format!("the key {} signs no more", answered.kid)))?
        .sign_again(answered.answer)
        .map_err(|error| gone(error.to_string()))
}

/// A licence that was signed, and by which key.
pub(super) struct Signed {
    pub(super) license: IssuedLicense,
    kid: String,
}

/// Signs the licence and records it with its device, which is `renewed` if that is alike enough; answers the tenant's id with
/// it.
pub(super) fn grant(
    tx: &Tx<'_>,
    now: UnixMillis,
    origin: &Origin,
    shop: &Shop,
    app: &App,
    wanted: NewLicense,
    renewed: Option<&str>,
) -> Result<(Signed, String), Error> {
    let member = origin.principal.member()?;
    let offer = shop.offer(tx, app, &member.tenant_id)?;
    let Lasting {
        ttl_s,
        trial_ends_at,
    } = lasting(tx, now, member, app, &offer, wanted.ttl_days)?;
    wanted.device.check_policy(&app.id, offer.device_policy())?;
    let device = devices::seat(
        tx,
        now,
        member,
        &app.id,
        &offer,
        &wanted.device,
        (&wanted.device_id, renewed),
    )?;
    let place = status::choose(tx, now, &shop.status, &wanted.salt)?;
    let issuer = shop.ring.license_issuer(tx)?;
    let kid = issuer.verification_key().kid().to_owned();
    let signed = offer.with_terms(now.seconds(), ttl_s, |terms| {
        let request = nexa_core::NewLicense {
            jti: &wanted.jti,
            subject: &member.tenant_id,
            audience: &app.id,
            ttl_s,
            device: nexa_core::NewDevice {
                components: &wanted.device.components(),
                policy: offer.device_policy(),
            },
            terms,
            status: Some(StatusRef {
                index: place.place.position,
                uri: &place.uri,
            }),
        };
        issuer
            .issue_with_salt(now.seconds(), wanted.salt, &request)
            .map_err(|error| Error::Fault(format!("licence token: {error}")))
    })?;
    let over_at = signed.expires_at.plus(offer.grace_s());
    let row = License {
        tenant_id: member.tenant_id.clone(),
        user_id: Some(member.user_id.clone()),
        app_id: app.id.clone(),
        device_fingerprint: device.digest,
        device_id: Some(device.id),
        device_platform: device.platform,
        device_name: device.name,
        issued_at: now,
        expires_at: signed.expires_at.into(),
        over_at: over_at.unwrap_or(signed.expires_at).into(),
        revoked_at: None,
        revoked_reason: None,
        jti: wanted.jti,
    };
    licenses::insert(tx, &row)?;
    events::tell(
        tx,
        now,
        &row.tenant_id,
        &Event::LicenseIssued((&row).into()),
    )?;
    // Whoever has old revocation data may ask for its place that much longer.
    let asked_until = over_at.and_then(|over_at| over_at.plus(offer.max_age_s().unwrap_or(0)));
    let asked_until = asked_until.map_or(row.over_at, UnixMillis::from);
    status::take(tx, &row.jti, &place, asked_until)?;
    server_keys::issued(tx, &kid, row.over_at, asked_until)?;
    // With every licence of it: the first one may be of a plan that the tenant has lost since.
    if let Some(ends_at) = trial_ends_at {
        notices::tell_of_trial(tx, now, &row.tenant_id, TrialOf::App(&app.id), ends_at)?;
    }
    let license = signed;
    Ok((Signed { license, kid }, row.tenant_id))
}

/// How long a licence lasts.
struct Lasting {
    ttl_s: u64,
    /// Of the trial that it belongs to.
    trial_ends_at: Option<UnixMillis>,
}

/// How long the licence lasts: as asked for, and not beyond the end of a trial.
///
/// # Errors
/// `Invalid` for `ttl_days`; `TrialOver`.
fn lasting(
    tx: &Tx<'_>,
    now: UnixMillis,
    member: &Member,
    app: &App,
    offer: &Offer<'_>,
    asked_days: Option<u32>,
) -> Result<Lasting, Error> {
    let days = offer.terms.ttl_days(&app.id, asked_days)?;
    let asked_s = u64::from(days) * SECONDS_A_DAY;
    let Kind::Trial { days } = offer.kind else {
        return Ok(Lasting {
            ttl_s: asked_s,
            trial_ends_at: None,
        });
    };
    // Licences are never deleted, so nothing that a tenant does begins its trial again.
    let began = licenses::first_issued(tx, &member.tenant_id, &app.id)?.unwrap_or(now);
    let ends = began.seconds().plus(u64::from(days) * SECONDS_A_DAY);
    let left_s = ends.and_then(|ends| ends.since(now.seconds())).unwrap_or(0);
    match left_s.min(asked_s) {
        0 => Err(Error::TrialOver {
            app_id: app.id.clone(),
            days,
        }),
        ttl_s => Ok(Lasting {
            ttl_s,
            trial_ends_at: ends.map(UnixMillis::from),
        }),
    }
}
