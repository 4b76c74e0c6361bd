//! Rate limits by client address or by account.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::domain::Error;
use crate::time::UnixMillis;

/// A limit that a route names, or that a handler applies to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    LoginPerAddress,
    LoginPerAccount,
    RegisterPerAddress,
    /// Forgotten passwords, whoever's.
    MailPerAddress,
    /// Forgotten passwords and repeated verification mails.
    MailPerAccount,
    /// Mails that nobody has asked for who reads the address: registrations and invitations.
    NoticePerAccount,
    InvitePerTenant,
    /// Reset and accept-invite: guesses at mailed tokens.
    MailedTokenPerAddress,
    UsageReportPerAddress,
    DownloadPerAddress,
    /// What clients ask about revocations.
    StatusPerAddress,
    /// Payments that are begun.
    PaymentPerTenant,
    /// What the payment provider, or anybody, says has happened.
    WebhookPerAddress,
    /// What scanners, or anybody, say they have found.
    LeakReportPerAddress,
    /// Deliveries of webhooks that are sent again by hand.
    ResendPerTenant,
}

/// How many calls each limit allows in its period; the whole allowance may come as one burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowances {
    pub(crate) login_per_address_an_hour: NonZeroU32,
    pub(crate) login_per_account_an_hour: NonZeroU32,
    pub(crate) register_per_address_an_hour: NonZeroU32,
    pub(crate) mail_per_address_an_hour: NonZeroU32,
    pub(crate) mail_per_account_an_hour: NonZeroU32,
    pub(crate) invite_per_tenant_an_hour: NonZeroU32,
    pub(crate) mailed_token_per_address_an_hour: NonZeroU32,
    pub(crate) usage_report_per_address_a_minute: NonZeroU32,
    pub(crate) download_per_address_a_minute: NonZeroU32,
    pub(crate) status_per_address_a_minute: NonZeroU32,
    pub(crate) payment_per_tenant_an_hour: NonZeroU32,
    pub(crate) webhook_per_address_a_minute: NonZeroU32,
    pub(crate) leak_report_per_address_a_minute: NonZeroU32,
    pub(crate) resend_per_tenant_an_hour: NonZeroU32,
}

/// Counts calls. It cannot be flooded: a table has at most [`BUCKETS`] entries, because keys are
/// folded onto buckets by a hash whose seed nobody knows, so nobody can aim at another's bucket.
pub(crate) struct Limiter {
    seed: RandomState,
    clock: CallClock,
    tables: [Table; Limit::ALL.len()],
    refused: [AtomicU64; Limit::ALL.len()],
}

type Table = RateLimiter<u32, DashMapStateStore<u32>, CallClock, NoOpMiddleware<Duration>>;

/// Two callers share a bucket with a chance of one in a million.
const BUCKETS: u64 = 1 << 20;

impl Limit {
    const ALL: [Self; 15] = [
        Self::LoginPerAddress,
        Self::LoginPerAccount,
        Self::RegisterPerAddress,
        Self::MailPerAddress,
        Self::MailPerAccount,
        Self::NoticePerAccount,
        Self::InvitePerTenant,
        Self::MailedTokenPerAddress,
        Self::UsageReportPerAddress,
        Self::DownloadPerAddress,
        Self::StatusPerAddress,
        Self::PaymentPerTenant,
        Self::WebhookPerAddress,
        Self::LeakReportPerAddress,
        Self::ResendPerTenant,
    ];

