//! Mail: what a mail is, who sends it, and what there is to send.
//!
//! [`Letters`] writes a [`Message`], a [`Mailer`] sends it. A mail depends on its arguments alone, so that a second try
//! sends the same one: `now` becomes the date, [`Message::id`] the message id and the boundary between the parts.

mod address;
mod compose;
mod file;
mod letters;
mod links;
mod log;
mod smtp;
mod templates;
#[cfg(test)]
mod tests;
mod url;

use std::path::PathBuf;
use std::sync::Arc;

pub(crate) use address::Sender;
pub(crate) use letters::{Letter, Letters};
pub(crate) use links::{Links, Target};
pub(crate) use url::MailUrl;

use crate::time::UnixMillis;

/// Takes mails and sends them.
pub(crate) trait Mailer: Send + Sync {
    /// Sends one mail, or says why not. It may take as long as the server on the other side wants to be waited for.
    ///
    /// # Errors
    /// [`MailError`], which says whether another try makes sense.
    fn send(&self, now: UnixMillis, message: &Message) -> Result<(), MailError>;
}

/// One mail to one person. It carries a token, so it is neither logged nor `Debug`.
pub(crate) struct Message {
    /// Names the mail for good: letters, digits and `-`.
    pub(crate) id: String,
    /// The address, as its owner gave it.
    pub(crate) to: String,
    /// One line.
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

/// Why a mail was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MailError {
    /// It may go later: nobody answered, the server is busy, or something is to be set right on either side.
    #[error("not now: {0}")]
    NotNow(String),
    /// It will never go: the address cannot be written to, or the server wants neither it nor the mail.
    #[error("refused: {0}")]
    Refused(String),
}

/// What the operator has laid down for mail.
#[derive(Debug)]
pub(crate) struct MailSettings {
    pub(crate) url: MailUrl,
    /// `None`: `no-reply` at the host of the public URL.
    pub(crate) from: Option<Sender>,
    /// The folder of the templates that replace ours.
    pub(crate) templates: Option<PathBuf>,
    pub(crate) links: Links,
}

impl MailSettings {
    /// # Errors
    /// A sentence that names the setting.
    pub(crate) fn mailer(&self, public_url: &str) -> Result<Arc<dyn Mailer>, String> {
        let from = self.sender(public_url)?;
        Ok(match &self.url {
            MailUrl::Log => Arc::new(log::Log),
            MailUrl::Folder(folder) => Arc::new(file::Folder::open(folder, from)?),
            MailUrl::Server(server) => Arc::new(smtp::Smtp::new(server, from, public_url)?),
        })
    }

    /// # Errors
    /// A sentence that names the setting.
    pub(crate) fn sender(&self, public_url: &str) -> Result<Sender, String> {
        match &self.from {
            Some(from) => Ok(from.clone()),
            None => Sender::at_home(public_url),
        }
    }

    /// # Errors
    /// A sentence that names the setting.
    pub(crate) fn letters(&self, public_url: &str) -> Result<Letters, String> {
        Letters::new(self.templates.as_deref(), &self.links, public_url)
    }
}
