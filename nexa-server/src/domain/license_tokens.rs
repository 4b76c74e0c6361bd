//! Licence tokens as credentials: what they say, and what must still stand behind them.

use nexa_core::{
    Decision, DeviceExpectation, LicenseExpectations, Scratch, Verdict, check_license,
};

use super::error::Error;
use super::principal::LicenseHolder;
use super::server_keys::Issuing;
use crate::store::Tx;
use crate::store::licenses::{self, Standing};
use crate::time::UnixMillis;

/// A licence token that holds, whether its licence still stands or not.
pub(crate) struct OpenLicense {
    tenant_id: String,
    jti: String,
    app_id: String,
    entitlements: Vec<String>,
}

/// Reads a licence token: the signature and the claims hold, and its time has come and is not over. In its days of grace a
/// licence works on, here as on its device: a client that its SDK tells to go on is not stopped by the server.
///
/// # Security
/// Whatever app it is for, it opens: a route that does something for an app compares it. Which device sends it cannot be
/// known, since nothing of the device comes along: a copied token works here until it is revoked or over.
///
/// # Errors
/// `LicenseTokenInvalid` with the reason for the log; `LicenseOver`.
pub(crate) fn open(now: UnixMillis, issuing: &Issuing, token: &str) -> Result<OpenLicense, Error> {
    let mut scratch = Scratch::new();
    // Revocations are asked of the store, by `holder`.
    let expect =
        LicenseExpectations::for_any_audience(&issuing.issuer, DeviceExpectation::NotChecked);
    let report = check_license(
        &issuing.keys,
        &expect,
        now.seconds(),
        token.as_bytes(),
        &mut scratch,
    );
    match (report.decision(), report.verdict(), report.license()) {
        (Decision::Allow, _, Some(license)) => {
            let license = license.claims();
            Ok(OpenLicense {
                tenant_id: license.subject().to_owned(),
                jti: license.jti().to_owned(),
                app_id: license.audience().to_owned(),
                entitlements: license.terms().entitlements().map(str::to_owned).collect(),
            })
        }
        (Decision::Deny, Verdict::Expired { .. }, _) => Err(Error::LicenseOver),
        (Decision::Allow | Decision::Deny, verdict, _) => Err(refused(verdict.code())),
    }
}

/// The holder of an open licence, if the licence still stands. Who issued it may have left: it is the tenant's. Who is
/// disabled may not act through it.
///
/// # Errors
/// `LicenseTokenInvalid` when this server has no such licence; `LicenseEnded`.
pub(crate) fn holder(tx: &Tx<'_>, open: OpenLicense) -> Result<LicenseHolder, Error> {
    let standing = standing(tx, &open.tenant_id, &open.jti)?;
    Ok(LicenseHolder {
        user_id: standing.user_id,
        device_id: standing.device_id,
        tenant_id: open.tenant_id,
        jti: open.jti,
        app_id: open.app_id,
        entitlements: open.entitlements,
    })
}

/// Refuses a holder whose licence has ended since the gate let it pass.
///
/// # Errors
/// As [`holder`].
pub(super) fn require(tx: &Tx<'_>, holder: &LicenseHolder) -> Result<(), Error> {
    standing(tx, &holder.tenant_id, &holder.jti).map(drop)
}

/// Who issued a licence that still stands; none once they have left.
///
/// # Errors
/// As [`holder`].
pub(super) fn user_behind(
    tx: &Tx<'_>,
    tenant_id: &str,
    jti: &str,
) -> Result<Option<String>, Error> {
    Ok(standing(tx, tenant_id, jti)?.user_id)
}

fn standing(tx: &Tx<'_>, tenant_id: &str, jti: &str) -> Result<Standing, Error> {
    let found = licenses::standing(tx, tenant_id, jti)?;
    let found = found.ok_or_else(|| refused("no licence of this server"))?;
    // The licences of a tenant that is disabled are being revoked.
    match found.is_revoked || !found.is_tenant_active || found.is_user_disabled {
        true => Err(Error::LicenseEnded),
        false => Ok(found),
    }
}

fn refused(reason: &str) -> Error {
    Error::LicenseTokenInvalid {
        reason: reason.to_owned(),
    }
}
