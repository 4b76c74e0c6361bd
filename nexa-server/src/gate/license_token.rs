//! Callers that come with a licence token.

use super::access::{Authority, Caller};
use super::credential::{self, Credential};
use crate::domain::principal::{LicenseHolder, Principal};
use crate::domain::{Error, license_tokens};
use crate::time::UnixMillis;
use hyper::HeaderMap;

const LICENSE_ONLY: Error = Error::Forbidden {
    rule: "This needs a licence token, as POST /api/licenses/issue answers it",
};

/// The holder of the licence that was presented, by the carriers of all credentials.
///
/// # Errors
/// `CredentialMissing`, `TwoCredentials`; `LicenseTokenInvalid`, `LicenseOver`, `LicenseEnded`; `Forbidden` for any other
/// credential that stands, and `KeyInvalid` for a key that does not.
pub(super) fn caller(
    authority: &Authority<'_>,
    now: UnixMillis,
    headers: &HeaderMap,
) -> Result<Caller, Error> {
    match credential::presented(headers)?.ok_or(Error::CredentialMissing)? {
        Credential::Token(token) => match authority.license_holder(now, &token) {
            Ok(holder) => Ok(Caller::of(Principal::License(holder))),
            Err(refused @ Error::LicenseTokenInvalid { .. }) => {
                match authority.member_by_token(now, &token) {
                    Ok(_) | Err(Error::ScopeMissing { .. }) => Err(LICENSE_ONLY),
                    Err(Error::TokenInvalid { .. }) => Err(refused),
                    Err(error) => Err(error),
                }
            }
            Err(error) => Err(error),
        },
        Credential::Key(presented) => match authority.operator(presented.digest())? {
            Some(_) => Err(LICENSE_ONLY),
            None => authority
                .key(now, presented)
                .and_then(|_| Err(LICENSE_ONLY)),
        },
    }
}

impl Authority<'_> {
    fn license_holder(&self, now: UnixMillis, token: &str) -> Result<LicenseHolder, Error> {
        if !self.may_block {
            return Err(Error::NotInMemory);
        }
        // Before a connection is taken: a signature costs more than the row.
        let open = license_tokens::open(now, &self.ring.issuing(), token)?;
        self.store.read(|tx| license_tokens::holder(tx, open))
    }
}
