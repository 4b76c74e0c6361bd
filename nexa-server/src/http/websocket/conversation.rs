//! One WebSocket from its handshake to its last byte: frames out as the app says them, frames in for the protocol alone.

use std::future::{Future, pending};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message, Utf8Bytes};

use super::super::answer::unpanicked;
use super::super::io::{Phase, PhaseCell};
use super::super::serve::{ConnectionEvent, Open, Serve};
use super::{Closing, Feed, Said, Then};

/// How the time of a conversation goes.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Rules {
    /// Between two pings.
    pub(in super::super) ping_every: Duration,
    /// From a ping until something has come from the peer.
    pub(in super::super) pong_timeout: Duration,
    /// For taking what is said at once.
    pub(in super::super) write_stall: Duration,
    /// For taking the word at the end, and answering it.
    pub(in super::super) goodbye: Duration,
}

/// All WebSockets of a server. They take no places of requests; how many there may be is for the app to say.
pub(in super::super) struct Conversations {
    /// Turns on the blocking pool.
    asking: Arc<Semaphore>,
    rules: Rules,
    stop: watch::Sender<bool>,
}

/// However many wake at the same moment, requests have the rest of the blocking pool.
const ASKING: usize = 8;

impl Conversations {
    pub(in super::super) fn new(rules: Rules) -> Self {
        Self {
            asking: Arc::new(Semaphore::new(ASKING)),
            rules,
            stop: watch::channel(false).0,
        }
    }

    /// Has the connection go on as a WebSocket once its handshake is answered, in a task of its own, so that what HTTP needed
    /// is free again.
    pub(in super::super) fn begin<S: Serve>(
        &self,
        service: &Arc<S>,
        upgrade: OnUpgrade,
        feed: Feed,
        phase: &Arc<PhaseCell>,
    ) {
        let conversation = Conversation {
            service: Arc::clone(service),
            rules: self.rules,
            asking: Arc::clone(&self.asking),
            phase: Arc::clone(phase),
            stop: self.stop.subscribe(),
        };
        tokio::spawn(conversation.run(upgrade, feed));
    }

    /// Ends all of them, each with a word.
    pub(in super::super) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Ready once all are gone.
    pub(in super::super) async fn until_over(&self) {
        self.stop.closed().await;
    }
}

struct Conversation<S> {
    service: Arc<S>,
    rules: Rules,
    asking: Arc<Semaphore>,
    phase: Arc<PhaseCell>,
    /// Held to the end: whoever waits for all of them waits for these.
    stop: watch::Receiver<bool>,
}

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// The longest message that is read: nobody has anything to say to this server.
const MESSAGE_BYTES_MAX: usize = 4 << 10;

/// More than the longest message of ours and what answers one ping, which is all that ever waits there.
const WRITE_BUFFER_BYTES_MAX: usize = 2 << 20;

const GOING_AWAY: Closing = Closing {
    code: 1001,
    reason: "the server stops; connect again",
};

const TOO_SLOW: Closing = Closing {
    code: 4408,
    reason: "nothing was taken or answered in time; connect again",
};

const INTERNAL: Closing = Closing {
    code: 1011,
    reason: "something went wrong on the server",
};

/// Why a conversation is over.
enum End {
    /// To be told to the peer.
    Told(Closing),
    /// The peer has left.
    Gone,
}

impl<S: Serve> Conversation<S> {
    /// Runs until one side closes, the peer is silent, the place is for another one, or the server stops.
    async fn run(mut self, mut upgrade: OnUpgrade, mut feed: Feed) {
        let _open = Open::websocket(&self.service);
        let place = feed.place.take();
        let (displaced, _held) = place.map(|place| (place.displaced, place.held)).unzip();
        let mut displaced = pin!(told(displaced));
        let begun = tokio::select! {
            upgraded = &mut upgrade => Ok(upgraded),
            closing = &mut displaced => {
                self.service.connection(ConnectionEvent::WebSocketDisplaced);
                Err(closing)
            }
            _ = self.stop.wait_for(|is_stopping| *is_stopping) => Err(GOING_AWAY),
        };
        let (upgraded, is_over) = match begun {
            Ok(upgraded) => (upgraded.ok(), None),
            Err(closing) => (self.late(upgrade).await, Some(closing)),
        };
        let Some(upgraded) = upgraded else {
            return tracing::debug!("a connection did not get upgraded");
        };
        self.phase.set(Phase::Upgraded);
        let mut socket = socket(upgraded).await;
        let end = match is_over {
            Some(closing) => End::Told(closing),
            None => tokio::select! {
                end = self.talk(&mut socket, feed) => end,
                closing = &mut displaced => {
                    self.service.connection(ConnectionEvent::WebSocketDisplaced);
                    End::Told(closing)
                }
            },
        };
        if let End::Told(closing) = end {
            let goodbye = say_goodbye(&mut socket, &self.phase, closing);
            let _ = timeout(self.rules.goodbye, goodbye).await;
        }
    }

    /// The connection of one that is over before its handshake was taken, if that is still taken soon; else it is cut, so that
    /// no place is free before its file handle is.
    async fn late(&self, mut upgrade: OnUpgrade) -> Option<Upgraded> {
        if let Ok(upgraded) = timeout(self.rules.goodbye, &mut upgrade).await {
            return upgraded.ok();
        }
        self.phase.cut();
        // The connection may be one of a program that mounts this: that has limits of its own.
        timeout(self.rules.goodbye, upgrade).await.ok()?.ok()
    }