    /// As the settings call it; two limits share the setting of mails by account.
    const fn name(self) -> &'static str {
        match self {
            Self::LoginPerAddress => "login_per_address",
            Self::LoginPerAccount => "login_per_account",
            Self::RegisterPerAddress => "register_per_address",
            Self::MailPerAddress => "mail_per_address",
            Self::MailPerAccount => "mail_per_account",
            Self::NoticePerAccount => "notice_per_account",
            Self::InvitePerTenant => "invite_per_tenant",
            Self::MailedTokenPerAddress => "mailed_token_per_address",
            Self::UsageReportPerAddress => "usage_report_per_address",
            Self::DownloadPerAddress => "download_per_address",
            Self::StatusPerAddress => "status_per_address",
            Self::PaymentPerTenant => "payment_per_tenant",
            Self::WebhookPerAddress => "webhook_per_address",
            Self::LeakReportPerAddress => "leak_report_per_address",
            Self::ResendPerTenant => "resend_per_tenant",
        }
    }

    const fn quota(self, allowances: &Allowances) -> Quota {
        match self {
            Self::LoginPerAddress => Quota::per_hour(allowances.login_per_address_an_hour),
            Self::LoginPerAccount => Quota::per_hour(allowances.login_per_account_an_hour),
            Self::RegisterPerAddress => Quota::per_hour(allowances.register_per_address_an_hour),
            Self::MailPerAddress => Quota::per_hour(allowances.mail_per_address_an_hour),
            Self::MailPerAccount | Self::NoticePerAccount => {
                Quota::per_hour(allowances.mail_per_account_an_hour)
            }
            Self::InvitePerTenant => Quota::per_hour(allowances.invite_per_tenant_an_hour),
            Self::MailedTokenPerAddress => {
                Quota::per_hour(allowances.mailed_token_per_address_an_hour)
            }
            Self::UsageReportPerAddress => {
                Quota::per_minute(allowances.usage_report_per_address_a_minute)
            }
            Self::DownloadPerAddress => Quota::per_minute(allowances.download_per_address_a_minute),
            Self::StatusPerAddress => Quota::per_minute(allowances.status_per_address_a_minute),
            Self::PaymentPerTenant => Quota::per_hour(allowances.payment_per_tenant_an_hour),
            Self::WebhookPerAddress => Quota::per_minute(allowances.webhook_per_address_a_minute),
            Self::LeakReportPerAddress => {
                Quota::per_minute(allowances.leak_report_per_address_a_minute)
            }
            Self::ResendPerTenant => Quota::per_hour(allowances.resend_per_tenant_an_hour),
        }
    }
}

impl Limiter {
    pub(crate) fn new(allowances: &Allowances) -> Self {
        let clock = CallClock::default();
        let tables = Limit::ALL
            .map(|limit| RateLimiter::dashmap_with_clock(limit.quota(allowances), clock.clone()));
        Self {
            seed: RandomState::new(),
            clock,
            tables,
            refused: Default::default(),
        }
    }

    /// Counts one call against `key`.
    ///
    /// # Errors
    /// `Limited` with the whole seconds until the next call may pass.
    pub(crate) fn check(
        &self,
        now: UnixMillis,
        limit: Limit,
        key: &impl Hash,
    ) -> Result<(), Error> {
        self.clock.move_to(now);
        let bucket = u32::try_from(self.seed.hash_one(key) % BUCKETS).unwrap_or(0);
        let table = self
            .tables
            .get(limit as usize)
            .expect("a table was made for every limit");
        table.check_key(&bucket).map_err(|refused| {
            if let Some(count) = self.refused.get(limit as usize) {
                count.fetch_add(1, Ordering::Relaxed);
            }
            let wait = refused.wait_time_from(self.clock.now());
            Error::Limited {
                retry_after_s: wait.as_secs() + u64::from(wait.subsec_nanos() > 0),
            }
        })
    }

    /// Calls that each limit has refused since the start.
    pub(crate) fn refused(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.refused.iter();
        let counts = counts.map(|count| count.load(Ordering::Relaxed));
        Limit::ALL.into_iter().map(Limit::name).zip(counts)
    }

    /// Drops callers whose allowance is whole again.
    pub(crate) fn sweep(&self, now: UnixMillis) {
        self.clock.move_to(now);
        for table in &self.tables {
            table.retain_recent();
        }
    }
}

/// The newest `now` that a call brought: time is an argument here too.
#[derive(Clone, Debug, Default)]
struct CallClock(Arc<AtomicU64>);

impl CallClock {
    /// Forward only: a wall clock that steps back must not hand out a new allowance.
    fn move_to(&self, now: UnixMillis) {
        self.0.fetch_max(now.unsigned_ms(), Ordering::Relaxed);
    }
}

