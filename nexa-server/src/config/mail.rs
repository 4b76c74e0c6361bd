//! The table `[mail]` of the configuration file.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

use crate::outbound::mail::{Links, MailSettings, MailUrl, Sender, Target};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileMail {
    url: String,
    from: Option<String>,
    templates: Option<PathBuf>,
    links: FileLinks,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FileLinks {
    verify_email: String,
    reset_password: String,
    accept_invite: String,
    log_in: String,
    forgot_password: String,
    billing: String,
}

impl Default for FileMail {
    fn default() -> Self {
        Self {
            url: "log:".to_owned(),
            from: None,
            templates: None,
            links: FileLinks::default(),
        }
    }
}

impl Default for FileLinks {
    fn default() -> Self {
        Self {
            verify_email: "/verify-email".to_owned(),
            reset_password: "/reset-password".to_owned(),
            accept_invite: "/accept-invite".to_owned(),
            log_in: "/login".to_owned(),
            forgot_password: "/forgot-password".to_owned(),
            billing: "/billing".to_owned(),
        }
    }
}

/// Without the URL, which may hold a password.
impl fmt::Debug for FileMail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileMail")
            .field("from", &self.from)
            .field("templates", &self.templates)
            .field("links", &self.links)
            .finish_non_exhaustive()
    }
}

impl FileMail {
    /// The settings, with this URL before the file's, and with templates and sender tried on the public URL.
    pub(super) fn checked(
        self,
        url: Option<&str>,
        public_url: &str,
    ) -> Result<MailSettings, String> {
        let url = url.unwrap_or(&self.url);
        let settings = MailSettings {
            url: MailUrl::parse(url).map_err(|rule| format!("mail.url: {rule}"))?,
            from: self
                .from
                .map(|from| {
                    Sender::parse(&from).map_err(|rule| format!("mail.from: {from:?} {rule}"))
                })
                .transpose()?,
            templates: self.templates,
            links: self.links.checked()?,
        };
        settings.sender(public_url)?;
        settings.letters(public_url)?;
        Ok(settings)
    }
}

impl FileLinks {
    fn checked(self) -> Result<Links, String> {
        let target = |name: &str, text: &str| {
            Target::parse(text).map_err(|rule| format!("mail.links: {name} {text:?} {rule}"))
        };
        Ok(Links {
            verify_email: target("verify_email", &self.verify_email)?,
            reset_password: target("reset_password", &self.reset_password)?,
            accept_invite: target("accept_invite", &self.accept_invite)?,
            log_in: target("log_in", &self.log_in)?,
            forgot_password: target("forgot_password", &self.forgot_password)?,
            billing: target("billing", &self.billing)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(text: &str, url: Option<&str>) -> Result<MailSettings, String> {
        let file: FileMail = toml::from_str(text).unwrap();
        file.checked(url, "https://auth.example.com")
    }

    #[test]
    fn what_mail_cannot_be_given_is_named_and_no_password_is() {
        for (text, problem) in [
            (
                "url = 'smtp:mx'",
                "mail.url: must be smtp://HOST, smtps://HOST, file:DIR or log:",
            ),
            (
                "url = 'smtp://me:se cret@mx:x'",
                "mail.url: the port must be from 1 to 65535",
            ),
            (
                "from = 'Acme'",
                "mail.from: \"Acme\" must be an address, or a name and an address such as Acme <no-reply@acme.example>",
            ),
            (
                "[links]\nlog_in = 'login'",
                "mail.links: log_in \"login\" must be a path such as /verify-email, or an http or https URL; without a \
                 fragment (#)",
            ),
            (
                "templates = 'nowhere'",
                "mail.templates: nowhere: No such file or directory (os error 2)",
            ),
        ] {
            assert_eq!(
                mail(text, None).map(|_| ()),
                Err(problem.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn flag_and_environment_go_before_the_file() {
        let settings = mail("url = 'file:a'", Some("file:b")).unwrap();
        assert_eq!(settings.url, MailUrl::Folder("b".into()));
        assert_eq!(mail("", None).unwrap().url, MailUrl::Log);
        let empty = mail("url = 'file:a'", Some("")).unwrap_err();
        assert!(
            empty.starts_with("mail.url: "),
            "an empty variable is no default: {empty}"
        );
    }

    #[test]
    fn no_password_is_shown() {
        let file: FileMail = toml::from_str("url = 'smtp://me:secret@mx'").unwrap();
        assert!(!format!("{file:?}").contains("secret"));
        let settings = file.checked(None, "https://auth.example.com").unwrap();
        assert!(!format!("{settings:?}").contains("secret"));
    }
}
