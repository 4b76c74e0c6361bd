//! The settings of payments, as an operator meets them.

use crate::harness::{Server, nexa, run_in};
use crate::mollie::Mollie;

#[test]
fn a_key_of_the_wrong_shape_stops_the_start_and_no_key_is_shown() {
    let with = |key: &str, url: Option<&str>, arguments: &[&str]| {
        let mut command = nexa();
        command.args(arguments).env("NEXA_MOLLIE_API_KEY", key);
        if let Some(url) = url {
            command.env("NEXA_MOLLIE_API_URL", url);
        }
        let output = command.output().unwrap();
        let shown = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(shown).unwrap())
    };
    for (key, url, arguments, code, text) in [
        (Mollie::KEY, None, &["check-config"][..], 0, "ok: "),
        (
            Mollie::KEY,
            Some("http://127.0.0.1:1"),
            &["check-config"],
            0,
            "ok: ",
        ),
        (
            "test_secret",
            None,
            &["check-config"],
            2,
            "mollie.api_key: must be live_ or test_ and at least 30",
        ),
        ("", None, &["check-config"], 2, "mollie.api_key: must be"),
        (
            "test_secret",
            None,
            &["serve", "--listen", "127.0.0.1:0"],
            2,
            "mollie.api_key: must be",
        ),
        (
            Mollie::KEY,
            Some("http://pay.example"),
            &["check-config"],
            2,
            "mollie.api_url: \"http://pay.example\" must be an https:// URL",
        ),
        (
            Mollie::KEY,
            None,
            &["serve", "--help"],
            0,
            "NEXA_MOLLIE_API_KEY",
        ),
    ] {
        let (found, shown) = with(key, url, arguments);
        assert_eq!(found, Some(code), "{shown}");
        assert!(shown.contains(text), "{shown}");
        assert!(
            !shown.contains("test_secret") && !shown.contains("dHar"),
            "{shown}"
        );
    }
}

#[test]
fn the_file_may_name_mollie_for_a_currency_that_it_can_charge() {
    let folder = tempfile::tempdir().unwrap();
    let key = format!("[mollie]\napi_key = '{}'\n", Mollie::KEY);
    for (text, problem) in [
        (key.clone(), None),
        (format!("{key}[credits]\ncurrency = 'USD'\n"), None),
        ("[credits]\ncurrency = 'JPY'\n".to_owned(), None),
        (
            format!("{key}[credits]\ncurrency = 'JPY'\n"),
            Some("credits: currency \"JPY\" cannot be charged"),
        ),
        (
            "[mollie]\napi_key = 'live_secret'\n".to_owned(),
            Some("mollie.api_key: must be live_ or test_"),
        ),
        (
            "[mollie]\nkey = 'live_secret'\n".to_owned(),
            Some("unknown field `key`"),
        ),
    ] {
        std::fs::write(folder.path().join("nexa.toml"), &text).unwrap();
        let finished = run_in(
            folder.path(),
            &["check-config", "--config", "nexa.toml"],
            b"",
        );
        let code = if problem.is_some() { 2 } else { 0 };
        assert_eq!(finished.code, Some(code), "{text}: {finished:?}");
        assert!(
            finished.stderr.contains(problem.unwrap_or_default()),
            "{finished:?}"
        );
        assert!(!finished.stderr.contains("secret"), "{finished:?}");
    }
}

#[test]
fn an_operator_is_told_of_a_key_that_takes_no_money() {
    const WARNING: &str = "mollie.api_key is a test key";
    let live = Mollie::KEY.replace("test_", "live_");
    let url = ["--public-url", "https://auth.example.com"];
    for (arguments, is_told) in [
        (&["--mollie-api-key", Mollie::KEY, url[0], url[1]][..], true),
        (&["--mollie-api-key", &live, url[0], url[1]], false),
        (&[], false),
    ] {
        let server = Server::start_with(arguments);
        let words = server.stderr();
        assert_eq!(words.contains(WARNING), is_told, "{words}");
        assert!(!words.contains("dHar"), "{words}");
    }
}

#[test]
fn a_server_that_mollie_cannot_find_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    for url in [&[][..], &["--public-url", "http://auth.example.com"]] {
        let serve = [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--mollie-api-key",
            Mollie::KEY,
        ];
        let finished = run_in(folder.path(), &[&serve[..], url].concat(), b"");
        assert_eq!(finished.code, Some(2), "{finished:?}");
        let rule = "public_url: must be an https:// URL that Mollie can reach";
        assert!(finished.stderr.contains(rule), "{finished:?}");
    }
}
