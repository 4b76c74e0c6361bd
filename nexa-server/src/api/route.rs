//! What a route is, and what its handler is given.

use std::sync::Arc;

use hyper::body::Bytes;
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use rand_core::CryptoRng;
use schemars::SchemaGenerator;
use tokio::sync::Notify;

use super::dialect::Dialect;
use super::error::Fault;
use super::issuer_keys::IssuerKeys;
use super::ws::Hub;
use crate::domain::Error;
use crate::domain::agents::AgentPolicy;
use crate::domain::apps::App;
use crate::domain::audit::Origin;
use crate::domain::audit::checkpoint::AuditKey;
use crate::domain::erasure::Progress;
use crate::domain::idempotency::Attempt;
use crate::domain::key_cache::{CheckedKey, KeyCache, Weakened};
use crate::domain::key_usage::RateState;
use crate::domain::keys::KeyPolicy;
use crate::domain::leaks::ReportKey;
use crate::domain::models::Model;
use crate::domain::principal::{LicenseHolder, Member};
use crate::domain::rules::ScopeRules;
use crate::domain::server_keys::KeyRing;
use crate::domain::status::Signer;
use crate::domain::tariff::Tariff;
use crate::domain::webhooks::{Slots, WebhookKeys};
use crate::domain::{erasure, licenses, standing};
use crate::gate::access::{Access, Authority};
use crate::gate::idempotency::Running;
use crate::gate::limit::{Limit, Limiter};
use crate::gate::permits::{Permit, Permits};
use crate::gate::places::Places;
use crate::http::extract::{Extract, Input};
use crate::http::openapi::Operation;
use crate::http::reply::{Completion, Content, Respond};
use crate::outbound::mail::{Letters, Mailer};
use crate::outbound::object_store::ObjectStore;
use crate::outbound::payments::Payments;
use crate::outbound::webhooks::Sender;
use crate::store::{Store, Tx};
use crate::time::UnixMillis;

/// One row of the table.
pub(crate) struct Route {
    /// `None` for any method.
    pub(crate) method: Option<Method>,
    pub(crate) path: &'static str,
    pub(crate) access: Access,
    /// Counted by client address before anything else is looked at.
    pub(crate) limits: &'static [Limit],
    pub(crate) lane: Lane,
    /// On routes that take an `Idempotency-Key`: the status of a first call that has its effect, and so of its repeats.
    pub(crate) replays: Option<StatusCode>,
    pub(crate) dialect: Dialect,
    pub(crate) summary: &'static str,
    pub(crate) handler: Handler,
}

/// Where a route runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// On the async worker: memory only. May miss and be run again as `Store`.
    Memory,
    /// On the blocking pool.
    Store,
    /// On the blocking pool, and with a permit once the gate and the decoding have passed it.
    Slow,
    /// As `Slow`, for what waits for other machines: its permits are its own.
    Outbound,
    /// As `Outbound`, for what anybody can have asked of the payment provider: strangers and a provider that is slow keep none
    /// of those waiting who want to pay.
    Webhook,
    /// As `Slow`, for many things at once: longer bodies, longer transactions, and permits of its own, so that nobody waits
    /// long for the writer.
    Bulk,
    /// As `Bulk`, for what strangers send: they keep no import waiting.
    Leak,
}

