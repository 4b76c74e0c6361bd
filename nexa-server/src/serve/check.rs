//! Checks in process: keys, members' access tokens, and requests to the program's own API.

use std::fmt;
use std::net::IpAddr;

use hyper::Response;
use hyper::http::request::Parts;
use nexa_core::{Requirement, Scope};

use super::call_error::CallError;
use super::facts::{KeyFacts, MemberFacts, Refusal};
use super::mount::Body;
use super::nexa::Nexa;
use super::{now, rng};
use crate::api::authorize::Passed;
use crate::app::Call;
use crate::domain::Error;
use crate::domain::keys::{self, Environments, KeyRefusal, Presented};
use crate::http::BodyProblem;

/// What is asked of a key: by default that it is a live one, that no scope is missing (none is wanted), and one use of it.
#[derive(Clone, Debug)]
pub struct Ask {
    scopes: Vec<Scope>,
    address: Option<IpAddr>,
    environments: Environments,
    cost: u32,
}

/// Which keys a check takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyEnvironments {
    /// Live keys: what a product in earnest wants.
    #[default]
    Live,
    /// Test keys.
    Test,
    /// Both. [`KeyFacts::is_test`] tells them apart.
    Any,
}

/// Why a check said no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The key does not pass.
    #[error("the key does not pass: {0}")]
    Refused(Refusal),
    /// The check could not be made. Nothing may pass.
    #[error(transparent)]
    Failed(#[from] CallError),
}

/// The answer for a request that may not pass, ready to be sent.
pub struct RefusedRequest(Box<Response<Body>>);

impl Ask {
    /// See [`Ask`].
    pub fn new() -> Self {
        Self {
            scopes: Vec::new(),
            address: None,
            environments: Environments::Live,
            cost: 1,
        }
    }

    /// Wants a scope more.
    #[must_use]
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scopes.push(scope);
        self
    }

    /// Says where the key was used from: one that is bound to addresses passes only with its own.
    ///
    /// # Security
    /// The address of the connection, or what a proxy of yours says; never what a client says of itself.
    #[must_use]
    pub fn address(mut self, address: IpAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// Wants keys of another environment than live ones.
    #[must_use]
    pub fn environments(mut self, environments: KeyEnvironments) -> Self {
        self.environments = match environments {
            KeyEnvironments::Live => Environments::Live,
            KeyEnvironments::Test => Environments::Test,
            KeyEnvironments::Any => Environments::Any,
        };
        self
    }

    /// Takes so many of a key's numbered uses instead of one; 0 takes none. It says nothing to a key without a number, and a
    /// rate limit counts each check once.
    #[must_use]
    pub fn cost(mut self, uses: u32) -> Self {
        self.cost = uses;
        self
    }
}

impl Default for Ask {
    fn default() -> Self {
        Self::new()
    }
}

impl Nexa {
    /// Checks a key as it was presented, counts its use, and says whose it is: what `POST /api/v1/api-keys/verify` answers
    /// the operator.
    ///
    /// Memory answers for a key that it knows. The store is asked for others, and written for a key with numbered uses: this
    /// may wait for the disk. In async code ask [`Nexa::try_check_key`] first.
    ///
    /// # Errors
    /// [`CheckError::Refused`]: the first of what a key can be refused for, in the order of [`Refusal`].
    ///
    /// # Security
    /// Digests are compared in constant time. Once a revocation has answered, in process or over HTTP, no check passes. The key
    /// is any bytes: nothing is trimmed or folded.
    pub fn check_key(
        &self,
        presented: impl AsRef<[u8]>,
        ask: &Ask,
    ) -> Result<KeyFacts, CheckError> {
        let checked = self.check(Presented::new(&presented), ask, true)?;
        checked.map_err(|refusal| CheckError::Refused(refusal.into()))
    }

    /// [`Nexa::check_key`] out of memory alone, for an async worker: it never waits. `None`, with nothing counted, when the
    /// store has to be asked; then `check_key` belongs on a thread that may wait.
    ///
    /// # Examples
    /// ```
    /// # use nexa_server::{Ask, CheckError, KeyFacts, Nexa};
    /// async fn check(nexa: &Nexa, key: String, ask: Ask) -> Result<KeyFacts, CheckError> {
    ///     if let Some(answer) = nexa.try_check_key(&key, &ask) {
    ///         return answer;
    ///     }
    ///     let nexa = nexa.clone();
    ///     let waits = tokio::task::spawn_blocking(move || nexa.check_key(key, &ask));
    ///     waits.await.expect("check_key does not panic")
    /// }
    /// ```
    pub fn try_check_key(
        &self,
        presented: impl AsRef<[u8]>,
        ask: &Ask,
    ) -> Option<Result<KeyFacts, CheckError>> {
        match self.check(Presented::new(&presented), ask, false) {
            Ok(answer) => Some(answer.map_err(|refusal| CheckError::Refused(refusal.into()))),
            Err(Failure::NotInMemory) => None,
            Err(failure) => Some(Err(failure.into())),
        }
    }

