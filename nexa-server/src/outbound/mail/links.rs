//! Where the links in letters lead: under the public URL, or to a page of the operator's.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::address::authority;

/// The pages that letters lead to. They belong to the operator's product; those with a token hand it to this server.
#[derive(Clone, Debug)]
pub(crate) struct Links {
    pub(crate) verify_email: Target,
    pub(crate) reset_password: Target,
    pub(crate) accept_invite: Target,
    pub(crate) log_in: Target,
    pub(crate) forgot_password: Target,
    /// Where an owner sees to plan, payments and credit.
    pub(crate) billing: Target,
}

/// A page: a path under the public URL, or a whole http or https URL; perhaps with a query, never with a fragment, which
/// would take up the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target(String);

/// What needs no escape in a query.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

impl Target {
    /// # Errors
    /// The rule.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        const RULE: &str =
            "must be a path such as /verify-email, or an http or https URL; without a fragment (#)";
        // RFC 3986 §2, without the characters that end it early in a text or an attribute.
        let is_of_url = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/?[]@!$&()*+,;=%".contains(&b);
        let is_path = text.starts_with('/') && !text.starts_with("//");
        let host = authority(text);
        let is_url = (text.starts_with("https://") || text.starts_with("http://"))
            && !host.is_empty()
            && !host.contains('@');
        if (is_path || is_url) && text.bytes().all(is_of_url) {
            Ok(Self(text.to_owned()))
        } else {
            Err(RULE.to_owned())
        }
    }

    /// The link itself. The public URL is a setting: nothing of a request ever comes in here.
    pub(super) fn url(&self, public_url: &str) -> String {
        match self.0.starts_with('/') {
            true => format!("{public_url}{}", self.0),
            false => self.0.clone(),
        }
    }

    /// The link with a token in its query.
    pub(super) fn with_token(&self, public_url: &str, token: &str) -> String {
        let sign = if self.0.contains('?') { '&' } else { '?' };
        let token = utf8_percent_encode(token, ESCAPED);
        format!("{}{sign}token={token}", self.url(public_url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_where_the_setting_says() {
        for (target, link) in [
            (
                "/verify-email",
                "https://auth.example.com/base/verify-email?token=a-b_c",
            ),
            ("/", "https://auth.example.com/base/?token=a-b_c"),
            (
                "/a?lang=de",
                "https://auth.example.com/base/a?lang=de&token=a-b_c",
            ),
            (
                "https://app.example.com/verify",
                "https://app.example.com/verify?token=a-b_c",
            ),
            ("http://localhost:3000", "http://localhost:3000?token=a-b_c"),
            (
                "https://app.example.com/?page=verify",
                "https://app.example.com/?page=verify&token=a-b_c",
            ),
        ] {
            let target = Target::parse(target).unwrap();
            assert_eq!(
                target.with_token("https://auth.example.com/base", "a-b_c"),
                link
            );
        }
        let target = Target::parse("/a").unwrap();
        assert_eq!(target.url("https://b"), "https://b/a");
        assert_eq!(
            target.with_token("https://b", "a&b=#"),
            "https://b/a?token=a%26b%3D%23"
        );
    }

    #[test]
    fn nothing_else_is_a_target() {
        for text in [
            "",
            "verify-email",
            "//evil.example/x",
            "/\\evil.example",
            "https://",
            "https:///x",
            "https://?x",
            "https://user@app.example.com/",
            "ftp://app.example.com/",
            "javascript:alert(1)",
            "/a#b",
            "https://app.example.com/#/verify",
            "/a b",
            "/a\"b",
            "/a'b",
            "/a<b",
            "/a\nb",
            "/\u{e4}",
        ] {
            assert!(Target::parse(text).is_err(), "{text:?}");
        }
    }
}
