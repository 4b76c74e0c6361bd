//! A mail server that really speaks SMTP (RFC 5321) and keeps what it is sent, for tests of both sides of the wire.

mod certificate;
mod mime;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

pub(crate) use mime::{Mail, read_mail};

/// The server, on a port of its own until it is dropped.
pub(crate) struct SmtpPeer {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

/// What it offers and insists on.
#[derive(Clone)]
pub(crate) struct Manner {
    pub(crate) tls: Security,
    /// Who may send, with which mechanism.
    pub(crate) login: Option<(&'static str, &'static str, &'static str)>,
    pub(crate) extensions: &'static [&'static str],
    /// What somebody on the way appends to the answer to STARTTLS.
    pub(crate) injected: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Security {
    Plain,
    StartTls,
    Implicit,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            tls: Security::Plain,
            login: None,
            extensions: &["8BITMIME", "SMTPUTF8"],
            injected: "",
        }
    }
}

/// How it answers instead of doing what it is asked.
#[derive(Clone, Copy)]
pub(crate) enum Refusal {
    Say(&'static str),
    /// It closes the connection.
    HangUp,
    /// It says nothing more, and keeps the connection.
    Hang,
}

#[derive(Default)]
struct State {
    heard: Mutex<Heard>,
    changed: Condvar,
}

#[derive(Default)]
struct Heard {
    mails: Vec<Mail>,
    /// Each with a mark whether it came under TLS.
    commands: Vec<(bool, String)>,
    refusal: Option<(&'static str, Refusal)>,
    is_over: bool,
}

impl SmtpPeer {
    /// One that takes mail in plain text from everybody.
    pub(crate) fn start() -> Self {
        Self::start_with(Manner::default())
    }

    pub(crate) fn start_with(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.heard.lock().unwrap().is_over {
                    return;
                }
                let (shared, manner) = (Arc::clone(&shared), manner.clone());
                std::thread::spawn(move || {
                    // A client that goes away ends its conversation, and nothing else.
                    let _ = Conversation::hold(stream.unwrap(), &manner, &shared);
                });
            }
        });
        Self { address, state }
    }

    /// The setting that sends mail here.
    pub(crate) fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// From now on, the step (`CONNECT`, a command such as `RCPT`, or `CONTENT`) is answered with this.
    pub(crate) fn refuse_with(&self, step: &'static str, refusal: Refusal) {
        self.state.heard.lock().unwrap().refusal = Some((step, refusal));
    }

    /// From now on, mail is taken again.
    pub(crate) fn accept(&self) {
        self.state.heard.lock().unwrap().refusal = None;
    }

    /// What has come so far.
    pub(crate) fn mails(&self) -> Vec<Mail> {
        self.state.heard.lock().unwrap().mails.clone()
    }

    /// Waits until so many have come.
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Mail> {
        let heard = self.state.heard.lock().unwrap();
        let (heard, waited) = self
            .state
            .changed
            .wait_timeout_while(heard, Duration::from_secs(30), |heard| {
                heard.mails.len() < count
            })
            .unwrap();
        assert!(
            !waited.timed_out(),
            "{} mails of {count}",
            heard.mails.len()
        );
        heard.mails.clone()
    }

    /// The commands so far, each with a mark whether it came under TLS.
    pub(crate) fn commands(&self) -> Vec<(bool, String)> {
        self.state.heard.lock().unwrap().commands.clone()
    }
}

impl Drop for SmtpPeer {
    fn drop(&mut self) {
        self.state.heard.lock().unwrap().is_over = true;
        // Wakes the thread that waits for clients; it may be gone.
        let _ = TcpStream::connect(self.address);
    }
}

enum Line {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

struct Conversation<'a> {
    line: Line,
    manner: &'a Manner,
    state: &'a State,
    is_logged_in: bool,
    from: Option<String>,
    to: Vec<String>,
}

