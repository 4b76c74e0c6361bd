//! Conversations with a mail server on a real socket.

use std::time::Duration;

use lettre::transport::smtp::client::{Certificate, Tls as ClientTls, TlsParameters};

use super::super::smtp::Smtp;
use super::super::url::{Login, Security, Server};
use super::super::{MailError, MailUrl, Mailer, Message};
use super::smtp::{Manner, Refusal, Security as PeerTls, SmtpPeer, certificate};
use super::{NOW, message, sender};

fn client_of(server: &Server) -> Smtp {
    let smtp = Smtp::new(server, sender(), "https://auth.example.com/base").unwrap();
    Smtp {
        patience: Duration::from_secs(1),
        ..smtp
    }
}

/// As the URL says.
fn client(url: &str) -> Smtp {
    match MailUrl::parse(url) {
        Ok(MailUrl::Server(server)) => client_of(&server),
        other => panic!("{other:?}"),
    }
}

/// As a URL with another host would have it.
fn client_with(peer: &SmtpPeer, security: Security) -> Smtp {
    client_of(&Server {
        host: "127.0.0.1".to_owned(),
        port: peer.address.port(),
        security,
        login: None,
    })
}

fn send(client: &Smtp) -> Result<(), MailError> {
    client.send(NOW, &message("a@example.com"))
}

/// The words of commands, each with `+` when it came under TLS.
fn steps(peer: &SmtpPeer) -> Vec<String> {
    let commands = peer.commands();
    let steps = commands.iter().map(|(is_within_tls, command)| {
        let word = command.split([' ', ':']).next().unwrap();
        format!("{word}{}", if *is_within_tls { "+" } else { "" })
    });
    steps.collect()
}

#[test]
fn a_mail_arrives_as_it_was_written() {
    let peer = SmtpPeer::start();
    let sent = Message {
        subject: "Gr\u{fc}\u{df}e".to_owned(),
        text: ".\n..\n.dots and \u{fc}\nhttps://auth.example.com/x?token=abc-_9\n.".to_owned(),
        ..message("a@example.com")
    };
    client(&peer.url()).send(NOW, &sent).unwrap();
    let [mail] = &peer.wait_for(1)[..] else {
        panic!("one mail");
    };
    assert_eq!(mail.from, "no-reply@acme.example");
    assert_eq!(mail.to, ["a@example.com"]);
    assert_eq!(mail.header("Subject"), sent.subject);
    assert_eq!(
        (mail.text.as_str(), mail.html.as_str()),
        (sent.text.as_str(), sent.html.as_str())
    );
    assert_eq!(mail.token(), "abc-_9");
    assert_eq!(steps(&peer), ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]);
    assert_eq!(
        peer.commands()[0].1,
        "EHLO auth.example.com",
        "it says who it is"
    );
}

#[test]
fn starttls_is_used_when_it_is_offered() {
    let manner = Manner {
        tls: PeerTls::StartTls,
        login: Some(("PLAIN", "me", "secret")),
        ..Manner::default()
    };
    let peer = SmtpPeer::start_with(manner);
    let url = format!("smtp://me:secret@{}", peer.address);
    send(&client(&url)).unwrap();
    assert_eq!(
        steps(&peer),
        [
            "EHLO", "STARTTLS", "EHLO+", "AUTH+", "MAIL+", "RCPT+", "DATA+", "QUIT+"
        ],
        "any certificate will do on this machine"
    );
    assert_eq!(peer.mails().len(), 1);

    let plain = client(&format!("{url}?tls=none"));
    send(&plain).unwrap();
    assert_eq!(
        steps(&peer)[8..],
        ["EHLO", "AUTH", "MAIL", "RCPT", "DATA", "QUIT"]
    );
}

