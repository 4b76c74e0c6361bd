//! The letters that people get: one for each occasion, as subject, text and HTML.

use std::net::IpAddr;
use std::path::Path;

use minijinja::Value;

use super::address::authority;
use super::compose::{JOINER, one_line};
use super::links::Links;
use super::templates::{Templates, Values};
use super::{MailError, Message};
use crate::domain::money::{shown_cents, shown_millicents};
use crate::domain::notices::PaidFor;
use crate::time::UnixMillis;

/// An occasion to write, with what is to be said.
#[derive(Clone, Copy)]
pub(crate) enum Letter<'a> {
    /// Whoever has registered is to show that the address is theirs.
    VerifyEmail { token: &'a str, valid_hours: u32 },
    /// Somebody has asked for a new password, from this address if it is known.
    ResetPassword {
        token: &'a str,
        valid_minutes: u32,
        asked_from: Option<IpAddr>,
    },
    /// A member asks somebody into their tenant.
    Invite {
        token: &'a str,
        valid_days: u32,
        tenant: &'a str,
        inviter: &'a str,
        role: &'a str,
    },
    /// Somebody tried to register with an address that has an account: only its owner is to know.
    AlreadyRegistered,
    /// The password has another value now.
    PasswordChanged,
    /// An owner's credit came down to that at an instant.
    CreditsLow {
        at: UnixMillis,
        left_mc: i64,
        currency: &'a str,
    },
    /// An owner's payment was not made.
    PaymentFailed {
        at: UnixMillis,
        amount_cents: i64,
        currency: &'a str,
        paid_for: PaidFor,
    },
    /// An owner has no plan any more.
    SubscriptionEnded { at: UnixMillis, plan: &'a str },
    /// An owner's trial is about to end: that of an app, or else that of the credit.
    TrialEnding {
        app: Option<&'a str>,
        ends_at: UnixMillis,
    },
    /// A key of the addressee, or of somebody in an owner's tenant, was found where others can read it, and is dead; or only
    /// a value that another had replaced.
    KeyLeaked {
        at: UnixMillis,
        name: &'a str,
        prefix: &'a str,
        url: Option<&'a str>,
        is_replaced: bool,
        /// The addressee is whom an agent has named, and nobody who could log in.
        is_to_agent: bool,
    },
}

/// Writes letters, from templates that have been shown to work.
pub(crate) struct Letters {
    templates: Templates,
    links: Links,
    public_url: String,
}

impl Letters {
    /// Takes the operator's templates from the folder, if there is one, and tries all of them.
    ///
    /// # Errors
    /// A sentence that names the setting, the file and the problem.
    pub(crate) fn new(
        templates: Option<&Path>,
        links: &Links,
        public_url: &str,
    ) -> Result<Self, String> {
        let refuse = |problem: String| format!("mail.templates: {problem}");
        let letters = Self {
            templates: Templates::load(templates).map_err(refuse)?,
            links: links.clone(),
            public_url: public_url.to_owned(),
        };
        for letter in SAMPLES {
            let values = letters.values("somebody@example.com", letter);
            let needed = letter.token().map(|_| "link");
            for (ending, needed) in [("subject.txt", None), ("txt", needed), ("html", needed)] {
                letters
                    .templates
                    .check(&letter.file(ending), &values, needed)
                    .map_err(refuse)?;
            }
        }
        Ok(letters)
    }

    /// The letter as a mail to that address; `id` names it for good.
    ///
    /// # Errors
    /// [`MailError::NotNow`] where an operator's template fails on values that no sample has shown.
    pub(crate) fn write(
        &self,
        id: &str,
        to: &str,
        letter: &Letter<'_>,
    ) -> Result<Message, MailError> {
        let values = self.values(to, letter);
        let render = |ending| {
            self.templates
                .render(&letter.file(ending), &values)
                .map_err(|problem| MailError::NotNow(format!("mail.templates: {problem}")))
        };
        Ok(Message {
            id: id.to_owned(),
            to: to.to_owned(),
            subject: one_line(&render("subject.txt")?),
            text: render("txt")?,
            html: render("html")?,
        })
    }

    fn values(&self, to: &str, letter: &Letter<'_>) -> Values {
        let url = &self.public_url;
        let mut values: Values = vec![
            ("site", authority(url).into()),
            ("to", address_shown(to).into()),
            ("log_in", self.links.log_in.url(url).into()),
            (
                "forgot_password",
                self.links.forgot_password.url(url).into(),
            ),
        ];
        let billing = || Value::from(self.links.billing.url(url));
        match *letter {
            Letter::VerifyEmail { token, valid_hours } => values.extend([
                (
                    "link",
                    self.links.verify_email.with_token(url, token).into(),
                ),
                ("hours", valid_hours.into()),
            ]),
            Letter::ResetPassword {
                token,
                valid_minutes,
                asked_from,
            } => values.extend([
                (
                    "link",
                    self.links.reset_password.with_token(url, token).into(),
                ),
                ("minutes", valid_minutes.into()),
                // Nothing, which `if` takes for false, where it is not known.
                (
                    "address",
                    asked_from
                        .map(|address| address.to_string())
                        .unwrap_or_default()
                        .into(),
                ),
            ]),
            Letter::Invite {
                token,
                valid_days,
                tenant,
                inviter,
                role,
            } => values.extend([
                (
                    "link",
                    self.links.accept_invite.with_token(url, token).into(),
                ),
                ("days", valid_days.into()),
                ("tenant", without_links(tenant).into()),
                ("inviter", address_shown(inviter).into()),
                ("role", role.into()),
            ]),
            Letter::AlreadyRegistered | Letter::PasswordChanged => {}
            Letter::CreditsLow {
                at,
                left_mc,
                currency,
            } => values.extend([
                ("billing", billing()),
                ("at", at.to_minute().into()),
                ("left", shown_millicents(left_mc, currency).into()),
                ("used_up", (left_mc <= 0).into()),
            ]),
            Letter::PaymentFailed {
                at,
                amount_cents,
                currency,
                paid_for,
            } => values.extend([
                ("billing", billing()),
                ("at", at.to_minute().into()),
                ("amount", shown_cents(amount_cents, currency).into()),
                ("paid_for", paid_for.as_str().into()),
            ]),
            Letter::SubscriptionEnded { at, plan } => values.extend([
                ("billing", billing()),
                ("at", at.to_minute().into()),
                ("plan", without_links(plan).into()),
            ]),
            Letter::TrialEnding { app, ends_at } => values.extend([
                ("billing", billing()),
                // Nothing, which `if` takes for false, where it is no app's.
                ("app", without_links(app.unwrap_or_default()).into()),
                ("ends", ends_at.to_minute().into()),
            ]),
            Letter::KeyLeaked {
                at,
                name,
                prefix,
                url,
                is_replaced,
                is_to_agent,
            } => values.extend([
                ("at", at.to_minute().into()),
                ("name", without_links(name).into()),
                ("prefix", without_links(prefix).into()),
                // A scanner has vouched for it, and whoever reads this has to go there.
                ("found_at", one_line(url.unwrap_or_default()).into()),
                ("replaced", is_replaced.into()),
                ("to_agent", is_to_agent.into()),
            ]),
        }
        values
    }
}

impl Letter<'_> {
    fn file(&self, ending: &str) -> String {
        let kind = match self {
            Self::VerifyEmail { .. } => "verify_email",
            Self::ResetPassword { .. } => "reset_password",
            Self::Invite { .. } => "invite",
            Self::AlreadyRegistered => "already_registered",
            Self::PasswordChanged => "password_changed",
            Self::CreditsLow { .. } => "credits_low",
            Self::PaymentFailed { .. } => "payment_failed",
            Self::SubscriptionEnded { .. } => "subscription_ended",
            Self::TrialEnding { .. } => "trial_ending",
            Self::KeyLeaked { .. } => "key_leaked",
        };
        format!("{kind}.{ending}")
    }

    fn token(&self) -> Option<&str> {
        match self {
            Self::VerifyEmail { token, .. }
            | Self::ResetPassword { token, .. }
            | Self::Invite { token, .. } => Some(token),
            Self::AlreadyRegistered
            | Self::PasswordChanged
            | Self::CreditsLow { .. }
            | Self::PaymentFailed { .. }
            | Self::SubscriptionEnded { .. }
            | Self::TrialEnding { .. }
            | Self::KeyLeaked { .. } => None,
        }
    }
}

