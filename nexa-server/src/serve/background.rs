//! What runs beside the requests, until the server stops.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::{Shell, now, rng};
use crate::job;

/// The tasks; they end with [`Background::stop`].
pub(super) struct Background(Vec<JoinHandle<()>>);

impl Background {
    pub(super) fn start(shell: &Arc<Shell>) -> Self {
        Self(vec![
            tokio::spawn(again_and_again(shell, never, |shell| {
                job::tick(shell.app.services(), now());
            })),
            tokio::spawn(again_and_again(shell, never, |shell| {
                job::errands::go_on(shell.app.services(), now());
            })),
            tokio::spawn(again_and_again(shell, mail_is_due, send_mails)),
            tokio::spawn(again_and_again(shell, payments_are_due, follow_payments)),
        ])
    }

    /// Begins nothing more; what is under way ends by itself.
    pub(super) fn stop(self, shell: &Shell) {
        shell.is_stopping.store(true, Ordering::Relaxed);
        for task in self.0 {
            task.abort();
        }
    }
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
            let _ = tokio::task::spawn_blocking(move || work(&shell)).await;
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

fn follow_payments(shell: &Shell) {
    let mut rng = rng();
    while !shell.is_stopping.load(Ordering::Relaxed) {
        match job::payments::do_next(shell.app.services(), now(), &mut rng) {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => return tracing::warn!(%error, "payments wait: the store does not answer"),
        }
    }
}

fn send_mails(shell: &Shell) {
    let mut rng = rng();
    while !shell.is_stopping.load(Ordering::Relaxed) {
        match job::mail::send_next(shell.app.services(), now(), &mut rng) {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => return tracing::warn!(%error, "mails wait: the store does not answer"),
        }
    }
}
