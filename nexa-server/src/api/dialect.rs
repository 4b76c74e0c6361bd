//! Which conventions of a published document a route follows.

/// The published document whose error conventions a route follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Agentyk,
    /// Validation errors are 422 with a `detail` array.
    Nexora,
    /// A missing credential is a missing API key.
    Nexgent,
    /// As Nexgent, in snake_case. DialNexa's too.
    Nexalayer,
    /// RFC 6749 §5.2: codes of its own, in a body of its own.
    Oauth,
    /// As Nexgent, and the reason travels in `X-Nexa-Error` and the body in `X-Nexa-Problem` too, because nginx drops bodies.
    Gateway,
}

impl Dialect {
    /// A field's name or path, as the domain writes it (`rate_limit.window_seconds`), in the document's casing.
    pub(super) fn field(self, field: &str) -> String {
        match self {
            Self::Agentyk | Self::Nexgent | Self::Gateway => camel_case(field),
            Self::Nexora | Self::Nexalayer | Self::Oauth => field.to_owned(),
        }
    }
}

fn camel_case(snake_case: &str) -> String {
    let mut words = snake_case.split('_');
    let mut camel_case = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel_case.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel_case.push_str(letters.as_str());
    }
    camel_case
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_an_underscore_stay() {
        for (snake, camel) in [
            ("name", "name"),
            ("tenant_name", "tenantName"),
            ("device.fingerprint", "device.fingerprint"),
            ("scopes[1]", "scopes[1]"),
            ("", ""),
        ] {
            assert_eq!(camel_case(snake), camel);
        }
    }
}