impl Clock for CallClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(calls: u32) -> Limiter {
        let calls = NonZeroU32::new(calls).unwrap();
        Limiter::new(&Allowances {
            login_per_address_an_hour: calls,
            login_per_account_an_hour: calls,
            register_per_address_an_hour: calls,
            mail_per_address_an_hour: calls,
            mail_per_account_an_hour: calls,
            invite_per_tenant_an_hour: calls,
            mailed_token_per_address_an_hour: calls,
            usage_report_per_address_a_minute: calls,
            download_per_address_a_minute: calls,
            status_per_address_a_minute: calls,
            payment_per_tenant_an_hour: calls,
            webhook_per_address_a_minute: calls,
            leak_report_per_address_a_minute: calls,
            resend_per_tenant_an_hour: calls,
        })
    }

    #[test]
    fn every_limit_finds_its_own_table_and_period() {
        let limiter = limiter(2);
        for (index, limit) in Limit::ALL.into_iter().enumerate() {
            assert_eq!(limit as usize, index);
            assert!(
                limiter.check(START, limit, &"a").is_ok()
                    && limiter.check(START, limit, &"a").is_ok()
            );
            let is_by_the_minute = matches!(
                limit,
                Limit::UsageReportPerAddress
                    | Limit::DownloadPerAddress
                    | Limit::StatusPerAddress
                    | Limit::WebhookPerAddress
                    | Limit::LeakReportPerAddress
            );
            let expected = if is_by_the_minute { 30 } else { 1800 };
            let refused = limiter.check(START, limit, &"a");
            assert!(
                matches!(refused, Err(Error::Limited { retry_after_s }) if retry_after_s == expected),
                "{limit:?}: {refused:?}"
            );
        }
    }

    const START: UnixMillis = UnixMillis::from_ms(1_700_000_000_000);

    #[test]
    fn the_allowance_comes_as_one_burst_and_then_drips() {
        let limiter = limiter(30);
        for call in 0..30 {
            assert!(
                limiter.check(START, Limit::LoginPerAddress, &"a").is_ok(),
                "call {call}"
            );
        }
        let refused = limiter.check(START, Limit::LoginPerAddress, &"a");
        assert!(
            matches!(refused, Err(Error::Limited { retry_after_s: 120 })),
            "{refused:?}"
        );
        assert!(
            limiter
                .check(START.plus_seconds(119), Limit::LoginPerAddress, &"a")
                .is_err()
        );
        assert!(
            limiter
                .check(START.plus_seconds(120), Limit::LoginPerAddress, &"a")
                .is_ok()
        );
        assert!(
            limiter.check(START, Limit::LoginPerAddress, &"b").is_ok(),
            "another caller has its own"
        );
        assert!(
            limiter
                .check(START, Limit::RegisterPerAddress, &"a")
                .is_ok(),
            "another limit has its own"
        );
    }

    #[test]
    fn a_clock_that_steps_back_gives_nothing_away() {
        let limiter = limiter(1);
        assert!(limiter.check(START, Limit::LoginPerAccount, &1).is_ok());
        assert!(
            limiter
                .check(START.plus_seconds(-7200), Limit::LoginPerAccount, &1)
                .is_err()
        );
    }

    #[test]
    fn a_parallel_burst_gets_the_allowance_and_no_more() {
        let limiter = limiter(30);
        let passed: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        (0..100)
                            .filter(|_| limiter.check(START, Limit::LoginPerAddress, &"a").is_ok())
                            .count()
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        });
        assert_eq!(passed, 30);
    }

    #[test]
    fn a_flood_of_callers_takes_bounded_memory_and_is_swept() {
        let limiter = limiter(5);
        for caller in 0..100_000 {
            let _ = limiter.check(START, Limit::LoginPerAddress, &caller);
        }
        assert!(limiter.tables[0].len() as u64 <= BUCKETS);
        // Callers that share a bucket may have used its whole hour; in two, every allowance is whole again.
        limiter.sweep(START.plus_seconds(7200));
        assert_eq!(limiter.tables[0].len(), 0);
    }
}
