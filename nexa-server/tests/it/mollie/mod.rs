//! A payment service that really answers over HTTP as Mollie's API v2 does, and takes no money, for tests of both sides of
//! the wire.
//!
//! Tests play the customer ([`Mollie::pay`], [`Mollie::fail`]), time ([`Mollie::advance`]) and the network
//! ([`Mollie::trouble`], [`Mollie::hold`]), and have webhooks delivered when they want it ([`Mollie::deliver`]).

mod answers;
mod http;
mod ledger;

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::Value;

use http::{Answer, Call};
use ledger::Ledger;

/// The service, on a port of its own until it is dropped.
pub(crate) struct Mollie {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    ledger: Ledger,
    seen: Vec<Seen>,
    troubles: Vec<(usize, String, Trouble)>,
    /// For so many calls more.
    hold: Option<(usize, String, Stage)>,
    held: usize,
    releases: usize,
    is_over: bool,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    pub(crate) idempotency_key: Option<String>,
    /// `Null` where there was none.
    pub(crate) body: Value,
}

/// What happens to a call instead of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nothing is done, and this status answered.
    Status(u16),
    /// Nothing is done, and the connection is closed.
    HangUp,
    /// Nothing is done, and nothing said, until the client goes away.
    Hang,
    /// It is done, and the connection closed: the answer is lost.
    LoseAnswer,
}

/// Where a call is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Before anything is done.
    Arrived,
    /// When it is done, before it is answered.
    Done,
}

/// How a payment ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Paid,
    Failed,
    Canceled,
    Expired,
}

/// How long a test waits for what is to come before it fails.
const PATIENCE: Duration = Duration::from_secs(30);

