//! What is read for each page of metrics: counts that its owners keep, rows that wait, files, the process.

use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

use super::process::Process;
use crate::api::Services;
use crate::domain::Error;
use crate::store::backlog::{Backlog, backlog};
use crate::time::UnixMillis;

/// Everything on the page that is not counted request by request.
pub(in crate::serve) struct Readings(Vec<MetricFamily>);

impl Readings {
    /// Reads; it asks the store. What that does not answer is left out, so that its failure can be seen.
    pub(in crate::serve) fn take(services: &Services, started: UnixMillis) -> Self {
        let mut read = Self(Vec::new());
        read.keys(services);
        read.store(services);
        if let Err(error) = read.rows(services) {
            tracing::warn!(%error, "the page of metrics lacks what the store did not answer");
        }
        read.process(started);
        read
    }

    pub(super) fn families(self) -> Vec<MetricFamily> {
        self.0
    }

    fn keys(&mut self, services: &Services) {
        self.counters(
            "nexa_key_checks_total",
            "API keys that were checked, by outcome; outcomes are called as POST /api/v1/api-keys/verify calls them.",
            "outcome",
            services.cache.checks().counts(),
        );
        self.counters(
            "nexa_rate_limited_total",
            "Calls that a limit refused, by limit; the rate limits of keys count as key checks.",
            "limit",
            services.limiter.refused(),
        );
        let look_ups = services.cache.look_ups();
        self.gauge(
            "nexa_key_cache_keys",
            "Checked keys that are kept in memory.",
            look_ups.keys as f64,
        );
        self.counter(
            "nexa_key_cache_hits_total",
            "Look-ups in memory that found a key; one call may look more than once.",
            look_ups.hits as f64,
        );
        self.counter(
            "nexa_key_cache_misses_total",
            "Look-ups in memory that did not find a key.",
            look_ups.misses as f64,
        );
    }

    fn store(&mut self, services: &Services) {
        let store = &services.store;
        self.counter(
            "nexa_store_commits_total",
            "Transactions that were committed; many writes share one.",
            store.commits() as f64,
        );
        self.gauge(
            "nexa_store_writes_waiting",
            "Writes that wait for their turn; beyond 1024 they are refused.",
            store.waiting_writes() as f64,
        );
        self.gauge(
            "nexa_store_failed",
            "1 once an IO error has ended all writing, else 0.",
            f64::from(u8::from(store.failed())),
        );
    }

    /// What waits in the store, and its size.
    fn rows(&mut self, services: &Services) -> Result<(), Error> {
        let store = &services.store;
        let Backlog {
            mails,
            notices,
            webhooks,
            payments,
            licenses,
            licenses_revoked,
        } = store.read(backlog)?;
        for (name, help, rows) in [
            ("nexa_mails_waiting", "Mails that are not sent yet.", mails),
            (
                "nexa_notices_waiting",
                "Notices that have not become mails yet.",
                notices,
            ),
            (
                "nexa_webhooks_waiting",
                "Webhooks that are not delivered yet.",
                webhooks,
            ),
            (
                "nexa_payments_waiting",
                "Payments that the provider is still to be asked about.",
                payments,
            ),
            (
                "nexa_licenses",
                "Licences that clients may ask about: issued, and not long over.",
                licenses,
            ),
            (
                "nexa_licenses_revoked",
                "Those of nexa_licenses that are revoked.",
                licenses_revoked,
            ),
        ] {
            self.gauge(name, help, rows as f64);
        }
        let sizes = store.sizes()?;
        self.gauge(
            "nexa_store_database_bytes",
            "Size of the database file.",
            sizes.database_bytes as f64,
        );
        self.gauge(
            "nexa_store_wal_bytes",
            "Size of the write-ahead log.",
            sizes.log_bytes as f64,
        );
        Ok(())
    }

    fn process(&mut self, started: UnixMillis) {
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        self.family(
            "nexa_build_info",
            "The version that runs; always 1.",
            MetricType::GAUGE,
            vec![metric(&version, |metric| metric.set_gauge(gauge(1.0)))],
        );
        self.gauge(
            "process_start_time_seconds",
            "When the server started, in seconds since 1970.",
            started.unsigned_ms() as f64 / 1_000.0,
        );
        let Some(process) = Process::read() else {
            return;
        };
        self.gauge(
            "process_resident_memory_bytes",
            "Memory of the process that is in RAM.",
            process.resident_bytes as f64,
        );
        self.gauge(
            "process_open_fds",
            "Files and sockets that the process has open.",
            process.open_files as f64,
        );
        self.counter(
            "process_cpu_seconds_total",
            "Processor time of the process.",
            process.processor_s,
        );
    }

    fn counters(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        counts: impl Iterator<Item = (&'static str, u64)>,
    ) {
        let metrics = counts.map(|(value, count)| {
            metric(&[(label, value)], |metric| {
                metric.set_counter(counter(count as f64))
            })
        });
        self.family(name, help, MetricType::COUNTER, metrics.collect());
    }

    fn counter(&mut self, name: &str, help: &str, value: f64) {
        let metrics = vec![metric(&[], |metric| metric.set_counter(counter(value)))];
        self.family(name, help, MetricType::COUNTER, metrics);
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) {
        let metrics = vec![metric(&[], |metric| metric.set_gauge(gauge(value)))];
        self.family(name, help, MetricType::GAUGE, metrics);
    }

    fn family(&mut self, name: &str, help: &str, kind: MetricType, metrics: Vec<Metric>) {
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        family.set_metric(metrics);
        self.0.push(family);
    }
}

fn metric(labels: &[(&str, &str)], set: impl FnOnce(&mut Metric)) -> Metric {
    let labels = labels.iter().map(|(name, value)| {
        let mut label = LabelPair::default();
        label.set_name((*name).to_owned());
        label.set_value((*value).to_owned());
        label
    });
    let mut metric = Metric::default();
    metric.set_label(labels.collect());
    set(&mut metric);
    metric
}

fn counter(value: f64) -> Counter {
    let mut counter = Counter::default();
    counter.set_value(value);
    counter
}

fn gauge(value: f64) -> Gauge {
    let mut gauge = Gauge::default();
    gauge.set_value(value);
    gauge
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn a_store_that_does_not_answer_hides_nothing_but_what_it_holds() {
        let (app, _folder) = testing::app(|_| {});
        let names = || {
            let families = Readings::take(app.services(), UnixMillis::from_ms(0)).families();
            let names = families.iter().map(|family| family.name().to_owned());
            names.collect::<Vec<_>>()
        };
        let whole = names();
        assert!(whole.contains(&"nexa_mails_waiting".to_owned()));
        app.services().store.clone().close();
        let left = names();
        for shown in [
            "nexa_store_failed",
            "nexa_store_commits_total",
            "nexa_key_checks_total",
        ] {
            assert!(left.contains(&shown.to_owned()), "{shown}: {left:?}");
        }
        assert!(!left.contains(&"nexa_mails_waiting".to_owned()));
    }
}