/// Every way that letters take.
const SAMPLES: &[Letter<'static>] = &[
    Letter::VerifyEmail {
        token: "sample",
        valid_hours: 24,
    },
    Letter::ResetPassword {
        token: "sample",
        valid_minutes: 30,
        asked_from: None,
    },
    Letter::ResetPassword {
        token: "sample",
        valid_minutes: 30,
        asked_from: Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST)),
    },
    Letter::Invite {
        token: "sample",
        valid_days: 7,
        tenant: "Acme",
        inviter: "owner@example.com",
        role: "member",
    },
    Letter::AlreadyRegistered,
    Letter::PasswordChanged,
    credits_low(120_000),
    credits_low(0),
    payment_failed(PaidFor::Subscription),
    payment_failed(PaidFor::Topup),
    payment_failed(PaidFor::AutoRecharge),
    Letter::SubscriptionEnded {
        at: SAMPLE_AT,
        plan: "pro",
    },
    Letter::TrialEnding {
        app: Some("app"),
        ends_at: SAMPLE_AT,
    },
    Letter::TrialEnding {
        app: None,
        ends_at: SAMPLE_AT,
    },
    key_leaked(Some("https://example.com/a/b.txt"), false, false),
    key_leaked(None, true, true),
];

const SAMPLE_AT: UnixMillis = UnixMillis::from_ms(1_800_000_000_000);