impl Mollie {
    /// The one key that it takes.
    pub(crate) const KEY: &str = "test_dHar4XY7LxsDOtmnkVtjNVWXLSlXsM";

    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let threads = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if threads.state().is_over {
                    return;
                }
                let (shared, stream) = (Arc::clone(&threads), stream.unwrap());
                // A client that goes away ends its call, and nothing else.
                std::thread::spawn(move || shared.hold_conversation(stream, address));
            }
        });
        Self { address, shared }
    }

    /// The setting `NEXA_MOLLIE_API_URL`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next calls that fit the pattern meet this trouble. A pattern is a method and a path without its query, where `*`
    /// stands for one segment (`POST /v2/customers/*/subscriptions`); `*` alone fits all calls.
    pub(crate) fn trouble(&self, calls: usize, pattern: &str, trouble: Trouble) {
        let trouble = (calls, pattern.to_owned(), trouble);
        self.shared.state().troubles.push(trouble);
    }

    /// From now on nobody gets through, until [`recover`](Self::recover).
    pub(crate) fn go_down(&self) {
        self.trouble(usize::MAX, "*", Trouble::HangUp);
    }

    /// Ends all trouble.
    pub(crate) fn recover(&self) {
        self.shared.state().troubles.clear();
    }

    /// The next calls that fit the pattern wait there until [`release`](Self::release).
    pub(crate) fn hold(&self, calls: usize, pattern: &str, stage: Stage) {
        self.shared.state().hold = Some((calls, pattern.to_owned(), stage));
    }

    /// Waits until so many calls are held.
    pub(crate) fn wait_until_held(&self, count: usize) {
        self.shared.wait_until(|state| state.held >= count);
    }

    /// Lets all calls go on, and holds no others.
    pub(crate) fn release(&self) {
        self.shared.state().release();
        self.shared.changed.notify_all();
    }

    /// The requests so far that fit the pattern, in the order in which they came.
    pub(crate) fn requests(&self, pattern: &str) -> Vec<Seen> {
        let state = self.shared.state();
        let fits = state.seen.iter().filter(|seen| seen.fits(pattern));
        fits.cloned().collect()
    }

    /// Waits until so many requests that fit the pattern have come.
    pub(crate) fn wait_for(&self, pattern: &str, count: usize) -> Vec<Seen> {
        let fits = |seen: &&Seen| seen.fits(pattern);
        self.shared
            .wait_until(|state| state.seen.iter().filter(fits).count() >= count);
        self.requests(pattern)
    }

    /// The customer pays. A first payment makes a valid mandate.
    pub(crate) fn pay(&self, payment_id: &str) {
        self.end(payment_id, End::Paid);
    }

    pub(crate) fn fail(&self, payment_id: &str) {
        self.end(payment_id, End::Failed);
    }

    pub(crate) fn expire(&self, payment_id: &str) {
        self.end(payment_id, End::Expired);
    }

    /// The customer turns back.
    pub(crate) fn cancel(&self, payment_id: &str) {
        self.end(payment_id, End::Canceled);
    }

    fn end(&self, payment_id: &str, end: End) {
        self.shared.state().ledger.end(payment_id, end);
    }

    /// Recurring payments end so as soon as they are made, as those with a card do. Otherwise they are pending until a test
    /// ends them, as direct debits are for days.
    pub(crate) fn end_recurring_payments(&self, end: Option<End>) {
        self.shared.state().ledger.recurring_end = end;
    }

    /// Pays that much back, at once; answers the id of the refund.
    pub(crate) fn refund(&self, payment_id: &str, cents: u64) -> String {
        self.shared
            .state()
            .ledger
            .refund(payment_id, cents, "refunded")
    }

    /// As [`refund`](Self::refund), in any status: `queued`, `pending`, `processing`, `refunded`, `failed` or `canceled`.
    pub(crate) fn refund_in(&self, payment_id: &str, cents: u64, status: &'static str) -> String {
        self.shared.state().ledger.refund(payment_id, cents, status)
    }

    pub(crate) fn move_refund(&self, refund_id: &str, status: &'static str) {
        self.shared.state().ledger.move_refund(refund_id, status);
    }

    /// The customer's bank takes all of it back; answers the id of the chargeback.
    pub(crate) fn charge_back(&self, payment_id: &str) -> String {
        self.shared.state().ledger.charge_back(payment_id)
    }

    /// The bank gives back what this chargeback took. No webhook is due: the documentation of payments promises none.
    pub(crate) fn reverse_chargeback(&self, chargeback_id: &str) {
        self.shared.state().ledger.reverse(chargeback_id);
    }

    /// The day of the subscription's next payment has come; answers the id of that payment, pending unless
    /// [`end_recurring_payments`](Self::end_recurring_payments) says otherwise.
    ///
    /// # Panics
    /// If the subscription is not active.
    pub(crate) fn advance(&self, subscription_id: &str) -> String {
        self.shared.state().ledger.advance(subscription_id)
    }

    /// The customer withdraws every mandate: subscriptions are suspended, recurring payments refused.
    pub(crate) fn revoke_mandates(&self, customer_id: &str) {
        self.shared.state().ledger.revoke_mandates(customer_id);
    }

    /// Somebody removes the customer in the dashboard.
    pub(crate) fn remove_customer(&self, customer_id: &str) {
        self.shared.state().ledger.remove_customer(customer_id);
    }

    /// As if an hour had passed: calls with the idempotency keys so far are new ones.
    pub(crate) fn forget_idempotency_keys(&self) {
        self.shared.state().ledger.forget_idempotency_keys();
    }

    /// Lists are answered in pages of so many entries at most.
    pub(crate) fn page(&self, entries: usize) {
        self.shared.state().ledger.page = Some(entries);
    }

    /// The ids of the payments so far, the oldest first.
    pub(crate) fn payments(&self) -> Vec<String> {
        self.shared.state().ledger.payment_ids()
    }

    /// The payment as the API shows it, with refunds and chargebacks.
    pub(crate) fn payment(&self, id: &str) -> Value {
        self.shared.state().ledger.show_payment(id)
    }

    /// The ids of the subscriptions so far, the oldest first.
    pub(crate) fn subscriptions(&self) -> Vec<String> {
        self.shared.state().ledger.subscription_ids()
    }

    /// The subscription as the API shows it.
    pub(crate) fn subscription(&self, id: &str) -> Value {
        self.shared.state().ledger.show_subscription(id)
    }

    /// The ids of the customers that are there, the oldest first.
    pub(crate) fn customers(&self) -> Vec<String> {
        self.shared.state().ledger.customer_ids()
    }

    /// The customer as the API shows it.
    pub(crate) fn customer(&self, id: &str) -> Value {
        self.shared.state().ledger.show_customer(id)
    }

    /// Calls the webhook of the payment, however often it was called before; answers the status that it got.
    pub(crate) fn deliver(&self, payment_id: &str) -> u16 {
        let url = self.shared.state().ledger.webhook_of(payment_id);
        http::call_webhook(&url, payment_id)
    }

    /// The payments that have changed since they were taken from here, in that order, one entry a change: calls of webhooks
    /// that are due. A test delivers them all, drops some, or changes their order.
    pub(crate) fn take_due(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.state().ledger.due)
    }

    /// Delivers what is due, in order; answers the statuses.
    pub(crate) fn deliver_due(&self) -> Vec<u16> {
        let due = self.take_due();
        due.iter().map(|id| self.deliver(id)).collect()
    }
}