/// What every call shares.
pub(crate) struct Services {
    pub(crate) store: Store,
    pub(crate) cache: KeyCache,
    /// Shared with the transactions that sign.
    pub(crate) ring: Arc<KeyRing>,
    /// Signs what is told of revocations.
    pub(crate) status: Arc<Signer>,
    pub(crate) audit_key: AuditKey,
    /// Those of the configuration; shared as `ring` is.
    pub(crate) apps: Arc<Vec<App>>,
    pub(crate) agents: AgentPolicy,
    /// What is charged; shared as `ring` is.
    pub(crate) tariff: Arc<Tariff>,
    /// What may be downloaded.
    pub(crate) models: Vec<Model>,
    /// Where it lies; `None` where nothing does.
    pub(crate) object_store: Option<ObjectStore>,
    pub(crate) key_policy: KeyPolicy,
    pub(crate) rules: ScopeRules,
    pub(crate) limiter: Limiter,
    /// Calls with an `Idempotency-Key` that are running.
    pub(crate) running: Running,
    pub(crate) slow: Permits,
    pub(crate) outbound: Permits,
    pub(crate) webhook: Permits,
    pub(crate) bulk: Permits,
    pub(crate) leak: Permits,
    /// Of those who may report leaks.
    pub(crate) leak_report_keys: Vec<ReportKey>,
    pub(crate) mailer: Arc<dyn Mailer>,
    pub(crate) letters: Letters,
    /// `None`: no money is taken.
    pub(crate) payments: Option<Arc<dyn Payments>>,
    /// When the next erasure may rewrite the file.
    pub(crate) erasing: erasure::Pace,
    /// Wakes whoever sends mails.
    pub(crate) mail_due: Notify,
    /// Wakes whoever calls the payment provider.
    pub(crate) payments_due: Notify,
    pub(crate) webhook_keys: WebhookKeys,
    pub(crate) webhook_sender: Arc<Sender>,
    /// Deliveries that are under way.
    pub(crate) webhook_slots: Arc<Slots>,
    /// Wakes whoever delivers webhooks; the store's writer does too, after each event.
    pub(crate) webhooks_due: Arc<Notify>,
    /// Of the trusted issuers, in their order.
    pub(crate) issuer_keys: Vec<IssuerKeys>,
    /// The OpenAPI document, rendered once.
    pub(crate) openapi: Bytes,
    /// Of WebSockets.
    pub(crate) places: Arc<Places>,
    /// Wakes who listens.
    pub(crate) hub: Arc<Hub>,
}

impl Services {
    pub(crate) fn authority(&self, may_block: bool) -> Authority<'_> {
        Authority {
            store: &self.store,
            cache: &self.cache,
            policy: &self.key_policy,
            ring: &self.ring,
            limiter: &self.limiter,
            places: &self.places,
            may_block,
        }
    }
}

/// One call, past the gate.
pub(crate) struct Cx<'a> {
    pub(crate) now: UnixMillis,
    pub(crate) rng: &'a mut dyn CryptoRng,
    pub(crate) head: &'a Parts,
    pub(crate) origin: Origin,
    pub(crate) services: &'a Arc<Services>,
    pub(crate) lane: Lane,
    /// Whether the store may be asked on this thread.
    pub(crate) may_block: bool,
    /// What the rate limit of the caller's key has left, if it has one.
    pub(crate) rate: Option<RateState>,
    /// The right to do slow work, in the lane that is for it; a handler that is done with that gives it back.
    pub(crate) permit: Option<Permit<'a>>,
    /// Which calls are this one over again, where it says so.
    pub(crate) attempt: Option<Attempt>,
    /// The key that the call is about, where it comes with no other credential: for the log.
    pub(crate) asked: Option<Arc<CheckedKey>>,
}

impl<'a> Cx<'a> {
    /// The member behind the call.
    pub(crate) fn member(&self) -> Result<&Member, Error> {
        self.origin.principal.member()
    }

    /// The holder of the licence behind the call.
    pub(crate) fn license(&self) -> Result<&LicenseHolder, Error> {
        self.origin.principal.license()
    }

    /// Counts one call of this client, or of the account named by `key`.
    pub(crate) fn limit(&self, limit: Limit, key: &impl std::hash::Hash) -> Result<(), Error> {
        self.services.limiter.check(self.now, limit, key)
    }

