//! Addresses of mails: who sends them, and the form in which mail servers take the one they go to.

use std::net::{IpAddr, Ipv6Addr};

use lettre::Address;
use lettre::message::Mailbox;

/// Whom mails come from: `Acme <no-reply@acme.example>`.
#[derive(Clone, Debug)]
pub(crate) struct Sender(Mailbox);

impl Sender {
    /// Reads a name and an address, or an address alone.
    ///
    /// # Errors
    /// The rule.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        const RULE: &str =
            "must be an address, or a name and an address such as Acme <no-reply@acme.example>";
        if text.chars().any(char::is_control) {
            return Err(RULE.to_owned());
        }
        let mailbox: Mailbox = text.parse().map_err(|_| RULE.to_owned())?;
        let email = recipient(mailbox.email.as_ref()).map_err(|_| RULE.to_owned())?;
        if !email.user().is_ascii() {
            // It goes to every server, and some take no other.
            return Err("the part before the @ must be ASCII".to_owned());
        }
        Ok(Self(Mailbox::new(mailbox.name, email)))
    }

    /// `no-reply` at the host of the public URL; at `localhost` where that is a bare address, since servers take mail
    /// from hosts with a name.
    pub(super) fn at_home(public_url: &str) -> Result<Self, String> {
        let domain = match host(public_url) {
            Host::Name(name) => name,
            Host::Address(_) => "localhost",
        };
        Self::parse(&format!("no-reply@{domain}")).map_err(|_| {
            format!("mail.from: must be set, since {domain:?} of the public URL is no mail domain")
        })
    }

    pub(super) fn mailbox(&self) -> Mailbox {
        self.0.clone()
    }

    pub(super) fn email(&self) -> &Address {
        &self.0.email
    }
}

/// The host of an http or https URL.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Host<'a> {
    Name(&'a str),
    Address(IpAddr),
}

pub(super) fn host(url: &str) -> Host<'_> {
    let authority = authority(url);
    if let Some((address, _)) = authority
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
        && let Ok(address) = address.parse::<Ipv6Addr>()
    {
        return Host::Address(address.into());
    }
    let name = authority.split(':').next().unwrap_or_default();
    name.parse().map_or(Host::Name(name), Host::Address)
}

/// Host and port of an http or https URL, as they are written.
pub(super) fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

/// The address as it goes into the envelope and the header: the domain in ASCII (RFC 5891), which every server takes,
/// and in quotes what before the @ is no plain word (RFC 5321 §4.1.2).
///
/// # Errors
/// The rule.
pub(super) fn recipient(given: &str) -> Result<Address, String> {
    const RULE: &str = "is no address that mail can be sent to";
    let refuse = || RULE.to_owned();
    if given.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(refuse());
    }
    let (user, domain) = given.rsplit_once('@').ok_or_else(refuse)?;
    let domain = idna::domain_to_ascii(domain).map_err(|_| refuse())?;
    if let Ok(address) = Address::new(user, &domain) {
        return Ok(address);
    }
    let is_plain_otherwise = !user.is_empty() && !user.contains(['"', '\\', '@', '<', '>']);
    if !is_plain_otherwise {
        return Err(refuse());
    }
    Address::new(format!("\"{user}\""), &domain).map_err(|_| refuse())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_is_an_address_with_or_without_a_name() {
        for (text, shown) in [
            ("a@b.example", Some("a@b.example")),
            (
                "Acme <no-reply@acme.example>",
                Some("Acme <no-reply@acme.example>"),
            ),
            (
                "\"Acme, Inc.\" <a@acme.example>",
                Some("\"Acme, Inc.\" <a@acme.example>"),
            ),
            (
                "B\u{fc}cher <a@b\u{fc}cher.example>",
                Some("B\u{fc}cher <a@xn--bcher-kva.example>"),
            ),
            ("no-reply@localhost", Some("no-reply@localhost")),
            ("", None),
            ("Acme", None),
            ("Acme <a@b.example", None),
            ("a@b.example, c@d.example", None),
            ("j\u{f6}rg@b.example", None),
            ("Acme\r\nBcc: x@y.example <a@b.example>", None),
        ] {
            let read = Sender::parse(text)
                .ok()
                .map(|from| from.mailbox().to_string());
            assert_eq!(read.as_deref(), shown, "{text:?}");
        }
    }

    #[test]
    fn mail_comes_from_the_host_of_the_public_url() {
        for (url, from) in [
            ("https://auth.example.com", "no-reply@auth.example.com"),
            (
                "https://auth.example.com:8443/auth",
                "no-reply@auth.example.com",
            ),
            ("http://localhost:8080", "no-reply@localhost"),
            ("http://127.0.0.1:8080", "no-reply@localhost"),
            ("http://[::1]:8080/x", "no-reply@localhost"),
        ] {
            let sender = Sender::at_home(url).unwrap();
            assert_eq!(sender.mailbox().to_string(), from, "{url}");
        }
        assert!(
            Sender::at_home("https://a..b")
                .unwrap_err()
                .starts_with("mail.from: ")
        );
    }

    #[test]
    fn what_can_be_registered_can_be_written_to() {
        for (given, sent) in [
            ("a@example.com", Some("a@example.com")),
            (
                "o'brien!#$%&*/=?^`{|}~@example.com",
                Some("o'brien!#$%&*/=?^`{|}~@example.com"),
            ),
            ("A.B+c@Example.com", Some("A.B+c@example.com")),
            ("a@localhost", Some("a@localhost")),
            ("a@my_host.example", Some("a@my_host.example")),
            ("a@1.example", Some("a@1.example")),
            (
                "J\u{f6}rg@b\u{fc}cher.example",
                Some("J\u{f6}rg@xn--bcher-kva.example"),
            ),
            (
                "\u{7528}\u{6237}@\u{4f8b}\u{5b50}.\u{516c}\u{53f8}",
                Some("\u{7528}\u{6237}@xn--fsqu00a.xn--55qx5d"),
            ),
            ("a..b@example.com", Some("\"a..b\"@example.com")),
            (".a@example.com", Some("\".a\"@example.com")),
            ("a.@example.com", Some("\"a.\"@example.com")),
            ("nobody", None),
            ("@example.com", None),
            ("a@", None),
            ("a@b@example.com", None),
            ("a b@example.com", None),
            ("a@example.com\r\nRCPT TO:<x@y.example>", None),
            ("a@example.com>", None),
            ("\"@example.com", None),
        ] {
            let address = recipient(given).ok().map(|address| address.to_string());
            assert_eq!(address.as_deref(), sent, "{given:?}");
        }
    }
}
