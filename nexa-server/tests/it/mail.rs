//! The settings of mail, as an operator meets them.

use crate::harness::{Server, nexa, run, run_in};

#[test]
fn a_first_try_is_told_that_mails_are_not_sent() {
    let server = Server::start();
    assert!(
        server.first_words.contains("mail.url is log:")
            && server.first_words.contains("NEXA_MAIL_URL"),
        "{}",
        server.first_words
    );
    let folder = tempfile::tempdir().unwrap();
    let mails = folder.path().join("deep/mails");
    let url = format!("file:{}", mails.display());
    let server = Server::start_with(&["--mail-url", &url]);
    assert!(
        !server.first_words.contains("mail.url"),
        "{}",
        server.first_words
    );
    assert!(
        mails.is_dir(),
        "whether it can be had is known before the first mail"
    );
}

#[test]
fn a_mail_setting_that_does_not_hold_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let templates = folder.path().join("templates");
    std::fs::create_dir(&templates).unwrap();
    std::fs::write(templates.join("invite.txt"), "{{ link }} {{ password }}").unwrap();
    for (text, problem) in [
        (
            "[mail]\nurl = 'smtp.example.com'",
            "mail.url: must be smtp://HOST",
        ),
        (
            "[mail]\nurl = 'smtp://mx?tls=off'",
            "mail.url: after the ? only tls=none",
        ),
        (
            "[mail]\nurl = 'smtp://me:secret@mx:x'",
            "mail.url: the port must be",
        ),
        (
            "[mail]\nfrom = 'Acme'",
            "mail.from: \"Acme\" must be an address",
        ),
        ("[mail]\ntemplates = 'nowhere'", "mail.templates: nowhere: "),
        (
            "[mail]\ntemplates = 'templates'",
            "mail.templates: invite.txt: there is no value \"password\" in this letter",
        ),
        (
            "[mail.links]\nlog_in = '/a#b'",
            "mail.links: log_in \"/a#b\" must be a path",
        ),
        ("[mail]\nserver = 'mx'", "unknown field `server`"),
        ("[mail.links]\nlogin = '/a'", "unknown field `login`"),
    ] {
        std::fs::write(folder.path().join("nexa.toml"), text).unwrap();
        for command in ["check-config", "serve"] {
            let finished = run_in(folder.path(), &[command, "--config", "nexa.toml"], b"");
            assert_eq!(finished.code, Some(2), "{text}: {finished:?}");
            assert!(
                finished.stderr.contains(problem),
                "{text}: {}",
                finished.stderr
            );
            assert!(!finished.stderr.contains("secret"), "{}", finished.stderr);
        }
    }
    std::fs::write(folder.path().join("file"), "").unwrap();
    let arguments = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--mail-url",
        "file:file/mails",
    ];
    let finished = run_in(folder.path(), &arguments, b"");
    assert_eq!(finished.code, Some(2), "{finished:?}");
    assert!(
        finished.stderr.contains("mail.url: file:file/mails: "),
        "{}",
        finished.stderr
    );
    assert!(
        !folder.path().join("nexa-data").exists(),
        "nothing was made"
    );
}

#[test]
fn the_mail_url_of_the_environment_counts_and_is_not_shown() {
    let with = |arguments: &[&str]| {
        let output = nexa()
            .args(arguments)
            .env("NEXA_MAIL_URL", "smtp://me:secret@mx:x")
            .output()
            .unwrap();
        let shown = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(shown).unwrap())
    };
    let (code, shown) = with(&["check-config"]);
    assert_eq!(code, Some(2));
    assert!(
        shown.contains("mail.url: the port must be from 1 to 65535"),
        "{shown}"
    );
    assert!(!shown.contains("secret"), "{shown}");
    assert_eq!(
        with(&["check-config", "--mail-url", "log:"]).0,
        Some(0),
        "a flag goes first"
    );
    let (code, help) = with(&["serve", "--help"]);
    assert_eq!(code, Some(0));
    assert!(
        help.contains("NEXA_MAIL_URL") && !help.contains("secret"),
        "{help}"
    );
    assert_eq!(run(&["check-config", "--mail-url", ""], "").code, Some(2));
}
