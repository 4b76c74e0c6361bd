//! What letters say, and what nobody can make them say.

use std::path::Path;

use super::super::{Letter, Letters, Links, Message, Target};
use crate::domain::notices::PaidFor;
use crate::time::UnixMillis;

pub(super) fn links() -> Links {
    let target = |text| Target::parse(text).unwrap();
    Links {
        verify_email: target("/verify-email"),
        reset_password: target("https://app.example.com/reset?lang=en"),
        accept_invite: target("/accept-invite"),
        log_in: target("/login"),
        forgot_password: target("/forgot-password"),
        billing: target("/billing"),
    }
}

fn letters(templates: Option<&Path>) -> Result<Letters, String> {
    Letters::new(templates, &links(), "https://auth.example.com/base")
}

fn write(letter: &Letter<'_>) -> Message {
    letters(None)
        .unwrap()
        .write("id-1", "a@example.com", letter)
        .unwrap()
}

fn invite<'a>(tenant: &'a str, inviter: &'a str) -> Letter<'a> {
    Letter::Invite {
        token: "t0-_",
        valid_days: 7,
        tenant,
        inviter,
        role: "member",
    }
}

const AT: UnixMillis = UnixMillis::from_ms(1_800_000_000_000);

const fn credits_low(left_mc: i64) -> Letter<'static> {
    Letter::CreditsLow {
        at: AT,
        left_mc,
        currency: "EUR",
    }
}

const fn payment_failed(paid_for: PaidFor) -> Letter<'static> {
    Letter::PaymentFailed {
        at: AT,
        amount_cents: 990,
        currency: "EUR",
        paid_for,
    }
}

const RESET: Letter<'static> = Letter::ResetPassword {
    token: "t0-_",
    valid_minutes: 30,
    asked_from: None,
};

/// The values of `href`, with their escapes undone.
fn hrefs(html: &str) -> Vec<String> {
    let rest = html.split("href=\"").skip(1);
    rest.map(|rest| plain(rest.split('"').next().unwrap()))
        .collect()
}

fn plain(html: &str) -> String {
    [
        ("&#x2f;", "/"),
        ("&#x27;", "'"),
        ("&quot;", "\""),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
    ]
    .iter()
    .fold(html.to_owned(), |text, (escape, c)| text.replace(escape, c))
}

