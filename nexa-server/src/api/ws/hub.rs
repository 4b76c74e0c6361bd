//! Who listens, by tenant, and how they are woken when something in their tenant has changed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::store::Announcement;

/// Everybody who listens.
///
/// It keeps nothing of what is told: whoever is woken reads on in the store, behind the last event that it has read. So a
/// reader that takes its time costs no memory and makes nobody wait.
#[derive(Default)]
pub(crate) struct Hub {
    tenants: Mutex<HashMap<String, Tenant>>,
}

struct Tenant {
    wake: watch::Sender<()>,
    listeners: usize,
}

/// One that listens in a tenant, until it is dropped.
pub(super) struct Subscription {
    hub: Arc<Hub>,
    tenant_id: String,
    woken: watch::Receiver<()>,
}

impl Hub {
    /// Wakes those whom it concerns. The writer of the store calls it, after a COMMIT.
    pub(crate) fn hear(&self, announced: &[Announcement]) {
        let tenants = self.tenants();
        for announcement in announced {
            match announcement {
                Announcement::Event { tenant_id }
                | Announcement::Weakened {
                    tenant_id: Some(tenant_id),
                } => {
                    if let Some(tenant) = tenants.get(tenant_id) {
                        tenant.wake.send_replace(());
                    }
                }
                Announcement::Weakened { tenant_id: None } => {
                    for tenant in tenants.values() {
                        tenant.wake.send_replace(());
                    }
                }
            }
        }
    }

    pub(super) fn subscribe(self: &Arc<Self>, tenant_id: &str) -> Subscription {
        let mut tenants = self.tenants();
        let tenant = tenants
            .entry(tenant_id.to_owned())
            .or_insert_with(|| Tenant {
                wake: watch::channel(()).0,
                listeners: 0,
            });
        tenant.listeners += 1;
        Subscription {
            hub: Arc::clone(self),
            tenant_id: tenant_id.to_owned(),
            woken: tenant.wake.subscribe(),
        }
    }

    /// Each change of it is one statement, so a panic elsewhere does not spoil it.
    fn tenants(&self) -> MutexGuard<'_, HashMap<String, Tenant>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscription {
    pub(super) fn tenant_id(&self) -> &str {
        &self.tenant_id
    }

    /// Changes when something in the tenant has.
    pub(super) fn woken(&self) -> watch::Receiver<()> {
        self.woken.clone()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut tenants = self.hub.tenants();
        if let Some(tenant) = tenants.get_mut(&self.tenant_id) {
            tenant.listeners -= 1;
            if tenant.listeners == 0 {
                tenants.remove(&self.tenant_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(tenant_id: &str) -> Announcement {
        Announcement::Event {
            tenant_id: tenant_id.to_owned(),
        }
    }

    #[test]
    fn whoever_it_concerns_is_woken_and_nobody_else() {
        let hub = Arc::<Hub>::default();
        let (a, b) = (hub.subscribe("a"), hub.subscribe("b"));
        let weakened = |tenant_id: Option<&str>| Announcement::Weakened {
            tenant_id: tenant_id.map(str::to_owned),
        };
        for (announced, expected) in [
            (vec![event("a")], [true, false]),
            (vec![event("c")], [false, false]),
            (vec![weakened(Some("b"))], [false, true]),
            (vec![weakened(None)], [true, true]),
            (vec![event("a"), event("b"), event("a")], [true, true]),
            (vec![], [false, false]),
        ] {
            let mut receivers = [a.woken(), b.woken()];
            receivers
                .iter_mut()
                .for_each(watch::Receiver::mark_unchanged);
            hub.hear(&announced);
            let woken = receivers.map(|woken| woken.has_changed().unwrap());
            assert_eq!(woken, expected, "{announced:?}");
        }
    }

    #[test]
    fn nothing_is_kept_of_who_has_left() {
        let hub = Arc::<Hub>::default();
        let (first, second) = (hub.subscribe("a"), hub.subscribe("a"));
        let others = hub.subscribe("b");
        drop(others);
        drop(first);
        hub.hear(&[event("a")]);
        assert!(second.woken().has_changed().unwrap());
        assert_eq!(hub.tenants().len(), 1);
        drop(second);
        assert!(hub.tenants().is_empty());
    }
}