    async fn talk(&mut self, socket: &mut Socket, mut feed: Feed) -> End {
        let mut ask_at = Instant::now();
        let mut ping_at = ask_at + self.rules.ping_every;
        let mut is_pinged = false;
        loop {
            // What answers a ping is taken before more is heard: it does not gather for a peer that never reads.
            if let Some(end) = self.until_taken(socket.flush()).await {
                return end;
            }
            let deadline = ask_at.min(ping_at);
            tokio::select! {
                _ = self.stop.wait_for(|is_stopping| *is_stopping) => return End::Told(GOING_AWAY),
                heard = socket.next() => {
                    if let Some(end) = heard_end(heard) {
                        return end;
                    }
                    if is_pinged {
                        is_pinged = false;
                        ping_at = Instant::now() + self.rules.ping_every;
                    }
                }
                woken = feed.woken.changed() => {
                    if woken.is_err() {
                        return End::Told(INTERNAL);
                    }
                    ask_at = Instant::now();
                }
                () = tokio::time::sleep_until(deadline) => {}
            }
            let now = Instant::now();
            if ask_at <= now {
                let Some((said, fed)) = self.ask(feed).await else {
                    return End::Told(INTERNAL);
                };
                feed = fed;
                if let Some(end) = self.say(socket, said.texts).await {
                    return end;
                }
                match said.then {
                    Then::GoOn => {}
                    Then::Rest(time) => ask_at = Instant::now() + time,
                    Then::Close(closing) => return End::Told(closing),
                }
            }
            if ping_at <= now {
                if is_pinged {
                    // It may have answered while the app was asked, or while others were served.
                    tokio::task::yield_now().await;
                    match timeout(Duration::ZERO, socket.next()).await {
                        Ok(heard) => match heard_end(heard) {
                            Some(end) => return end,
                            None => {
                                is_pinged = false;
                                ping_at = Instant::now() + self.rules.ping_every;
                                continue;
                            }
                        },
                        Err(_) => return End::Told(TOO_SLOW),
                    }
                }
                is_pinged = true;
                ping_at = now + self.rules.pong_timeout;
                let ping = socket.send(Message::Ping(Default::default()));
                if let Some(end) = self.until_taken(ping).await {
                    return end;
                }
            }
        }
    }

    /// `None` when the app panicked, or the runtime ends.
    async fn ask(&mut self, mut feed: Feed) -> Option<(Said, Feed)> {
        let turn = Arc::clone(&self.asking).acquire_owned().await.ok()?;
        let now_ms = self.service.now_ms();
        let job = tokio::task::spawn_blocking(move || {
            // What comes while it is asked wakes it again.
            feed.woken.mark_unchanged();
            let said = unpanicked(|| (feed.ask)(now_ms))?;
            drop(turn);
            Some((said, feed))
        });
        job.await.ok().flatten()
    }

    /// The end, unless the peer takes it all.
    async fn say(&self, socket: &mut Socket, texts: Vec<String>) -> Option<End> {
        if texts.is_empty() {
            return None;
        }
        let taken = async {
            for text in texts {
                socket.feed(Message::Text(Utf8Bytes::from(text))).await?;
            }
            socket.flush().await
        };
        self.until_taken(taken).await
    }

    async fn until_taken(
        &self,
        taken: impl Future<Output = Result<(), tungstenite::Error>>,
    ) -> Option<End> {
        match timeout(self.rules.write_stall, taken).await {
            Ok(Ok(())) => None,
            Ok(Err(_)) => Some(End::Gone),
            Err(_) => Some(End::Told(TOO_SLOW)),
        }
    }
}

/// What a connection is told when it has lost its place; nothing else makes it ready.
async fn told(displaced: Option<oneshot::Receiver<Closing>>) -> Closing {
    let Some(displaced) = displaced else {
        return pending().await;
    };
    match displaced.await {
        Ok(closing) => closing,
        Err(_) => pending().await,
    }
}

async fn socket(upgraded: Upgraded) -> Socket {
    let config = WebSocketConfig::default()
        // Allocated for each connection, and little ever comes.
        .read_buffer_size(512)
        // Several messages go out in one write; beyond it, each one is written at once.
        .write_buffer_size(16 << 10)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await
}

/// What has come from the peer, if it ends the conversation. Messages say nothing to this server: they only show that the
/// peer is there.
fn heard_end(heard: Option<Result<Message, tungstenite::Error>>) -> Option<End> {
    let told = |code, reason| Some(End::Told(Closing { code, reason }));
    match heard {
        // The library answers pings and the closing handshake itself.
        Some(Ok(_)) => None,
        None => Some(End::Gone),
        Some(Err(error)) => match error {
            tungstenite::Error::Capacity(_) => told(1009, "messages may have 4096 bytes at most"),
            tungstenite::Error::Utf8(_) => told(1007, "a text must be UTF-8"),
            tungstenite::Error::Protocol(
                tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
            ) => Some(End::Gone),
            tungstenite::Error::Protocol(_) => told(1002, "this is not RFC 6455"),
            _ => Some(End::Gone),
        },
    }
}

/// Tells the peer, behind what it was sent before, and waits for its answer, so that it gets to read why.
async fn say_goodbye(socket: &mut Socket, phase: &PhaseCell, closing: Closing) {
    let frame = CloseFrame {
        code: CloseCode::from(closing.code),
        reason: Utf8Bytes::from_static(closing.reason),
    };
    if socket.close(Some(frame)).await.is_ok() {
        while let Some(Ok(_)) = socket.next().await {}
        // What is still on its way must not reset the connection before it has been read.
        phase.set(Phase::Refused);
        let _ = socket.get_mut().shutdown().await;
    }
}
