//! What a member may take along: everything that it may see, read page by page.

use super::audit::listing::{self, EventsBefore, SeenEvent};
use super::audit::{self, Act, Origin};
use super::error::Error;
use super::events::{self, ToldEvent};
use super::paging;
use super::principal::Member;
use super::webhooks::{self, Logged};
use crate::store::agents::{self, Agent};
use crate::store::api_keys::{self, ApiKey, Selection};
use crate::store::auto_recharges::{self, AutoRecharge};
use crate::store::credits::{self, StoredEntry};
use crate::store::devices::{self, Device};
use crate::store::invites::{self, Invite};
use crate::store::licenses::{self, License};
use crate::store::notices::{self, NoticeRow};
use crate::store::payments::{self, Payment, StoredReversal};
use crate::store::sessions::{self, Session};
use crate::store::subscriptions::{self, Subscription};
use crate::store::tenants::{self, Tenant};
use crate::store::usage::{self, DayKey, DayRow, StoredReport};
use crate::store::users::{self, User};
use crate::store::{Store, StoreError, Tx};
use crate::time::UnixMillis;

/// Rows in one transaction.
const PAGE: u32 = 200;

/// An export of what the member may see: with a role that manages the tenant everything in it, else its own. Every page
/// shows the store as it is when the page is read.
pub(crate) struct Export {
    store: Store,
    member: Member,
    tenant_id: String,
    /// The only user that it is about, if it is not about all of them.
    only: Option<String>,
}

/// Notes the export in the trail.
pub(crate) fn record(tx: &Tx<'_>, now: UnixMillis, origin: &Origin) -> Result<(), Error> {
    let member = origin.principal.member()?;
    let (tenant_id, user_id) = (member.tenant_id.as_str(), member.user_id.as_str());
    audit::record(
        tx,
        now,
        origin,
        Act::AccountExported,
        Some(tenant_id),
        Some(user_id),
    )
}

impl Export {
    pub(crate) fn new(store: &Store, member: &Member) -> Self {
        Self {
            store: store.clone(),
            member: member.clone(),
            tenant_id: member.tenant_id.clone(),
            only: member.sees_only().map(str::to_owned),
        }
    }

    /// The tenant, and what it has as an agent.
    pub(crate) fn tenant(&self) -> Result<(Tenant, Option<Agent>), Error> {
        self.store.read(|tx| {
            let tenant = tenants::find(tx, &self.tenant_id)?.ok_or(StoreError::NoRow)?;
            let agent = match self.only {
                Some(_) => None,
                None => agents::find(tx, &self.tenant_id)?,
            };
            Ok((tenant, agent))
        })
    }

