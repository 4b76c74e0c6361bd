//! Where mails go, as the operator writes it: `smtp://…`, `smtps://…`, `file:DIR`, `log:`.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;

/// A mail URL whose parts hold. It shows no password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MailUrl {
    /// To the log.
    Log,
    /// Into a folder, a file each.
    Folder(PathBuf),
    /// To a mail server.
    Server(Server),
}

/// A mail server, and how to speak with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    /// A name, or an address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) security: Security,
    pub(super) login: Option<Login>,
}

/// What guards the conversation. A user and a password are sent under each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Security {
    /// TLS from the first byte (RFC 8314), with a certificate that somebody vouches for: `smtps://`.
    Tls,
    /// STARTTLS (RFC 3207), with such a certificate, or nothing at all: `smtp://`.
    StartTls,
    /// STARTTLS if it is offered, with any certificate: `smtp://` to this machine, where plain text would do.
    StartTlsIfOffered,
    /// Plain text: `?tls=none`, which an operator says of a network that only they can read.
    Plain,
}

/// Who the server is to take us for.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Submission (RFC 6409 §3.1), in plain text or with STARTTLS.
const SMTP_PORT: u16 = 587;
/// Submission within TLS (RFC 8314 §7.3).
const SMTPS_PORT: u16 = 465;

impl MailUrl {
    /// `smtp://[user:password@]host[:port][?tls=none]`, `smtps://[user:password@]host[:port]`, `file:DIR` or `log:`.
    /// User and password are percent-encoded, the folder is not.
    ///
    /// # Errors
    /// The rule; never the text itself, which may hold a password.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text == "log:" {
            return Ok(Self::Log);
        }
        if let Some(folder) = text.strip_prefix("file:") {
            return folder_of(folder).map(Self::Folder);
        }
        let (rest, is_within_tls) =
            match (text.strip_prefix("smtp://"), text.strip_prefix("smtps://")) {
                (Some(rest), _) => (rest, false),
                (_, Some(rest)) => (rest, true),
                (None, None) => {
                    return Err("must be smtp://HOST, smtps://HOST, file:DIR or log:".to_owned());
                }
            };
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (rest, None),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (Some(login_of(login)?), place),
            None => (None, authority),
        };
        let (host, port) = place_of(place)?;
        let security = match (is_within_tls, query) {
            (true, None) => Security::Tls,
            (true, Some(_)) => return Err("smtps:// takes nothing after a ?".to_owned()),
            (false, Some("tls=none")) => Security::Plain,
            (false, Some(_)) => return Err("after the ? only tls=none is known".to_owned()),
            (false, None) if is_this_machine(&host) => Security::StartTlsIfOffered,
            (false, None) => Security::StartTls,
        };
        Ok(Self::Server(Server {
            host,
            port: port.unwrap_or(if is_within_tls { SMTPS_PORT } else { SMTP_PORT }),
            security,
            login,
        }))
    }
}

/// `file:mails`, `file:/var/mails` and `file:///var/mails`.
fn folder_of(text: &str) -> Result<PathBuf, String> {
    let folder = match text.strip_prefix("//") {
        Some(rest) if !rest.starts_with('/') => {
            return Err("file: takes a folder, without // before it".to_owned());
        }
        Some(rest) => rest,
        None => text,
    };
    if folder.is_empty() {
        return Err("file: must name a folder".to_owned());
    }
    Ok(PathBuf::from(folder))
}

fn login_of(text: &str) -> Result<Login, String> {
    let (user, password) = text
        .split_once(':')
        .ok_or("before the @ stand a user and a password, with a colon between them")?;
    let decode = |text: &str| {
        decode(text).ok_or("what is no letter or digit of user or password is percent-encoded")
    };
    let login = Login {
        user: decode(user)?,
        password: decode(password)?,
    };
    // AUTH PLAIN divides them by NUL (RFC 4616 §2).
    let is_sayable = |text: &str| !text.is_empty() && !text.contains('\0');
    if !is_sayable(&login.user) || !is_sayable(&login.password) {
        return Err("user and password must not be empty".to_owned());
    }
    Ok(login)
}

