//! The settings of mail, as an operator meets them.

use crate::harness::{Server, nexa, run, run_in};

#[test]
fn a_first_try_is_told_that_mails_are_not_sent() {
    let server = Server::start();
    let log = server.stderr();
    assert!(
        log.contains("mail.url is log:") && log.contains("NEXA_MAIL_URL"),
        "{log}"
    );
    let folder = tempfile::tempdir().unwrap();
    let mails = folder.path().join("deep/mails");
    let url = format!("file:{}", mails.display());
    let server = Server::start_with(&["--mail-url", &url]);
    let log = server.stderr();
    assert!(!log.contains("mail.url"), "{log}");
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
            .env("NEXA_MAIL_URL", "smtp://me:hidden@mx:x")
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
    assert!(!shown.contains("hidden"), "{shown}");
    assert_eq!(
        with(&["check-config", "--mail-url", "log:"]).0,
        Some(0),
        "a flag goes first"
    );
    let (code, help) = with(&["serve", "--help"]);
    assert_eq!(code, Some(0));
    assert!(
        help.contains("NEXA_MAIL_URL") && !help.contains("hidden"),
        "{help}"
    );
    assert_eq!(run(&["check-config", "--mail-url", ""], "").code, Some(2));
}

/// The whole way: a licence begins a trial, its end is told, and a mail says so to the owner.
#[test]
fn the_end_of_a_trial_reaches_its_owner() {
    let mails = tempfile::tempdir().unwrap();
    let server = Server::configured(&format!(
        "[mail]\nurl = 'file:{}'\n[mail.links]\nbilling = 'https://shop.example.com/plans'\n\
         [[apps]]\nid = 'engine'\nttl_days_min = 1\nttl_days_max = 30\nttl_days_default = 30\n[apps.trial]\ndays = 2\n",
        mails.path().display()
    ));
    let session = server.sign_up("owner@example.com");
    let device = serde_json::json!({ "fingerprint": "f", "platform": "linux" });
    let license = serde_json::json!({ "appId": "engine", "device": device });
    let issued = server
        .post("/api/licenses/issue", &license.to_string())
        .bearer(&session)
        .send();
    assert_eq!(issued.status, 201, "{}", issued.text);
    let told = || {
        let entries = std::fs::read_dir(mails.path()).unwrap();
        let texts = entries.filter_map(|entry| std::fs::read_to_string(entry.unwrap().path()).ok());
        texts
            .into_iter()
            .find(|text| text.contains("your trial of"))
    };
    let mut found = None;
    for _ in 0..600 {
        found = told();
        if found.is_some() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let mail = found.expect("a mail within a round of the job");
    for words in [
        "To: owner@example.com\r\n",
        "Subject: Your trial ends on ",
        "your trial of engine at 127.0.0.1",
        "\r\nhttps://shop.example.com/plans\r\n",
    ] {
        assert!(mail.contains(words), "{words}: {mail}");
    }
}