#[test]
fn without_tls_nothing_is_said_where_it_is_required() {
    let peer = SmtpPeer::start_with(Manner {
        login: Some(("PLAIN", "me", "secret")),
        ..Manner::default()
    });
    let client = client_of(&Server {
        host: "127.0.0.1".to_owned(),
        port: peer.address.port(),
        security: Security::StartTls,
        login: Some(Login {
            user: "me".to_owned(),
            password: "secret".to_owned(),
        }),
    });
    assert!(matches!(send(&client), Err(MailError::NotNow(_))));
    assert_eq!(steps(&peer), ["EHLO"], "neither password nor mail");
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused() {
    for (manner, security) in [
        (PeerTls::StartTls, Security::StartTls),
        (PeerTls::Implicit, Security::Tls),
    ] {
        let peer = SmtpPeer::start_with(Manner {
            tls: manner,
            ..Manner::default()
        });
        let Err(MailError::NotNow(problem)) = send(&client_with(&peer, security)) else {
            panic!("{security:?}");
        };
        assert!(problem.contains("certificate"), "{problem}");
        assert!(
            steps(&peer).iter().all(|step| !step.ends_with('+')),
            "{:?}",
            steps(&peer)
        );
        assert!(peer.mails().is_empty());
    }
}

#[test]
fn a_certificate_that_somebody_vouches_for_is_taken_for_its_name_only() {
    for (manner, security) in [
        (PeerTls::StartTls, Security::StartTls),
        (PeerTls::Implicit, Security::Tls),
    ] {
        let peer = SmtpPeer::start_with(Manner {
            tls: manner,
            ..Manner::default()
        });
        for (name, is_taken) in [
            ("localhost", true),
            ("127.0.0.1", true),
            ("mx.example.com", false),
        ] {
            let parameters = TlsParameters::builder(name.to_owned())
                .add_root_certificate(Certificate::from_der(certificate()).unwrap())
                .build()
                .unwrap();
            let client = Smtp {
                tls: match security {
                    Security::Tls => ClientTls::Wrapper(parameters),
                    _ => ClientTls::Required(parameters),
                },
                ..client_with(&peer, security)
            };
            assert_eq!(send(&client).is_ok(), is_taken, "{name}");
        }
        assert_eq!(peer.mails().len(), 2);
    }
}

#[test]
fn tls_to_a_server_that_speaks_none_ends_soon() {
    let peer = SmtpPeer::start();
    assert!(matches!(
        send(&client_with(&peer, Security::Tls)),
        Err(MailError::NotNow(_))
    ));
    let within = SmtpPeer::start_with(Manner {
        tls: PeerTls::Implicit,
        ..Manner::default()
    });
    assert!(matches!(
        send(&client(&within.url())),
        Err(MailError::NotNow(_))
    ));
}

#[test]
fn answers_given_before_tls_are_never_taken_for_the_servers() {
    const WHOLE: &str = "250 me\r\n250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n221 bye\r\n";
    for injected in [
        "250 me\r\n",
        "250-me\r\n250 8BITMIME\r\n250 ok\r\n",
        "500 no\r\n250 ok\r\n",
        WHOLE,
    ] {
        let peer = SmtpPeer::start_with(Manner {
            tls: PeerTls::StartTls,
            injected,
            ..Manner::default()
        });
        let sent = send(&client(&peer.url()));
        assert!(
            matches!(sent, Err(MailError::NotNow(_))),
            "{injected:?}: {sent:?}"
        );
        assert!(peer.mails().is_empty(), "{injected:?}");
    }
    let peer = SmtpPeer::start_with(Manner {
        tls: PeerTls::StartTls,
        login: Some(("PLAIN", "me", "wrong for us")),
        injected: "250 AUTH PLAIN\r\n",
        ..Manner::default()
    });
    let url = format!("smtp://me:secret@{}", peer.address);
    assert!(matches!(send(&client(&url)), Err(MailError::NotNow(_))));
}

#[test]
fn both_ways_to_log_in_are_spoken() {
    for mechanism in ["PLAIN", "LOGIN"] {
        let peer = SmtpPeer::start_with(Manner {
            login: Some((mechanism, "me@example.com", "p:/@\u{fc} ")),
            ..Manner::default()
        });
        let right = format!(
            "smtp://me%40example.com:p%3A%2F%40%C3%BC%20@{}",
            peer.address
        );
        send(&client(&right)).unwrap();
        let wrong = format!("smtp://me%40example.com:other@{}", peer.address);
        for url in [wrong, peer.url()] {
            let refused = send(&client(&url)).unwrap_err();
            assert!(
                matches!(refused, MailError::NotNow(_)),
                "the operator can mend it: {refused}"
            );
            assert!(!refused.to_string().contains("other"));
        }
        assert_eq!(peer.mails().len(), 1, "{mechanism}");
    }
}

#[test]
fn what_a_server_says_decides_whether_another_try_makes_sense() {
    use Refusal::{Hang, HangUp, Say};
    let peer = SmtpPeer::start();
    let client = client(&peer.url());
    for (step, refusal, is_for_good) in [
        ("CONNECT", Say("421 busy"), false),
        ("CONNECT", Say("554 no"), false),
        ("CONNECT", HangUp, false),
        ("CONNECT", Hang, false),
        ("EHLO", Say("421 closing"), false),
        ("EHLO", Say("502 not here"), false),
        ("EHLO", HangUp, false),
        ("MAIL", Say("451 4.3.0 later"), false),
        ("MAIL", Say("550 5.1.8 not from you"), false),
        ("RCPT", Say("421 closing"), false),
        ("RCPT", Say("450 4.2.0 grey"), false),
        ("RCPT", Say("451 4.3.0 later"), false),
        ("RCPT", Say("452 4.2.2 full"), false),
        ("RCPT", Say("550 5.1.1 nobody here"), true),
        ("RCPT", Say("550 nobody here"), true),
        ("RCPT", Say("550-5.1.1 nobody\r\n550 5.1.1 here"), true),
        ("RCPT", Say("530 5.5.1 log in"), false),
        ("RCPT", Say("554 5.7.1 relay access denied"), false),
        ("RCPT", HangUp, false),
        ("DATA", Say("451 later"), false),
        ("DATA", Say("554 no"), true),
        ("DATA", Say("250 what?"), false),
        ("CONTENT", Say("451 later"), false),
        ("CONTENT", Say("552 5.3.4 too big"), true),
        ("CONTENT", HangUp, false),
        ("CONTENT", Hang, false),
        ("RCPT", Say("gibberish"), false),
    ] {
        peer.refuse_with(step, refusal);
        let refused = send(&client).unwrap_err();
        assert_eq!(
            matches!(refused, MailError::Refused(_)),
            is_for_good,
            "{step}: {refused}"
        );
    }
    peer.accept();
    send(&client).unwrap();
    assert_eq!(peer.mails().len(), 1, "and none of the others");
    drop(peer);
    assert!(
        matches!(send(&client), Err(MailError::NotNow(_))),
        "nobody listens"
    );
}

#[test]
fn an_address_beyond_ascii_needs_a_server_that_takes_it() {
    let modern = SmtpPeer::start();
    client(&modern.url())
        .send(NOW, &message("J\u{f6}rg@b\u{fc}cher.example"))
        .unwrap();
    let mail = &modern.mails()[0];
    assert_eq!(mail.to, ["J\u{f6}rg@xn--bcher-kva.example"]);
    assert!(
        modern.commands()[1].1.ends_with(" SMTPUTF8 BODY=8BITMIME"),
        "{:?}",
        modern.commands()
    );

    let old = SmtpPeer::start_with(Manner {
        extensions: &[],
        ..Manner::default()
    });
    let old_client = client(&old.url());
    let refused = old_client.send(NOW, &message("J\u{f6}rg@b\u{fc}cher.example"));
    assert!(matches!(refused, Err(MailError::Refused(_))), "{refused:?}");
    let sent = Message {
        text: "\u{fc}\nhttps://auth.example.com/x?token=abc-_9\n".to_owned(),
        ..message("jorg@b\u{fc}cher.example")
    };
    old_client.send(NOW, &sent).unwrap();
    let mail = &old.mails()[0];
    assert!(
        mail.raw.is_ascii(),
        "a server that has not heard of 8BITMIME"
    );
    assert_eq!(
        (mail.to[0].as_str(), mail.text.as_str()),
        ("jorg@xn--bcher-kva.example", sent.text.as_str())
    );

    for to in [
        "nobody",
        "a@b@example.com",
        "a@example.com>\r\nRCPT TO:<b@evil.example",
    ] {
        let refused = old_client.send(NOW, &message(to));
        assert!(matches!(refused, Err(MailError::Refused(_))), "{to}");
    }
}