#[test]
fn each_letter_says_what_it_is_for() {
    let verify = Letter::VerifyEmail {
        token: "t0-_",
        valid_hours: 24,
    };
    let asked = Letter::ResetPassword {
        token: "t0-_",
        valid_minutes: 30,
        asked_from: Some("2001:db8::7".parse().unwrap()),
    };
    const LOG_IN: &str = "https://auth.example.com/base/login";
    const FORGOT: &str = "https://auth.example.com/base/forgot-password";
    const BILLING: &str = "https://auth.example.com/base/billing";
    for (letter, subject, link, words) in [
        (
            verify,
            "Please confirm your e-mail address",
            "https://auth.example.com/base/verify-email?token=t0-_",
            &["a@example.com", "auth.example.com", "24 hours"][..],
        ),
        (
            RESET,
            "Choose a new password",
            "https://app.example.com/reset?lang=en&token=t0-_",
            &["a@example.com", "30 minutes"],
        ),
        (
            asked,
            "Choose a new password",
            "https://app.example.com/reset?lang=en&token=t0-_",
            &["2001:db8::7"],
        ),
        (
            invite("Acme & S\u{f6}hne", "o'brien@example.com"),
            "o'brien@example.com invites you to Acme & S\u{f6}hne",
            "https://auth.example.com/base/accept-invite?token=t0-_",
            &[
                "Acme & S\u{f6}hne",
                "o'brien@example.com",
                "role member",
                "7 days",
            ],
        ),
        (
            Letter::AlreadyRegistered,
            "You have an account already",
            LOG_IN,
            &["a@example.com", FORGOT],
        ),
        (
            Letter::PasswordChanged,
            "Your password was changed",
            FORGOT,
            &["a@example.com"],
        ),
        (
            credits_low(42_500),
            "Your credit is running low",
            BILLING,
            &["a@example.com", "on 2027-01-15 08:00 UTC", "0.425 EUR"],
        ),
        (
            credits_low(-1),
            "Your credit is used up",
            BILLING,
            &["used up on 2027-01-15 08:00 UTC"],
        ),
        (
            payment_failed(PaidFor::Subscription),
            "A payment has failed",
            BILLING,
            &[
                "9.90 EUR",
                "for your subscription at",
                "2027-01-15 08:00 UTC",
            ],
        ),
        (
            payment_failed(PaidFor::Topup),
            "A payment has failed",
            BILLING,
            &["for a top-up of your credit at"],
        ),
        (
            payment_failed(PaidFor::AutoRecharge),
            "A payment has failed",
            BILLING,
            &["for the automatic top-up of your credit at"],
        ),
        (
            Letter::SubscriptionEnded {
                at: AT,
                plan: "pro",
            },
            "Your subscription has ended",
            BILLING,
            &["pro", "ended on 2027-01-15 08:00 UTC"],
        ),
        (
            Letter::TrialEnding {
                app: Some("engine"),
                ends_at: AT,
            },
            "Your trial ends on 2027-01-15 08:00 UTC",
            BILLING,
            &["engine", "2027-01-15 08:00 UTC"],
        ),
        (
            Letter::TrialEnding {
                app: None,
                ends_at: AT,
            },
            "Your trial ends on 2027-01-15 08:00 UTC",
            BILLING,
            &["your trial at auth.example.com"],
        ),
    ] {
        let Message {
            id,
            to,
            subject: written,
            text,
            html,
        } = write(&letter);
        assert_eq!((id.as_str(), to.as_str()), ("id-1", "a@example.com"));
        assert_eq!(written, subject);
        assert!(
            text.lines().any(|line| line == link),
            "a line of its own: {text}"
        );
        assert!(hrefs(&html).contains(&link.to_owned()), "{html}");
        for word in words {
            assert!(text.contains(word), "{word}: {text}");
            assert!(plain(&html).contains(word), "{word}: {html}");
        }
        assert_eq!(text.contains("token"), link.contains("token"), "{text}");
        for part in [&text, &html] {
            assert!(
                !part.contains("{{") && !part.contains("{%") && !part.contains("\n\n\n"),
                "{part}"
            );
        }
        for foreign in ["<img", "<script", "<link", "<style", "url(", "@import"] {
            assert!(!html.contains(foreign), "nothing is loaded: {html}");
        }
    }
    assert!(!write(&RESET).text.contains("network address"));
}

#[test]
fn one_of_a_unit_is_singular() {
    let verify = Letter::VerifyEmail {
        token: "t",
        valid_hours: 1,
    };
    let written = write(&verify);
    assert!(written.text.contains("1 hour.") && written.html.contains("1 hour."));
}