impl Conversation<'_> {
    fn hold(stream: TcpStream, manner: &Manner, state: &State) -> io::Result<()> {
        let line = match manner.tls {
            Security::Implicit => within_tls(stream),
            Security::Plain | Security::StartTls => Line::Plain(stream),
        };
        let mut conversation = Conversation {
            line,
            manner,
            state,
            is_logged_in: false,
            from: None,
            to: Vec::new(),
        };
        if conversation.refuses("CONNECT")? {
            return Ok(());
        }
        conversation.say("220 peer.example ESMTP")?;
        while let Some(command) = conversation.hear()? {
            conversation.note(&command);
            let step = command
                .split([' ', ':'])
                .next()
                .unwrap()
                .to_ascii_uppercase();
            if !conversation.refuses(&step)? && !conversation.obey(&step, &command)? {
                break;
            }
        }
        Ok(())
    }

    /// Answers whether the conversation goes on.
    fn obey(&mut self, step: &str, command: &str) -> io::Result<bool> {
        match step {
            "EHLO" => self.say_extensions()?,
            "STARTTLS" if self.offers_starttls() => {
                let injected = self.manner.injected;
                self.write(&format!("220 go ahead\r\n{injected}"))?;
                let Line::Plain(stream) = &self.line else {
                    unreachable!("it is not offered under TLS");
                };
                self.line = within_tls(stream.try_clone()?);
            }
            "AUTH" => self.log_in(command)?,
            "MAIL" if self.manner.login.is_some() && !self.is_logged_in => {
                self.say("530 5.7.0 log in first")?;
            }
            "MAIL" => {
                let is_eight_bit = command.contains(" BODY=8BITMIME");
                let is_utf8 = command.contains(" SMTPUTF8");
                assert!(!is_eight_bit || self.offers("8BITMIME"), "{command}");
                assert!(!is_utf8 || self.offers("SMTPUTF8"), "{command}");
                assert!(is_utf8 || command.is_ascii(), "{command}");
                self.from = Some(path(command));
                self.to.clear();
                self.say("250 2.1.0 ok")?;
            }
            "RCPT" if self.from.is_some() => {
                self.to.push(path(command));
                self.say("250 2.1.5 ok")?;
            }
            "DATA" if !self.to.is_empty() => {
                self.say("354 go ahead")?;
                let raw = self.hear_content()?;
                if !self.refuses("CONTENT")? {
                    self.keep(&raw);
                    self.say("250 2.0.0 taken")?;
                }
            }
            "NOOP" => self.say("250 ok")?,
            "QUIT" => {
                self.say("221 bye")?;
                return Ok(false);
            }
            _ => self.say("503 5.5.1 not now")?,
        }
        Ok(true)
    }

    fn keep(&mut self, raw: &[u8]) {
        let mail = read_mail(raw, self.from.take().unwrap(), std::mem::take(&mut self.to));
        assert!(self.offers("8BITMIME") || raw.is_ascii());
        self.state.heard.lock().unwrap().mails.push(mail);
        self.state.changed.notify_all();
    }

    fn say_extensions(&mut self) -> io::Result<()> {
        let mut lines = vec!["peer.example".to_owned()];
        lines.extend(self.manner.extensions.iter().map(ToString::to_string));
        if self.offers_starttls() {
            lines.push("STARTTLS".to_owned());
        }
        if let Some((mechanism, _, _)) = self.manner.login {
            lines.push(format!("AUTH {mechanism}"));
        }
        let last = lines.len() - 1;
        for (index, line) in lines.iter().enumerate() {
            self.say(&format!(
                "250{}{line}",
                if index == last { ' ' } else { '-' }
            ))?;
        }
        Ok(())
    }

    /// RFC 4954, with PLAIN (RFC 4616) or LOGIN.
    fn log_in(&mut self, command: &str) -> io::Result<()> {
        let Some((mechanism, user, password)) = self.manner.login else {
            return self.say("503 5.5.1 nobody needs that");
        };
        let given = match mechanism {
            "PLAIN" => {
                let answer = command.strip_prefix("AUTH PLAIN ").unwrap();
                String::from_utf8(STANDARD.decode(answer).unwrap()).unwrap()
            }
            "LOGIN" => {
                assert_eq!(command, "AUTH LOGIN");
                let mut given = String::new();
                for question in ["Username:", "Password:"] {
                    self.say(&format!("334 {}", STANDARD.encode(question)))?;
                    let answer = self.hear()?.unwrap();
                    given.push('\0');
                    given.push_str(&String::from_utf8(STANDARD.decode(answer).unwrap()).unwrap());
                }
                given
            }
            _ => unreachable!("a mechanism of the tests"),
        };
        self.is_logged_in = given == format!("\0{user}\0{password}");
        self.say(match self.is_logged_in {
            true => "235 2.7.0 welcome",
            false => "535 5.7.8 wrong",
        })
    }

    /// Up to the dot that stands alone (RFC 5321 §4.5.2), without the dots that were added.
    fn hear_content(&mut self) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        loop {
            let line = self.hear_line()?.ok_or(io::ErrorKind::UnexpectedEof)?;
            if line == b".\r\n" {
                return Ok(content);
            }
            content.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        }
    }

    fn hear(&mut self) -> io::Result<Option<String>> {
        Ok(self
            .hear_line()?
            .map(|line| String::from_utf8(line).unwrap().trim_end().to_owned()))
    }

    /// Byte by byte, so that nothing of what follows STARTTLS is read in plain text.
    fn hear_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let mut byte = [0];
        while !line.ends_with(b"\r\n") {
            let count = match &mut self.line {
                Line::Plain(stream) => stream.read(&mut byte)?,
                Line::Tls(stream) => stream.read(&mut byte)?,
            };
            if count == 0 {
                return Ok(None);
            }
            line.push(byte[0]);
        }
        Ok(Some(line))
    }

    fn say(&mut self, line: &str) -> io::Result<()> {
        self.write(&format!("{line}\r\n"))
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        match &mut self.line {
            Line::Plain(stream) => stream.write_all(text.as_bytes()),
            Line::Tls(stream) => stream
                .write_all(text.as_bytes())
                .and_then(|()| stream.flush()),
        }
    }

    fn note(&self, command: &str) {
        let is_within_tls = matches!(self.line, Line::Tls(_));
        let mut heard = self.state.heard.lock().unwrap();
        heard.commands.push((is_within_tls, command.to_owned()));
    }

    /// Answers whether it has refused the step.
    fn refuses(&mut self, step: &str) -> io::Result<bool> {
        let refusal = self.state.heard.lock().unwrap().refusal;
        match refusal.filter(|(refused, _)| *refused == step) {
            None => Ok(false),
            Some((_, Refusal::Say(answer))) => self.say(answer).map(|()| true),
            Some((_, Refusal::HangUp)) => Err(io::ErrorKind::ConnectionAborted.into()),
            Some((_, Refusal::Hang)) => {
                // Until the client gives up.
                while self.hear_line()?.is_some() {}
                Err(io::ErrorKind::UnexpectedEof.into())
            }
        }
    }

    fn offers(&self, extension: &str) -> bool {
        self.manner.extensions.contains(&extension)
    }

    fn offers_starttls(&self) -> bool {
        self.manner.tls == Security::StartTls && matches!(self.line, Line::Plain(_))
    }
}

fn within_tls(stream: TcpStream) -> Line {
    let (chain, key) = certificate::self_signed();
    let config =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![chain], key)
            .unwrap();
    let connection = ServerConnection::new(Arc::new(config)).unwrap();
    Line::Tls(Box::new(StreamOwned::new(connection, stream)))
}

/// The certificate of all servers here, as DER: for clients that are to trust it.
pub(crate) fn certificate() -> Vec<u8> {
    certificate::self_signed().0.to_vec()
}

/// What stands between the angle brackets.
fn path(command: &str) -> String {
    let (_, rest) = command.split_once('<').unwrap();
    rest.rsplit_once('>').unwrap().0.to_owned()
}
