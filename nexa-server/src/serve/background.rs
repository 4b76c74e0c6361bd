//! What runs beside the requests, until the server stops.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, timeout_at};

use super::shell::Shell;
use super::{now, rng};
use crate::job;
use crate::store::webhooks::Delivery;

/// A thread with a runtime of its own, so that it needs none of its caller's.
pub(super) struct Background {
    thread: JoinHandle<()>,
    stop: Arc<Notify>,
}

impl Background {
    pub(super) fn start(shell: &Arc<Shell>) -> io::Result<Self> {
        const NAME: &str = "nexa-background";
        let runtime = Builder::new_current_thread()
            .enable_time()
            .thread_name(NAME)
            .build()?;
        let (shell, stop) = (Arc::clone(shell), Arc::new(Notify::new()));
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name(NAME.to_owned())
            .spawn(move || run(runtime, &shell, &stopped))?;
        Ok(Self { thread, stop })
    }

    /// Begins nothing more, writes what is pending, and waits a moment for what is under way.
    pub(super) fn stop(self) {
        self.stop.notify_one();
        if self.thread.join().is_err() {
            tracing::error!("the work in the background has panicked");
        }
    }
}

fn run(runtime: Runtime, shell: &Arc<Shell>, stopped: &Notify) {
    /// For a mail server or a receiver that does not answer, or a rewriting of the file: none of them loses anything.
    const PATIENCE: Duration = Duration::from_secs(5);
    /// What is left of it for what writes down how an attempt has ended.
    const REST: Duration = Duration::from_millis(500);
    let until = runtime.block_on(async {
        tokio::spawn(again_and_again(shell, never, |shell| {
            job::tick(shell.app.services(), now());
        }));
        tokio::spawn(again_and_again(shell, never, |shell| {
            job::errands::go_on(shell.app.services(), now());
        }));
        tokio::spawn(again_and_again(shell, mail_is_due, send_mails));
        tokio::spawn(again_and_again(shell, payments_are_due, follow_payments));
        let (stop, stopping) = watch::channel(false);
        let deliveries = tokio::spawn(deliver_webhooks(Arc::clone(shell), stopping));
        stopped.notified().await;
        let until = Instant::now() + PATIENCE;
        stop.send_replace(true);
        let _ = timeout_at(until - REST, deliveries).await;
        until
    });
    job::last_tick(shell.app.services(), now());
    runtime.shutdown_timeout(REST.max(until.saturating_duration_since(Instant::now())));
}

/// Runs `work` on the blocking pool every few seconds, and whenever it is woken. Work that panics is reported by the runtime;
/// the next round comes anyway.
fn again_and_again<W: Future<Output = ()> + Send>(
    shell: &Arc<Shell>,
    woken: impl Fn(Arc<Shell>) -> W + Send + 'static,
    work: fn(&Shell),
) -> impl Future<Output = ()> + Send + 'static {
    let shell = Arc::clone(shell);
    async move {
        let mut interval = tokio::time::interval(Duration::from_secs(job::TICK_S));
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = interval.tick() => {}
                () = woken(Arc::clone(&shell)) => {}
            }
            let shell = Arc::clone(&shell);
            let _ = spawn_blocking(move || work(&shell)).await;
        }
    }
}

async fn never(_: Arc<Shell>) {
    std::future::pending().await
}

/// A moment after somebody asked for a mail: the work of sending it is not to be seen in how long the answer takes.
async fn mail_is_due(shell: Arc<Shell>) {
    const MOMENT: Duration = Duration::from_millis(20);
    shell.app.services().mail_due.notified().await;
    tokio::time::sleep(MOMENT).await;
}

async fn payments_are_due(shell: Arc<Shell>) {
    shell.app.services().payments_due.notified().await;
}

/// Picks what is due every few seconds, after each event and whenever an attempt has ended. Once it stops, it is over when the last
/// attempt under way is.
async fn deliver_webhooks(shell: Arc<Shell>, mut stopping: watch::Receiver<bool>) {
    let mut under_way = JoinSet::new();
    let mut interval = tokio::time::interval(Duration::from_secs(job::TICK_S));
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = interval.tick() => {}
            () = shell.app.services().webhooks_due.notified() => {}
            Some(_) = under_way.join_next() => continue,
            _ = stopping.wait_for(|is_stopping| *is_stopping) => break,
        }
        let picking = Arc::clone(&shell);
        let pick = move || job::webhooks::pick(picking.app.services(), now());
        let Ok(picked) = spawn_blocking(pick).await else {
            continue;
        };
        for delivery in picked {
            under_way.spawn(deliver(Arc::clone(&shell), delivery));
        }
    }
    while under_way.join_next().await.is_some() {}
}

/// Makes one attempt. Its thread may wait for the receiver longer than a stop does; what is cut off there is still due, and sent again
/// after the next start.
async fn deliver(shell: Arc<Shell>, delivery: Delivery) {
    let beginning = Arc::clone(&shell);
    let begin = move || job::webhooks::begin(beginning.app.services(), now(), delivery);
    let Ok(Some(attempt)) = spawn_blocking(begin).await else {
        return;
    };
    let sender = Arc::clone(&shell.app.services().webhook_sender);
    let send = move || {
        let outcome = attempt.send(&sender);
        (attempt, outcome)
    };
    let Ok((attempt, outcome)) = spawn_blocking(send).await else {
        return;
    };
    let end = move || job::webhooks::end(shell.app.services(), now(), &mut rng(), attempt, outcome);
    let _ = spawn_blocking(end).await;
}

fn follow_payments(shell: &Shell) {
    let mut rng = rng();
    while !shell.is_closed() {
        match job::payments::do_next(shell.app.services(), now(), &mut rng) {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => return tracing::warn!(%error, "payments wait: the store does not answer"),
        }
    }
}

fn send_mails(shell: &Shell) {
    let mut rng = rng();
    while !shell.is_closed() {
        match job::mail::send_next(shell.app.services(), now(), &mut rng) {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => return tracing::warn!(%error, "mails wait: the store does not answer"),
        }
    }
}
