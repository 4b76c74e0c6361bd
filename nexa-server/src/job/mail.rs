//! Sends the mails that are due, one after the other.

use nexa_core::PlainKey;
use rand_core::CryptoRng;

use crate::api::Services;
use crate::domain::mails::{self, Begun, MailKind, Reader};
use crate::domain::notices::{Notice, Told};
use crate::domain::{Error, mailed_tokens};
use crate::outbound::mail::{Letter, MailError};
use crate::time::UnixMillis;

/// Sends the mail that has been due longest; false when none is. A mail that could not be sent is due again later.
///
/// # Errors
/// `Store`: then it is better to wait before the next one.
pub(crate) fn send_next(
    services: &Services,
    now: UnixMillis,
    rng: &mut dyn CryptoRng,
) -> Result<bool, Error> {
    let store = &services.store;
    let Some(mail) = store.read(|tx| mails::next(tx, now))? else {
        return Ok(false);
    };
    let token = mailed_tokens::new(rng);
    let (id, digest) = (mail.id.clone(), token.digest());
    let begun = store.write(move |tx| mails::begin(tx, now, &mail, &digest))?;
    let is_done = match begun {
        Begun::Letter(letter) => is_over(&id, send(services, now, &id, &letter, &token)),
        Begun::Notice { to, reader, told } => {
            is_over(&id, tell(services, now, &id, &to, reader, &told))
        }
        Begun::Nothing => true,
        Begun::GivenUp => {
            tracing::error!(
                mail = id,
                "a mail could not be sent for as long as it is tried and is dropped"
            );
            true
        }
    };
    if is_done {
        store.write(move |tx| mails::done(tx, &id))?;
    }
    Ok(true)
}

/// Whether a mail needs no more tries.
fn is_over(id: &str, sent: Result<(), MailError>) -> bool {
    match sent {
        Ok(()) => true,
        Err(MailError::NotNow(problem)) => {
            tracing::warn!(
                mail = id,
                problem,
                "a mail could not be sent; it is tried again"
            );
            false
        }
        Err(MailError::Refused(problem)) => {
            tracing::error!(mail = id, problem, "a mail was refused for good");
            true
        }
    }
}

fn tell(
    services: &Services,
    now: UnixMillis,
    id: &str,
    to: &str,
    reader: Reader,
    told: &Told,
) -> Result<(), MailError> {
    let (at, currency) = (told.at, services.tariff.currency.as_str());
    let occasion = match &told.notice {
        Notice::CreditsLow { left_mc } => Letter::CreditsLow {
            at,
            left_mc: *left_mc,
            currency,
        },
        Notice::PaymentFailed {
            amount_cents,
            paid_for,
        } => Letter::PaymentFailed {
            at,
            amount_cents: *amount_cents,
            currency,
            paid_for: *paid_for,
        },
        Notice::SubscriptionEnded { plan_name } => Letter::SubscriptionEnded {
            at,
            plan: plan_name,
        },
        Notice::TrialEnding { app_id, ends_at } => Letter::TrialEnding {
            app: app_id.as_deref(),
            ends_at: *ends_at,
        },
        Notice::KeyLeaked {
            user_id: _,
            key_name,
            key_prefix,
            url,
            is_replaced,
        } => Letter::KeyLeaked {
            at,
            name: key_name,
            prefix: key_prefix,
            url: url.as_deref(),
            is_replaced: *is_replaced,
            is_to_agent: reader == Reader::AgentContact,
        },
    };
    let message = services.letters.write(id, to, &occasion)?;
    services.mailer.send(now, &message)
}

fn send(
    services: &Services,
    now: UnixMillis,
    id: &str,
    letter: &mails::Letter,
    token: &PlainKey,
) -> Result<(), MailError> {
    let token = token.expose();
    let occasion = match letter.kind {
        MailKind::VerifyEmail => Letter::VerifyEmail {
            token,
            valid_hours: mailed_tokens::VERIFICATION_HOURS,
        },
        MailKind::ResetPassword => Letter::ResetPassword {
            token,
            valid_minutes: mailed_tokens::RESET_MINUTES,
            asked_from: letter.asked_from,
        },
        MailKind::Invite => Letter::Invite {
            token,
            valid_days: mailed_tokens::INVITE_DAYS,
            tenant: &letter.tenant_name,
            inviter: letter.inviter.as_deref().unwrap_or_default(),
            role: &letter.role,
        },
        MailKind::AlreadyRegistered => Letter::AlreadyRegistered,
        MailKind::PasswordChanged => Letter::PasswordChanged,
    };
    let message = services.letters.write(id, &letter.to, &occasion)?;
    services.mailer.send(now, &message)
}