/// Whole escapes and UTF-8, and nothing that another reader could take for an end of user and password.
fn decode(text: &str) -> Option<String> {
    let is_whole = text.split('%').skip(1).all(|after| {
        let digits = after.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    if !is_whole || text.contains(['@', ':', '/', '#']) {
        return None;
    }
    let text = percent_decode_str(text).decode_utf8().ok()?;
    Some(text.into_owned())
}

fn place_of(text: &str) -> Result<(String, Option<u16>), String> {
    const HOST: &str =
        "needs a host name or an address, and a port if any; user and password are percent-encoded";
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']').ok_or(HOST)?;
            address.parse::<std::net::Ipv6Addr>().map_err(|_| HOST)?;
            (address, (!port.is_empty()).then_some(port))
        }
        None => {
            let start_of_port = text.find(':').unwrap_or(text.len());
            let (host, port) = text.split_at_checked(start_of_port).ok_or(HOST)?;
            let is_of_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
            if host.is_empty() || !host.bytes().all(is_of_name) {
                return Err(HOST.to_owned());
            }
            (host, (!port.is_empty()).then_some(port))
        }
    };
    let port = match port {
        None => None,
        Some(text) => Some(
            text.strip_prefix(':')
                .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()))
                .and_then(|digits| digits.parse().ok())
                .filter(|port| *port != 0)
                .ok_or("the port must be from 1 to 65535")?,
        ),
    };
    Ok((host.to_owned(), port))
}

