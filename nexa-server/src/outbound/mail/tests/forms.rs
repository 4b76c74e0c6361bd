//! What a mail looks like, in a file above all.

use super::super::compose::{Reach, compose};
use super::super::file::Folder;
use super::super::{MailError, MailSettings, MailUrl, Mailer, Message, Sender};
use super::smtp::{Mail, read_mail};
use super::{NOW, message, sender};
use crate::time::UnixMillis;

fn composed(message: &Message, reach: Reach) -> Mail {
    let mail = compose(NOW, &sender(), message, reach).unwrap().formatted();
    read_mail(&mail, String::new(), Vec::new())
}

#[test]
fn a_mail_depends_on_its_arguments_alone() {
    let bytes = |now| {
        let mail = compose(now, &sender(), &message("a@example.com"), Reach::SevenBit).unwrap();
        mail.formatted()
    };
    assert_eq!(bytes(NOW), bytes(NOW), "neither a clock nor chance");
    assert_ne!(bytes(NOW), bytes(NOW.plus_seconds(1)));
    let mail = composed(&message("a@example.com"), Reach::SevenBit);
    let names: Vec<&str> = mail.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "Date",
            "Message-ID",
            "From",
            "To",
            "Subject",
            "Auto-Submitted",
            "MIME-Version",
            "Content-Type"
        ]
    );
    for (name, value) in [
        ("Date", "Fri, 15 Jan 2027 08:00:00 +0000"),
        ("Message-ID", "<0192-a@acme.example>"),
        ("From", "Acme <no-reply@acme.example>"),
        ("To", "a@example.com"),
        ("Subject", "Hello"),
        ("Auto-Submitted", "auto-generated"),
    ] {
        assert_eq!(mail.header(name), value);
    }
    assert_eq!(mail.token(), "abc-_9");
}

#[test]
fn every_text_comes_back_as_it_was() {
    let long = format!("https://auth.example.com/x?token={}\n", "a".repeat(200));
    let line_998 = format!("{}\n", "x".repeat(998));
    let line_999 = format!("{}\n", "x".repeat(999));
    let umlauts = "\u{fc}".repeat(500) + "\n";
    for text in [
        "",
        "\n",
        "no line end",
        "a\n.\n..b\n.c\n",
        "--part-0192-a\n--part-0192-a--\n",
        "token=3D\u{fc}\n",
        "From here on\n",
        " trailing blank \n\ttab\t\n",
        "\u{1f600}\u{fc}\u{7528}\n",
        &long,
        &line_998,
        &line_999,
        &umlauts,
    ] {
        for reach in [Reach::SevenBit, Reach::EightBit] {
            let sent = Message {
                text: text.to_owned(),
                html: format!("<p>{text}</p>"),
                ..message("a@example.com")
            };
            let mail = composed(&sent, reach);
            assert_eq!(mail.text, text, "{reach:?}");
            assert_eq!(mail.html, sent.html, "{reach:?}");
            assert!(reach == Reach::EightBit || mail.raw.is_ascii());
        }
    }
    let mac = Message {
        text: "a\r\nb\rc\0d".to_owned(),
        ..message("a@example.com")
    };
    assert_eq!(composed(&mac, Reach::SevenBit).text, "a\nbcd");
}

#[test]
fn a_link_stays_whole_on_its_line() {
    for note in ["", "\u{fc}"] {
        let token = "A-z_".repeat(40);
        let sent = Message {
            text: format!("{note}\nhttps://auth.example.com/verify-email?token={token}\n"),
            ..message("a@example.com")
        };
        let raw = composed(&sent, Reach::EightBit).raw;
        let raw = String::from_utf8(raw).unwrap();
        assert!(raw.contains(&format!("?token={token}\r\n")), "{raw}");
    }
}

