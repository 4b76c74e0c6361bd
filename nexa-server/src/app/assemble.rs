//! How an app is put together from its parts.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use tokio::sync::Notify;

use super::App;
use crate::api::{self, Hub, IssuerKeys, Services};
use crate::config::Config;
use crate::domain::Error;
use crate::domain::audit::checkpoint::AuditKey;
use crate::domain::erasure::Pace;
use crate::domain::key_cache::KeyCache;
use crate::domain::rules::ScopeRules;
use crate::domain::server_keys::KeyRing;
use crate::domain::status::Signer;
use crate::domain::subscriptions;
use crate::domain::webhooks::WebhookKeys;
use crate::gate::idempotency::Running;
use crate::gate::limit::Limiter;
use crate::gate::permits::Permits;
use crate::gate::places::Places;
use crate::http::router::Router;
use crate::outbound::mail::{Letters, Mailer};
use crate::outbound::payments::Payments;
use crate::outbound::webhooks::Sender;
use crate::store::{Announcement, Store};

/// What an app signs with.
pub(crate) struct Keys {
    pub(crate) ring: KeyRing,
    pub(crate) audit: AuditKey,
    pub(crate) webhooks: WebhookKeys,
}

impl App {
    /// # Errors
    /// `Invalid` naming the setting that does not hold together.
    pub(crate) fn new(
        config: &Config,
        store: Store,
        keys: Keys,
        mailer: Arc<dyn Mailer>,
        letters: Letters,
        payments: Option<Arc<dyn Payments>>,
    ) -> Result<Self, Error> {
        let Keys {
            ring,
            audit: audit_key,
            webhooks: webhook_keys,
        } = keys;
        // Once more, with the URL that it has become.
        (config.apps.iter()).try_for_each(|app| app.check_size(ring.issuer()))?;
        subscriptions::warn_of_unknown_plans(&store, &config.tariff)?;
        let ring = Arc::new(ring);
        let hub = Arc::<Hub>::default();
        let hears = Arc::clone(&hub);
        store.on_commit(move |announced| hears.hear(announced));
        let webhooks_due = Arc::new(Notify::new());
        let wakes = Arc::clone(&webhooks_due);
        store.on_commit(move |announced| {
            let is_event = |said: &Announcement| matches!(said, Announcement::Event { .. });
            if announced.iter().any(is_event) {
                wakes.notify_one();
            }
        });
        let routes = api::routes();
        let rows = routes
            .iter()
            .map(|route| (route.method.clone(), route.path));
        Ok(Self {
            router: Router::new(rows)
                .map_err(|error| Error::Fault(format!("route table: {error}")))?,
            services: Arc::new(Services {
                store,
                status: Arc::new(Signer::new(Arc::clone(&ring), config.status_refresh_s)),
                ring,
                audit_key,
                mailer,
                letters,
                payments,
                cache: KeyCache::new(config.cached_keys),
                apps: Arc::new(config.apps.clone()),
                agents: config.agents.clone(),
                tariff: Arc::new(config.tariff.clone()),
                models: config.models.clone(),
                object_store: config.object_store.clone(),
                key_policy: config.key_policy.clone(),
                rules: ScopeRules::new(config.rules.clone())?,
                limiter: Limiter::new(&config.allowances),
                running: Running::default(),
                slow: Permits::new(2, 64),
                outbound: Permits::new(8, 64),
                webhook: Permits::new(2, 32),
                bulk: Permits::new(2, 16),
                leak: Permits::new(1, 8),
                leak_report_keys: config.leak_report_keys.clone(),
                erasing: Pace::default(),
                mail_due: Notify::new(),
                payments_due: Notify::new(),
                webhook_keys,
                webhook_sender: Arc::new(Sender::new(config.webhook_hosts.clone())),
                webhook_slots: Arc::default(),
                webhooks_due,
                issuer_keys: (config.trusted_issuers.iter())
                    .map(|(_, source)| IssuerKeys::new(source.clone()))
                    .collect(),
                openapi: api::openapi_document(&routes),
                places: Places::new(config.http.websockets, config.websockets_per_tenant),
                hub,
            }),
            routes,
            trusted_proxies: config.trusted_proxies.clone(),
            cors_origins: config.cors_origins.clone(),
            body_bytes: config.body_bytes,
            warned_of_proxy_ms: AtomicI64::new(0),
        })
    }
}