fn is_this_machine(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(host: &str, port: u16, security: Security, login: Option<(&str, &str)>) -> MailUrl {
        MailUrl::Server(Server {
            host: host.to_owned(),
            port,
            security,
            login: login.map(|(user, password)| Login {
                user: user.to_owned(),
                password: password.to_owned(),
            }),
        })
    }

    #[test]
    fn each_form_is_read() {
        use Security::{Plain, StartTls, StartTlsIfOffered, Tls};
        for (text, url) in [
            ("log:", MailUrl::Log),
            ("file:mails", MailUrl::Folder("mails".into())),
            ("file:/var/a%20b?c", MailUrl::Folder("/var/a%20b?c".into())),
            ("file:///var/mails", MailUrl::Folder("/var/mails".into())),
            (
                "smtp://mx.example.com",
                server("mx.example.com", 587, StartTls, None),
            ),
            (
                "smtp://mx.example.com/",
                server("mx.example.com", 587, StartTls, None),
            ),
            (
                "smtp://mx.example.com:25",
                server("mx.example.com", 25, StartTls, None),
            ),
            ("smtp://10.0.0.1", server("10.0.0.1", 587, StartTls, None)),
            (
                "smtp://[2001:db8::1]:26",
                server("2001:db8::1", 26, StartTls, None),
            ),
            (
                "smtp://mx.example.com?tls=none",
                server("mx.example.com", 587, Plain, None),
            ),
            (
                "smtp://u:p@mx:25/?tls=none",
                server("mx", 25, Plain, Some(("u", "p"))),
            ),
            (
                "smtp://localhost",
                server("localhost", 587, StartTlsIfOffered, None),
            ),
            (
                "smtp://LocalHost:1025",
                server("LocalHost", 1025, StartTlsIfOffered, None),
            ),
            (
                "smtp://127.3.2.1:25",
                server("127.3.2.1", 25, StartTlsIfOffered, None),
            ),
            ("smtp://[::1]", server("::1", 587, StartTlsIfOffered, None)),
            (
                "smtp://127.0.0.1?tls=none",
                server("127.0.0.1", 587, Plain, None),
            ),
            (
                "smtp://localhost.example.com",
                server("localhost.example.com", 587, StartTls, None),
            ),
            ("smtp://0.0.0.0", server("0.0.0.0", 587, StartTls, None)),
            (
                "smtps://mx.example.com",
                server("mx.example.com", 465, Tls, None),
            ),
            (
                "smtps://localhost:1465",
                server("localhost", 1465, Tls, None),
            ),
            (
                "smtps://me%40example.com:p%3A%2F%40%C3%BC%20@mx",
                server("mx", 465, Tls, Some(("me@example.com", "p:/@\u{fc} "))),
            ),
        ] {
            assert_eq!(MailUrl::parse(text), Ok(url), "{text}");
        }
    }

    #[test]
    fn what_is_none_is_refused_with_its_rule_and_without_its_password() {
        const FORM: &str = "must be smtp://HOST, smtps://HOST, file:DIR or log:";
        const HOST: &str = "needs a host name or an address, and a port if any; user and password are percent-encoded";
        const PORT: &str = "the port must be from 1 to 65535";
        const ESCAPE: &str = "what is no letter or digit of user or password is percent-encoded";
        const LOGIN: &str = "before the @ stand a user and a password, with a colon between them";
        const EMPTY: &str = "user and password must not be empty";
        for (text, rule) in [
            ("", FORM),
            ("log", FORM),
            ("log:x", FORM),
            ("mx.example.com", FORM),
            ("SMTP://mx", FORM),
            ("smtp:mx", FORM),
            ("http://mx", FORM),
            ("file:", "file: must name a folder"),
            ("file://mails", "file: takes a folder, without // before it"),
            ("smtp://", HOST),
            ("smtp://:25", HOST),
            ("smtp:///", HOST),
            ("smtp://mx/path", HOST),
            ("smtp://mx#x", HOST),
            ("smtp://m\u{fc}", HOST),
            ("smtp://m x", HOST),
            ("smtp://[::1", HOST),
            ("smtp://[mx]", HOST),
            ("smtp://::1", HOST),
            ("smtp://[::1]25", PORT),
            ("smtp://mx:", PORT),
            ("smtp://mx:0", PORT),
            ("smtp://mx:65536", PORT),
            ("smtp://mx:+25", PORT),
            ("smtp://mx:25:25", PORT),
            ("smtp://mx?", "after the ? only tls=none is known"),
            ("smtp://mx?tls=NONE", "after the ? only tls=none is known"),
            (
                "smtp://mx?tls=none&x=y",
                "after the ? only tls=none is known",
            ),
            ("smtp://mx?starttls=1", "after the ? only tls=none is known"),
            ("smtps://mx?tls=none", "smtps:// takes nothing after a ?"),
            ("smtp://secret@mx", LOGIN),
            ("smtp://:secret@mx", EMPTY),
            ("smtp://secret:@mx", EMPTY),
            ("smtp://u:secret%00@mx", EMPTY),
            ("smtp://u:secret%@mx", ESCAPE),
            ("smtp://u:secret%4@mx", ESCAPE),
            ("smtp://u:secret%zz@mx", ESCAPE),
            ("smtp://u:secret%ff@mx", ESCAPE),
            ("smtp://u:sec:ret@mx", ESCAPE),
            ("smtp://u:sec@ret@mx", ESCAPE),
            ("smtp://u:sec/ret@mx", ESCAPE),
            ("smtp://u:sec#ret@mx", ESCAPE),
            ("smtp://u:sec?ret@mx", PORT),
        ] {
            let refused = MailUrl::parse(text).map(|_| ());
            assert_eq!(refused, Err(rule.to_owned()), "{text}");
        }
    }

    #[test]
    fn no_password_is_shown() {
        let url = MailUrl::parse("smtps://me:secret@mx").unwrap();
        let shown = format!("{url:?}");
        assert!(shown.contains("me") && !shown.contains("secret"), "{shown}");
    }
}
