//! SMTP (RFC 5321): one conversation for each mail.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{SmtpConnection, Tls, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};

use super::address::{Host, Sender, host, recipient};
use super::compose::{Reach, compose};
use super::url::{Security, Server};
use super::{MailError, Mailer, Message};
use crate::time::UnixMillis;

/// How long each answer of the server may take, and each of its addresses to take a call. What a server needs to be
/// asked for one mail is about ten answers, so that one which hangs holds a thread for half a minute at most.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends mails to one server.
pub(super) struct Smtp {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: Tls,
    pub(super) credentials: Option<Credentials>,
    pub(super) hello: ClientId,
    pub(super) from: Sender,
    pub(super) patience: Duration,
}

impl Smtp {
    /// # Errors
    /// A sentence that names the setting.
    pub(super) fn new(server: &Server, from: Sender, public_url: &str) -> Result<Self, String> {
        let parameters = || TlsParameters::builder(server.host.clone());
        let tls = match server.security {
            Security::Plain => Ok(Tls::None),
            Security::StartTlsIfOffered => parameters()
                .dangerous_accept_invalid_certs(true)
                .build()
                .map(Tls::Opportunistic),
            Security::StartTls => parameters().build().map(Tls::Required),
            Security::Tls => parameters().build().map(Tls::Wrapper),
        };
        Ok(Self {
            host: server.host.clone(),
            port: server.port,
            tls: tls.map_err(|error| format!("mail.url: {error}"))?,
            credentials: server
                .login
                .as_ref()
                .map(|login| Credentials::new(login.user.clone(), login.password.clone())),
            hello: match host(public_url) {
                Host::Name(name) => ClientId::Domain(name.to_owned()),
                Host::Address(std::net::IpAddr::V4(address)) => ClientId::Ipv4(address),
                Host::Address(std::net::IpAddr::V6(address)) => ClientId::Ipv6(address),
            },
            from,
            patience: PATIENCE,
        })
    }

    /// A connection that is as safe as it has to be, and knows who we are.
    fn connect(&self) -> Result<SmtpConnection, MailError> {
        let (within, upgrade) = match &self.tls {
            Tls::None => (None, None),
            Tls::Opportunistic(parameters) => (None, Some((parameters, false))),
            Tls::Required(parameters) => (None, Some((parameters, true))),
            Tls::Wrapper(parameters) => (Some(parameters), None),
        };
        let mut connection = SmtpConnection::connect(
            (self.host.as_str(), self.port),
            Some(self.patience),
            &self.hello,
            within,
            None,
        )
        .map_err(not_now)?;
        if let Some((parameters, is_required)) = upgrade
            && (is_required || connection.can_starttls())
        {
            connection
                .starttls(parameters, &self.hello)
                .map_err(not_now)?;
            self.refuse_early_answers(&mut connection)?;
        }
        if let Some(credentials) = &self.credentials {
            connection
                .auth(DEFAULT_MECHANISMS, credentials)
                .map_err(not_now)?;
        }
        Ok(connection)
    }

    /// Whoever sits between us and the server could append answers to the one to STARTTLS, in plain text, which would
    /// then pass as given under TLS: a mail could be taken for sent that was not. Our buffer holds such answers already,
    /// so a moment is enough to see them. (One answer alone is eaten by the EHLO that follows STARTTLS, and puts all
    /// later ones out of step: the answer to DATA, like no other, shows that.)
    fn refuse_early_answers(&self, connection: &mut SmtpConnection) -> Result<(), MailError> {
        const MOMENT: Duration = Duration::from_millis(1);
        let broken = |error: io::Error| MailError::NotNow(error.to_string());
        connection.set_timeout(Some(MOMENT)).map_err(broken)?;
        match connection.read_response() {
            Err(error) if is_silence(&error) => {}
            Ok(_) | Err(_) => return Err(out_of_step()),
        }
        connection.set_timeout(Some(self.patience)).map_err(broken)
    }

    fn converse(
        &self,
        connection: &mut SmtpConnection,
        now: UnixMillis,
        to: &Address,
        message: &Message,
    ) -> Result<(), Fault> {
        let server = connection.server_info();
        let takes_eight_bits = server.supports_feature(Extension::EightBitMime);
        let takes_utf8 = server.supports_feature(Extension::SmtpUtfEight);
        let reach = match takes_eight_bits {
            true => Reach::EightBit,
            false => Reach::SevenBit,
        };
        let mut parameters = Vec::new();
        if !to.user().is_ascii() {
            // RFC 6531 §3.2 asks for both.
            if !(takes_utf8 && takes_eight_bits) {
                let rule = "the mail server takes ASCII addresses only (no SMTPUTF8)";
                return Err(Fault::Mail(MailError::Refused(rule.to_owned())));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        let mail = compose(now, &self.from, message, reach)
            .map_err(Fault::Mail)?
            .formatted();
        if !mail.is_ascii() {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        let from = self.from.email().clone();
        connection
            .command(Mail::new(Some(from), parameters))
            .map_err(Fault::Sender)?;
        connection
            .command(Rcpt::new(to.clone(), Vec::new()))
            .map_err(Fault::Recipient)?;
        let answer = connection.command(Data).map_err(Fault::Recipient)?;
        if !answer.has_code(354) {
            return Err(Fault::Mail(out_of_step()));
        }
        connection.message(&mail).map_err(Fault::Recipient)?;
        Ok(())
    }
}

impl Mailer for Smtp {
    fn send(&self, now: UnixMillis, message: &Message) -> Result<(), MailError> {
        let to = recipient(&message.to)
            .map_err(|rule| MailError::Refused(format!("the address {rule}")))?;
        let mut connection = self.connect()?;
        let sent = self.converse(&mut connection, now, &to, message);
        // A server that has stopped answering is not asked again, nor waited for.
        if sent.as_ref().err().is_none_or(Fault::is_answer) {
            // The mail is sent or refused already.
            let _ = connection.quit();
        }
        sent.map_err(Fault::into_error)
    }
}

/// What went wrong, and at which point of the conversation.
enum Fault {
    /// The server was asked to take a mail from us.
    Sender(SmtpError),
    /// It was asked to take it for this recipient, or was shown it.
    Recipient(SmtpError),
    /// Known without asking.
    Mail(MailError),
}

impl Fault {
    fn is_answer(&self) -> bool {
        match self {
            Self::Sender(error) | Self::Recipient(error) => error.status().is_some(),
            Self::Mail(_) => true,
        }
    }

    /// A mail is given up only for what is said of it or of whom it is for. All else can be set right by the operator:
    /// the sender that a server does not let us be, the log-in that it wants (530), its policy (5.7.x, RFC 3463 §3.8).
    fn into_error(self) -> MailError {
        match self {
            Self::Mail(error) => error,
            Self::Sender(error) => not_now(error),
            Self::Recipient(error) => {
                let is_policy = error
                    .source()
                    .is_some_and(|text| text.to_string().starts_with("5.7."));
                let wants_login = error.status().is_some_and(|code| code.to_string() == "530");
                match error.is_permanent() && !is_policy && !wants_login {
                    true => MailError::Refused(error.to_string()),
                    false => not_now(error),
                }
            }
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn not_now(error: SmtpError) -> MailError {
    MailError::NotNow(error.to_string())
}

fn out_of_step() -> MailError {
    MailError::NotNow("the mail server's answers do not follow the questions".to_owned())
}

/// Whether nothing came within the time.
fn is_silence(error: &SmtpError) -> bool {
    error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>())
        .is_some_and(|error| {
            matches!(
                error.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
            )
        })
}