    pub(crate) fn users(&self) -> impl Iterator<Item = Page<User>> + Send + 'static {
        let (tenant_id, only) = (self.tenant_id.clone(), self.only.clone());
        self.pages(
            move |tx, last: Option<&String>| match (&only, last) {
                (Some(id), None) => Ok(users::find(tx, id)?.into_iter().collect()),
                (Some(_), Some(_)) => Ok(Vec::new()),
                (None, last) => users::list(tx, &tenant_id, last.map(String::as_str), PAGE),
            },
            |user| user.id.clone(),
        )
    }

    pub(crate) fn sessions(&self) -> impl Iterator<Item = Page<Session>> + Send + 'static {
        let (tenant_id, only) = (self.tenant_id.clone(), self.only.clone());
        self.pages(
            move |tx, last: Option<&String>| {
                sessions::list_of_tenant(
                    tx,
                    &tenant_id,
                    only.as_deref(),
                    last.map(String::as_str),
                    PAGE,
                )
            },
            |session| session.id.clone(),
        )
    }

    /// None for whoever does not manage the tenant.
    pub(crate) fn invites(
        &self,
        now: UnixMillis,
    ) -> impl Iterator<Item = Page<Invite>> + Send + 'static {
        let (tenant_id, is_whole) = (self.tenant_id.clone(), self.only.is_none());
        self.pages(
            move |tx, last: Option<&String>| match is_whole {
                true => invites::list(tx, now, &tenant_id, last.map(String::as_str), PAGE),
                false => Ok(Vec::new()),
            },
            |invite| invite.id.clone(),
        )
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = Page<ApiKey>> + Send + 'static {
        let (tenant_id, only) = (self.tenant_id.clone(), self.only.clone());
        self.pages(
            move |tx, last: Option<&String>| {
                let selection = Selection {
                    tenant_id: &tenant_id,
                    user_id: only.as_deref(),
                    pattern: None,
                    environment: None,
                    is_enabled: None,
                    unused_since: None,
                    before: last.map(String::as_str),
                };
                api_keys::list(tx, &selection, PAGE)
            },
            |key| key.id.clone(),
        )
    }

    pub(crate) fn licenses(&self) -> impl Iterator<Item = Page<License>> + Send + 'static {
        let (tenant_id, only) = (self.tenant_id.clone(), self.only.clone());
        self.pages(
            move |tx, last: Option<&String>| {
                let last = last.map(String::as_str);
                licenses::list(tx, &tenant_id, only.as_deref(), last, PAGE)
            },
            |license| license.jti.clone(),
        )
    }

    pub(crate) fn devices(&self) -> impl Iterator<Item = Page<Device>> + Send + 'static {
        let (tenant_id, only) = (self.tenant_id.clone(), self.only.clone());
        self.pages(
            move |tx, last: Option<&String>| {
                let last = last.map(String::as_str);
                devices::list(tx, &tenant_id, only.as_deref(), last, PAGE)
            },
            |device| device.id.clone(),
        )
    }

    /// The ledger, oldest first; nothing for whoever does not manage the tenant.
    pub(crate) fn credits(&self) -> impl Iterator<Item = Page<StoredEntry>> + Send + 'static {
        let (tenant_id, is_whole) = (self.tenant_id.clone(), self.only.is_none());
        self.pages(
            move |tx, last: Option<&(UnixMillis, i64)>| match is_whole {
                true => credits::list(tx, &tenant_id, last.copied(), PAGE),
                false => Ok(Vec::new()),
            },
            |entry| (entry.at, entry.seq),
        )
    }

    /// None for whoever does not manage the tenant; neither are the next ones.
    pub(crate) fn subscriptions(
        &self,
    ) -> impl Iterator<Item = Page<Subscription>> + Send + 'static {
        let (tenant_id, is_whole) = (self.tenant_id.clone(), self.only.is_none());
        self.pages(
            move |tx, last: Option<&String>| match is_whole {
                true => subscriptions::list(tx, &tenant_id, last.map(String::as_str), PAGE),
                false => Ok(Vec::new()),
            },
            |subscription| subscription.id.clone(),
        )
    }

    /// Each with what of it went back.
    pub(crate) fn payments(
        &self,
    ) -> impl Iterator<Item = Page<(Payment, Vec<StoredReversal>)>> + Send + 'static {
        let (tenant_id, is_whole) = (self.tenant_id.clone(), self.only.is_none());
        self.pages(
            move |tx, last: Option<&String>| {
                let found = match is_whole {
                    true => payments::list(tx, &tenant_id, last.map(String::as_str), PAGE)?,
                    false => Vec::new(),
                };
                let whole = |payment: Payment| {
                    let reversals = payments::reversals(tx, &payment.id)?;
                    Ok((payment, reversals))
                };
                found.into_iter().map(whole).collect()
            },
            |(payment, _)| payment.id.clone(),
        )
    }

    pub(crate) fn auto_recharge(&self) -> Result<Option<AutoRecharge>, Error> {
        match self.only {
            Some(_) => Ok(None),
            None => Ok(self
                .store
                .read(|tx| auto_recharges::find(tx, &self.tenant_id))?),
        }
    }

    /// What was used, day by day: the tenant's for whoever manages it, else by the member's own licences.
    pub(crate) fn usage(&self) -> impl Iterator<Item = Page<DayRow>> + Send + 'static {
        let (tenant_id, only) = (self.tenant_id.clone(), self.only.clone());
        self.pages(
            move |tx, last: Option<&DayKey>| {
                usage::days(tx, &tenant_id, only.as_deref(), last, PAGE)
            },
            DayRow::key,
        )
    }

    /// What the ledger's entries of uses stand for, report by report; nothing for whoever does not manage the tenant.
    pub(crate) fn reports(&self) -> impl Iterator<Item = Page<StoredReport>> + Send + 'static {
        let (tenant_id, is_whole) = (self.tenant_id.clone(), self.only.is_none());
        self.pages(
            move |tx, last: Option<&String>| match is_whole {
                true => usage::reports(tx, &tenant_id, last.map(String::as_str), PAGE),
                false => Ok(Vec::new()),
            },
            |report| report.id.clone(),
        )
    }

    /// What the owners were told, or will be; nothing for whoever does not manage the tenant.
    pub(crate) fn notices(&self) -> impl Iterator<Item = Page<NoticeRow>> + Send + 'static {
        let (tenant_id, is_whole) = (self.tenant_id.clone(), self.only.is_none());
        self.pages(
            move |tx, last: Option<&String>| match is_whole {
                true => notices::list(tx, &tenant_id, last.map(String::as_str), PAGE),
                false => Ok(Vec::new()),
            },
            |notice| notice.id.clone(),
        )
    }

    /// What programs were told that the member may see, oldest first.
    pub(crate) fn told(
        &self,
    ) -> impl Iterator<Item = Result<Vec<ToldEvent>, Error>> + Send + 'static {
        let (tenant_id, member) = (self.tenant_id.clone(), self.member.clone());
        let pages = self.pages(
            move |tx, last: Option<&i64>| {
                events::after(tx, &tenant_id, last.copied().unwrap_or(0), PAGE)
            },
            |told| told.seq,
        );
        pages.map(move |page| {
            let seen = |told: &ToldEvent| told.is_seen_by(&member);
            page.map(|page| page.into_iter().filter(seen).collect())
        })
    }

    /// Nothing for whoever does not manage the tenant.
    pub(crate) fn deliveries(
        &self,
    ) -> impl Iterator<Item = Result<Vec<Logged>, Error>> + Send + 'static {
        let (tenant_id, is_whole) = (self.tenant_id.clone(), self.only.is_none());
        self.pages(
            move |tx, last: Option<&String>| match is_whole {
                true => webhooks::logged(tx, &tenant_id, last.map(String::as_str), PAGE),
                false => Ok(Vec::new()),
            },
            |logged| logged.delivery.event_id.clone(),
        )
    }

    /// The trail as the member sees it, newest first.
    pub(crate) fn events(
        &self,
    ) -> impl Iterator<Item = Result<Vec<SeenEvent>, Error>> + Send + 'static {
        let member = self.member.clone();
        self.pages(
            move |tx, last: Option<&String>| {
                let page = paging::Page {
                    limit: PAGE,
                    before: last.cloned().map(EventsBefore::Event),
                };
                Ok(listing::list(tx, &member, &page)?.items)
            },
            |event| event.id.clone(),
        )
    }

    /// Reads until a page is empty, each in a transaction of its own; `cursor` says where the next one begins.
    fn pages<T, C: Send + 'static, E: From<StoreError>>(
        &self,
        read: impl Fn(&Tx<'_>, Option<&C>) -> Result<Vec<T>, E> + Send + 'static,
        cursor: impl Fn(&T) -> C + Send + 'static,
    ) -> impl Iterator<Item = Result<Vec<T>, E>> + Send + 'static {
        let store = self.store.clone();
        let (mut last, mut has_ended) = (None, false);
        std::iter::from_fn(move || {
            if has_ended {
                return None;
            }
            let page = store.read(|tx| read(tx, last.as_ref()));
            match page.as_ref().map(|page| page.last()) {
                Ok(Some(item)) => last = Some(cursor(item)),
                Ok(None) | Err(_) => has_ended = true,
            }
            Some(page)
        })
    }
}

/// Some rows, or why there are none.
type Page<T> = Result<Vec<T>, StoreError>;