impl Drop for Mollie {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.is_over = true;
        state.release();
        drop(state);
        self.shared.changed.notify_all();
        // Wakes the thread that waits for clients; it may be gone.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn wait_until(&self, is_so: impl Fn(&State) -> bool) {
        let state = self.state();
        let (state, waited) = self
            .changed
            .wait_timeout_while(state, PATIENCE, |state| !is_so(state))
            .unwrap();
        assert!(!waited.timed_out(), "so far: {:#?}", state.seen);
    }

    /// One call a connection.
    fn hold_conversation(&self, mut stream: TcpStream, address: SocketAddr) {
        let Ok(Some(call)) = Call::read(&mut stream) else {
            return;
        };
        let mut state = self.state();
        let seen = call.seen();
        state.seen.push(seen.clone());
        let trouble = state.next_trouble(&seen);
        drop(state);
        self.changed.notify_all();
        match trouble {
            Some(Trouble::HangUp) => return,
            Some(Trouble::Hang) => return http::wait_for_end(&mut stream),
            Some(Trouble::Status(status)) => return send(&mut stream, &Answer::trouble(status)),
            Some(Trouble::LoseAnswer) | None => {}
        }
        self.stop_at(&seen, Stage::Arrived);
        let answer = self.state().ledger.answer(&call, address);
        self.stop_at(&seen, Stage::Done);
        self.state().ledger.finish(&call, &answer);
        if trouble.is_none() {
            send(&mut stream, &answer);
        }
    }

    fn stop_at(&self, seen: &Seen, stage: Stage) {
        let mut state = self.state();
        if state.takes_hold(seen, stage) {
            let releases = state.releases;
            state.held += 1;
            self.changed.notify_all();
            let is_held = |state: &mut State| state.releases == releases;
            drop(self.changed.wait_while(state, is_held).unwrap());
        }
    }
}

fn send(stream: &mut TcpStream, answer: &Answer) {
    // The client may have gone away.
    let _ = stream.write_all(&answer.bytes());
}

impl State {
    fn takes_hold(&mut self, seen: &Seen, stage: Stage) -> bool {
        match &mut self.hold {
            Some((calls @ 1.., pattern, held_at)) if *held_at == stage && seen.fits(pattern) => {
                *calls -= 1;
                true
            }
            Some(_) | None => false,
        }
    }

    fn release(&mut self) {
        self.hold = None;
        self.held = 0;
        self.releases += 1;
    }

    fn next_trouble(&mut self, seen: &Seen) -> Option<Trouble> {
        let place = self
            .troubles
            .iter()
            .position(|(_, pattern, _)| seen.fits(pattern))?;
        let (calls, _, trouble) = &mut self.troubles[place];
        let trouble = *trouble;
        *calls -= 1;
        if *calls == 0 {
            self.troubles.remove(place);
        }
        Some(trouble)
    }
}

impl Seen {
    fn fits(&self, pattern: &str) -> bool {
        if pattern == "*" {
            return true;
        }
        let (path, _) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let call = format!("{} {path}", self.method);
        let (wanted, found) = (pattern.split('/'), call.split('/'));
        wanted.clone().count() == found.clone().count()
            && wanted
                .zip(found)
                .all(|(wanted, found)| wanted == "*" || wanted == found)
    }
}