#[test]
fn no_name_makes_markup_lines_or_links() {
    for name in [
        "<a href=\"https://evil.example\">win</a>",
        "\"><img src=x onerror=alert(1)>",
        "' onclick='x",
        "</p></div><a href=https://evil.example>",
        "{{ link }}{% if link %}",
        "Win at https://evil.example/x now",
        "www.evil.example",
        "evil.example/login",
        "http://2130706433/",
        "A\r\nBcc: x@evil.example\r\n\r\nhttps://evil.example",
        "A\n\nTo accept:\n\nhttps://evil.example/",
        "A\u{2028}B\u{85}C\0D",
        "\u{202e}elpmaxe.live\u{2066}x",
        "javascript:alert(1)",
    ] {
        let address = "www.evil.example/x@example.com";
        for letter in [
            invite(name, "b@example.com"),
            invite("Acme", name),
            invite("Acme", address),
        ] {
            let harmless = write(&invite("Acme", "b@example.com"));
            let written = write(&letter);
            let Message {
                subject,
                text,
                html,
                ..
            } = &written;
            assert_eq!(hrefs(html), hrefs(&harmless.html), "{html}");
            assert_eq!(
                html.matches('<').count(),
                harmless.html.matches('<').count(),
                "{html}"
            );
            assert_eq!(
                text.lines().count(),
                harmless.text.lines().count(),
                "{text}"
            );
            assert!(!subject.chars().any(char::is_control), "{subject:?}");
            for part in [subject, text, html] {
                assert!(!part.contains('\u{202e}') && !part.contains('\u{2028}'));
            }
            let is_name_tenant = matches!(
                letter,
                Letter::Invite {
                    inviter: "b@example.com",
                    ..
                }
            );
            if is_name_tenant || name.contains('/') {
                for part in [subject, text, html] {
                    let part = plain(part).replace("https://auth.example.com", "");
                    assert!(
                        !part.contains("evil.example") && !part.contains("://"),
                        "{part}"
                    );
                }
            }
        }
    }
    // The operator names apps and plans; a mail program finds links in them all the same.
    let of_app = Letter::TrialEnding {
        app: Some("com.evil.example"),
        ends_at: AT,
    };
    let of_plan = Letter::SubscriptionEnded {
        at: AT,
        plan: "<b>https://evil.example</b>",
    };
    for written in [write(&of_app), write(&of_plan)] {
        let Message { text, html, .. } = written;
        assert_eq!(
            hrefs(&html),
            ["https://auth.example.com/base/billing"; 2],
            "{html}"
        );
        for part in [&text, &html] {
            assert!(!part.contains("evil.example"), "{part}");
        }
        assert!(!html.contains("<b>"), "{html}");
    }
    let long = "x".repeat(10_000);
    assert!(write(&invite(&long, "b@example.com")).subject.len() < 300);
}

#[test]
fn a_template_of_the_operator_replaces_ours() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    put(
        "verify_email.subject.txt",
        "Bitte\nbest\u{e4}tigen: {{ to }}\n",
    );
    put(
        "verify_email.html",
        "<a href=\"{{ link }}\">{{ to }} {{ hours }}</a>",
    );
    put(
        "invite.html",
        "{% if role == \"owner\" %}!{% endif %}{{ tenant }}<a href='{{ link }}'>",
    );
    let letters = letters(Some(folder.path())).unwrap();
    let verify = Letter::VerifyEmail {
        token: "t",
        valid_hours: 24,
    };
    let written = letters.write("id-1", "a&b@example.com", &verify).unwrap();
    assert_eq!(written.subject, "Bitte best\u{e4}tigen: a&b@example.com");
    assert_eq!(
        plain(&written.html),
        "<a href=\"https://auth.example.com/base/verify-email?token=t\">a&b@example.com 24</a>"
    );
    assert!(written.html.contains("a&amp;b@"), "escaped as ours are");
    assert_eq!(
        written.text,
        letters_text(&verify),
        "what is not replaced stays"
    );
    let invited = letters
        .write("id-1", "a@example.com", &invite("<b>", "b@example.com"))
        .unwrap();
    assert!(invited.html.starts_with("&lt;b&gt;<a"), "{}", invited.html);
}

fn letters_text(letter: &Letter<'_>) -> String {
    letters(None)
        .unwrap()
        .write("id-1", "a&b@example.com", letter)
        .unwrap()
        .text
}

/// Of a key that was imported, the beginning need not be known.
#[test]
fn a_leaked_key_whose_beginning_is_unknown_is_told_of_by_its_name() {
    let leaked = |prefix| Letter::KeyLeaked {
        at: UnixMillis::from_ms(0),
        name: "ci",
        prefix,
        url: None,
        is_replaced: false,
        is_to_agent: false,
    };
    let known = letters_text(&leaked("acme_"));
    assert!(known.contains(", which begins with acme_, was found"));
    let unknown = letters_text(&leaked(""));
    assert!(!unknown.contains("begins with"), "{unknown}");
    assert!(unknown.contains(" was found where others can read it"));
}