    pub(crate) fn authority(&self) -> Authority<'a> {
        self.services.authority(self.may_block)
    }

    pub(crate) fn read<T>(&self, f: impl FnOnce(&Tx<'_>) -> Result<T, Error>) -> Result<T, Error> {
        self.services.store.read(f)
    }

    /// Runs `f` in the writer's next transaction, if the caller still stands there; returns when it is durable.
    pub(crate) fn write<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Tx<'_>, UnixMillis, &Origin) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (now, origin) = (self.now, self.origin.clone());
        self.services.store.write(move |tx| {
            standing::require(tx, now, &origin.principal)?;
            f(tx, now, &origin)
        })
    }

    /// Has the mails sent that a write has queued.
    pub(crate) fn wake_mail(&self) {
        self.services.mail_due.notify_one();
    }

    /// Has the payment provider asked for what a write has written down.
    pub(crate) fn wake_payments(&self) {
        self.services.payments_due.notify_one();
    }

    /// Has the webhooks delivered that a write has made due.
    pub(crate) fn wake_webhooks(&self) {
        self.services.webhooks_due.notify_one();
    }

    /// Revokes what the disabling of a tenant has laid down.
    pub(crate) fn finish_revoking(&self) -> Result<(), Error> {
        licenses::finish_revoking(&self.services.store, self.now, &self.services.status)
    }

    /// Does what is left of an erasure that has begun; if the store stands in the way, the job goes on with it.
    pub(crate) fn finish_erasure(&self, tenant_id: &str) -> Completion {
        let Services {
            store,
            erasing,
            status,
            ..
        } = &**self.services;
        match erasure::finish(store, erasing, self.now, status, tenant_id) {
            Ok(Progress::Over) => Completion::Done,
            Ok(Progress::TracesLeft) => Completion::Accepted,
            Err(error) => {
                tracing::warn!(tenant_id, %error, "an erasure is not finished yet; it goes on by itself");
                Completion::Accepted
            }
        }
    }

    /// As [`Cx::weaken`], for the rest of what this call has begun: it may have ended its caller.
    pub(crate) fn go_on<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Tx<'_>, UnixMillis, &Origin) -> Result<(T, Weakened), Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (now, origin) = (self.now, self.origin.clone());
        let (done, weakened) = self.services.store.write(move |tx| f(tx, now, &origin))?;
        self.services.cache.forget(&weakened);
        Ok(done)
    }

    /// As [`Cx::write`], for what weakens a credential: it is dropped from memory after the COMMIT and before the
    /// answer.
    pub(crate) fn weaken<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Tx<'_>, UnixMillis, &Origin) -> Result<(T, Weakened), Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (done, weakened) = self.write(f)?;
        self.services.cache.forget(&weakened);
        Ok(done)
    }
}

/// A handler with its types erased, and the description that they gave.
pub(crate) struct Handler {
    pub(crate) run: Run,
    pub(crate) describe: fn(&mut Operation, &mut SchemaGenerator),
}

type Run = Box<dyn Fn(&mut Cx<'_>, &Input<'_>) -> Result<Response<Content>, Fault> + Send + Sync>;

/// Makes a typed function a handler: decode, wait for a permit where the lane wants one, run, encode.
pub(crate) fn handler<I, O, F>(f: F) -> Handler
where
    I: Extract,
    O: Respond,
    F: Fn(&mut Cx<'_>, I) -> Result<O, Error> + Send + Sync + 'static,
{
    Handler {
        run: Box::new(move |cx, input| {
            let decoded = I::extract(input)?;
            cx.permit = match cx.lane {
                Lane::Slow => Some(cx.services.slow.enter()?),
                Lane::Outbound => Some(cx.services.outbound.enter()?),
                Lane::Webhook => Some(cx.services.webhook.enter()?),
                Lane::Bulk => Some(cx.services.bulk.enter()?),
                Lane::Leak => Some(cx.services.leak.enter()?),
                Lane::Memory | Lane::Store => None,
            };
            let answer = f(cx, decoded);
            cx.permit = None;
            Ok(answer?.respond())
        }),
        describe: |operation, schemas| {
            I::describe(operation, schemas);
            O::describe(operation, schemas);
        },
    }
}