    fn check(
        &self,
        presented: Presented<'_>,
        ask: &Ask,
        may_block: bool,
    ) -> Result<Result<KeyFacts, KeyRefusal>, Failure> {
        let (shell, now) = (self.open_shell()?, now());
        let authority = shell.app.services().authority(may_block);
        let Some(key) = authority.find(presented)? else {
            shell
                .app
                .services()
                .cache
                .checks()
                .refused(&KeyRefusal::Deleted);
            return Ok(Err(KeyRefusal::Deleted));
        };
        let scopes: Vec<_> = ask.scopes.iter().cloned().map(Requirement::Scope).collect();
        let asked = keys::Ask {
            address: ask.address,
            environments: ask.environments,
            requirements: &scopes.iter().collect::<Vec<_>>(),
        };
        let admitted = authority.admit(now, &key, &asked, ask.cost.into())?;
        Ok(admitted.map(|admission| (key, admission).into()))
    }

    /// Checks an access token of a user, as every route of the HTTP API does: signature, claims, session, user and tenant.
    /// It asks the store, and may wait for it.
    ///
    /// # Errors
    /// [`CallError::Refused`] with the code `invalid_token`, or `insufficient_scope` for a token that was narrowed to some scopes.
    pub fn check_access_token(&self, token: &str) -> Result<MemberFacts, CallError> {
        let services = self.open_shell()?.app.services();
        let (member, _) = services.authority(true).member_by_token(now(), token)?;
        Ok(member.into())
    }

    /// Decides on a request to the program's own API by the scope rules of the configuration (`[[rules]]`), as forward
    /// authorization does for a gateway: method and path choose the rule, `X-API-Key` or `Authorization: Bearer` carries the
    /// key. `None` where the rule says `public`.
    ///
    /// `peer` is the other end of the connection; what it says of its own client counts where it is one of
    /// `trusted_proxies`. It needs a tokio runtime, for keys that memory does not know.
    ///
    /// # Errors
    /// An answer to send, with the documented body: 401, 403 (also where no rule covers the path, or a router may read it in
    /// another way), 429, 400 for two credentials, 503.
    ///
    /// # Security
    /// Ask before the request is routed, with the path that the router sees.
    pub async fn authorize(
        &self,
        peer: IpAddr,
        head: &Parts,
    ) -> Result<Option<KeyFacts>, RefusedRequest> {
        let shell = self.shell();
        let unable = |problem| Err(RefusedRequest::of(shell.app.refuse(Some(head), problem)));
        let decided = match self.decide(peer, head, false) {
            Some(decided) => decided,
            None => {
                let Some(turn) = self.shared().turn().await else {
                    return unable(BodyProblem::Overloaded);
                };
                let (nexa, kept) = (self.clone(), head.clone());
                let job = turn.take(move || nexa.decide(peer, &kept, true));
                match job.await.flatten() {
                    Some(decided) => decided,
                    None => return unable(BodyProblem::Panicked),
                }
            }
        };
        decided.map(|passed| passed.map(KeyFacts::from))
    }

    fn decide(
        &self,
        peer: IpAddr,
        head: &Parts,
        may_block: bool,
    ) -> Option<Result<Option<Passed>, RefusedRequest>> {
        let shell = self.shell();
        if shell.is_closed() {
            let refused = shell.app.refuse(Some(head), BodyProblem::Overloaded);
            return Some(Err(RefusedRequest::of(refused)));
        }
        let call = Call {
            now: now(),
            rng: &mut rng(),
            peer,
            may_block,
        };
        let decided = shell.app.authorize(call, head)?;
        Some(decided.map_err(RefusedRequest::of))
    }
}

/// Why there is no verdict.
enum Failure {
    NotInMemory,
    Call(CallError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::NotInMemory => Self::NotInMemory,
            error => Self::Call(error.into()),
        }
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl From<Failure> for CheckError {
    fn from(failure: Failure) -> Self {
        Self::Failed(match failure {
            Failure::NotInMemory => Error::NotInMemory.into(),
            Failure::Call(error) => error,
        })
    }
}

impl CheckError {
    /// Why the key does not pass, if the check could be made.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Failed(_) => None,
        }
    }
}

impl RefusedRequest {
    fn of(response: Response<hyper::body::Bytes>) -> Self {
        Self(Box::new(response.map(Body::whole)))
    }

    /// The answer.
    pub fn into_response(self) -> Response<Body> {
        *self.0
    }

    /// The answer's status.
    pub fn status(&self) -> hyper::StatusCode {
        self.0.status()
    }
}

impl fmt::Debug for RefusedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RefusedRequest")
            .field(&self.status())
            .finish()
    }
}