/// A condition at the end of a line takes the line's end with it.
#[test]
fn the_paragraphs_of_a_text_stay_apart() {
    let leaked = |url, is_replaced, is_to_agent| Letter::KeyLeaked {
        at: UnixMillis::from_ms(0),
        name: "ci",
        prefix: "nex_a1b2",
        url,
        is_replaced,
        is_to_agent,
    };
    assert_eq!(
        letters_text(&leaked(Some("https://example.com/a.txt"), false, false)),
        "Hello,\n\n\
         the API key \"ci\" at auth.example.com, which begins with nex_a1b2, was found where others can read it on \
         1970-01-01 00:00 UTC. It is dead: whatever uses it needs another key.\n\n\
         It was found here:\nhttps://example.com/a.txt\n\n\
         Look for what others may have done with it, and take it out of wherever it stands. To make another key, log in \
         here:\nhttps://auth.example.com/base/login\n\n\
         This letter goes to a&b@example.com. It only tells you.\n"
    );
    assert_eq!(
        letters_text(&leaked(None, true, true)),
        "Hello,\n\n\
         an old value of the API key \"ci\" at auth.example.com was found where others can read it on 1970-01-01 00:00 \
         UTC. That value began with nex_a1b2, or with what the key began with before. It is dead; the key lives with the \
         value that replaced it.\n\n\
         Look for what others may have done with it, and take it out of wherever it stands.\n\n\
         This letter goes to a&b@example.com. It only tells you.\n"
    );
    let low = Letter::CreditsLow {
        at: UnixMillis::from_ms(0),
        left_mc: 0,
        currency: "EUR",
    };
    assert_eq!(
        letters_text(&low),
        "Hello,\n\n\
         the credit of your account at auth.example.com was used up on 1970-01-01 00:00 UTC.\n\n\
         To top it up:\nhttps://auth.example.com/base/billing\n\n\
         This letter goes to the owners of the account, to a&b@example.com among them. It only tells you.\n"
    );
}

#[test]
fn a_template_that_does_not_hold_is_named_at_the_start() {
    for (name, text, problem) in [
        (
            "verify_email.txt",
            "{{ link",
            "verify_email.txt: syntax error",
        ),
        (
            "verify_email.txt",
            "{% if to %}{{ link }}",
            "verify_email.txt: syntax error",
        ),
        (
            "verify_email.txt",
            "{{ link }} {{ tenant }}",
            "verify_email.txt: there is no value \"tenant\" in this letter, only site, to, log_in, forgot_password, link, hours",
        ),
        (
            "reset_password.html",
            "{{ link }}{% if minutes == 31 %}{{ adress }}{% endif %}",
            "reset_password.html: there is no value \"adress\" in this letter",
        ),
        (
            "verify_email.txt",
            "{{ link|shout }}",
            "verify_email.txt: unknown filter",
        ),
        (
            "verify_email.txt",
            "{{ link.host }}",
            "verify_email.txt: undefined value",
        ),
        (
            "verify_email.txt",
            "Welcome.",
            "verify_email.txt: without {{ link }} this letter is of no use",
        ),
        (
            "invite.html",
            "Welcome.",
            "invite.html: without {{ link }} this letter is of no use",
        ),
        (
            "invite.subject.txt",
            " \n",
            "invite.subject.txt: comes out empty",
        ),
        (
            "verify-email.txt",
            "{{ link }}",
            "verify-email.txt replaces no template; there are verify_email.subject.txt",
        ),
        (
            "verify_email.txt~",
            "{{ link }}",
            "verify_email.txt~ replaces no template",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(name), text).unwrap();
        let refused = letters(Some(folder.path())).map(|_| ()).unwrap_err();
        assert!(refused.starts_with("mail.templates: "), "{refused}");
        assert!(refused.contains(problem), "{refused}");
        assert!(!refused.contains('\n'), "one line: {refused}");
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("invite.txt"), [0xff]).unwrap();
    assert!(
        letters(Some(folder.path()))
            .map(|_| ())
            .unwrap_err()
            .contains("invite.txt: ")
    );
    let missing = folder.path().join("missing");
    let refused = letters(Some(&missing)).map(|_| ()).unwrap_err();
    assert!(
        refused.contains(&missing.display().to_string()),
        "{refused}"
    );
}