const fn credits_low(left_mc: i64) -> Letter<'static> {
    Letter::CreditsLow {
        at: SAMPLE_AT,
        left_mc,
        currency: "EUR",
    }
}

const fn key_leaked(
    url: Option<&'static str>,
    is_replaced: bool,
    is_to_agent: bool,
) -> Letter<'static> {
    Letter::KeyLeaked {
        at: SAMPLE_AT,
        name: "production",
        prefix: "nex_a1b2",
        url,
        is_replaced,
        is_to_agent,
    }
}

const fn payment_failed(paid_for: PaidFor) -> Letter<'static> {
    Letter::PaymentFailed {
        at: SAMPLE_AT,
        amount_cents: 999,
        currency: "EUR",
        paid_for,
    }
}

/// A name that somebody has chosen and that goes to a third: one that no mail program takes for a link. Invitations
/// would otherwise carry anybody's advertisement in the operator's name.
fn without_links(name: &str) -> String {
    let line = line(name);
    let mut shown = String::with_capacity(line.len());
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        shown.push(c);
        if matches!(c, '.' | ':') && rest.peek().is_some_and(|next| *next != ' ') {
            shown.push(JOINER);
        }
    }
    shown
}

/// An address as it is, unless it holds a path, as no everyday one does: that could be taken for a link.
fn address_shown(address: &str) -> String {
    match address.contains('/') {
        true => without_links(address),
        false => line(address),
    }
}

/// One line, no longer than an address may be, that does not turn the writing around it.
fn line(text: &str) -> String {
    const CHARS_MAX: usize = 254;
    let turns = |c: &char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let line = one_line(text);
    line.chars().filter(|c| !turns(c)).take(CHARS_MAX).collect()
}