#[test]
fn no_value_adds_a_header() {
    let long = "w\u{f6}rter ".repeat(60);
    for (subject, read) in [
        ("a\r\nBcc: x@evil.example", "a Bcc: x@evil.example"),
        ("a\nb\0c\u{85}d\u{2028}e", "a b c d e"),
        ("=?utf-8?q?a?=", "=\u{2060}?utf-8?q?a?="),
        ("Gr\u{fc}\u{df}e \u{1f600}", "Gr\u{fc}\u{df}e \u{1f600}"),
        (long.as_str(), long.trim_end()),
    ] {
        let sent = Message {
            subject: subject.to_owned(),
            ..message("a@example.com")
        };
        let mail = composed(&sent, Reach::SevenBit);
        assert_eq!(mail.headers.len(), 8, "{:?}", mail.headers);
        assert_eq!(mail.header("Subject"), read);
    }
    for to in [
        "a@example.com\r\nBcc: b@evil.example",
        "a@example.com, b@evil.example",
    ] {
        let refused = compose(NOW, &sender(), &message(to), Reach::SevenBit);
        assert!(matches!(refused, Err(MailError::Refused(_))), "{to}");
    }
    let odd = Message {
        id: "a\r\nBcc: \"x>".to_owned(),
        ..message("a@example.com")
    };
    let mail = composed(&odd, Reach::SevenBit);
    assert_eq!(mail.header("Message-ID"), "<aBccx@acme.example>");
}

#[test]
fn names_and_addresses_of_any_script_are_carried() {
    let from = Sender::parse("B\u{fc}cher & S\u{f6}hne <post@b\u{fc}cher.example>").unwrap();
    let sent = message("J\u{f6}rg@b\u{fc}cher.example");
    let mail = compose(NOW, &from, &sent, Reach::EightBit)
        .unwrap()
        .formatted();
    let mail = read_mail(&mail, String::new(), Vec::new());
    let shown = "B\u{fc}cher & S\u{f6}hne";
    assert!(
        mail.header("From").replace('"', "").starts_with(shown),
        "{:?}",
        mail.headers
    );
    assert!(
        mail.header("From")
            .ends_with("<post@xn--bcher-kva.example>")
    );
    assert_eq!(mail.header("To"), "J\u{f6}rg@xn--bcher-kva.example");
}

#[test]
fn a_folder_gets_a_file_for_each_mail() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("deep/mails");
    let folder = Folder::open(&path, sender()).unwrap();
    let mails = [(NOW.plus_seconds(1), "b"), (NOW, "a"), (NOW, "c")];
    for (now, id) in mails {
        let sent = Message {
            id: id.to_owned(),
            text: format!(
                "\u{fc} https://auth.example.com/x?token={}\n",
                id.repeat(90)
            ),
            ..message("a@example.com")
        };
        folder.send(now, &sent).unwrap();
        folder.send(now, &sent).unwrap();
    }
    let mut names: Vec<String> = std::fs::read_dir(&path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "2027-01-15T080000.000Z-a.eml",
            "2027-01-15T080000.000Z-c.eml",
            "2027-01-15T080001.000Z-b.eml"
        ],
        "in the order of their times, one file for one mail, and nothing half written"
    );
    let raw = std::fs::read(path.join(&names[2])).unwrap();
    let mail = read_mail(&raw, String::new(), Vec::new());
    assert!(mail.text.contains(&"b".repeat(90)));
    let raw = String::from_utf8(raw).unwrap();
    assert!(raw.contains(&format!("token={}\r\n", "b".repeat(90))));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(path.join(&names[0])), 0o600, "it holds a token");
        assert_eq!(mode(path.clone()), 0o700);
    }
}

#[test]
fn a_folder_that_cannot_be_is_named_at_the_start() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("file");
    std::fs::write(&file, "").unwrap();
    let problem = Folder::open(&file.join("mails"), sender())
        .map(|_| ())
        .unwrap_err();
    assert!(
        problem.starts_with(&format!("mail.url: file:{}/mails: ", file.display())),
        "{problem}"
    );
    let folder = Folder::open(&parent.path().join("mails"), sender()).unwrap();
    std::fs::remove_dir(parent.path().join("mails")).unwrap();
    folder.send(NOW, &message("a@example.com")).unwrap();
    std::fs::remove_dir_all(parent.path().join("mails")).unwrap();
    std::fs::write(parent.path().join("mails"), "").unwrap();
    let later = folder.send(NOW, &message("a@example.com"));
    assert!(
        matches!(later, Err(MailError::NotNow(_))),
        "a full disk does not lose a mail"
    );
}

#[test]
fn the_log_takes_every_mail() {
    let settings = MailSettings {
        url: MailUrl::Log,
        from: None,
        templates: None,
        links: super::letters::links(),
    };
    let mailer = settings.mailer("http://127.0.0.1:8080").unwrap();
    assert_eq!(
        mailer.send(UnixMillis::from_ms(0), &message("nobody")),
        Ok(())
    );
}
