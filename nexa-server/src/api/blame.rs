//! Which part of a request is to blame for its refusal.

use serde_json::Value;

use crate::http::extract::BadInput;

/// A field of one part of the request, or the whole part.
pub(super) struct Blame {
    part: &'static str,
    /// As in `scopes[1].name`; `part` again for the part as a whole.
    field: String,
}

impl Blame {
    pub(super) fn of(bad: &BadInput) -> Self {
        let part = match bad {
            BadInput::MediaType { .. } | BadInput::Header { .. } | BadInput::Upgrade { .. } => {
                "header"
            }
            BadInput::Json { .. } | BadInput::Form { .. } => "body",
            BadInput::Query { .. } => "query",
            BadInput::Path { .. } => "path",
        };
        let field = bad.path().to_owned();
        Self { part, field }
    }

    /// A member of the body that breaks a rule of the domain: what stands elsewhere has been judged by then.
    pub(super) const fn of_body(field: String) -> Self {
        Self {
            part: "body",
            field,
        }
    }

    /// The part, then each step: `body`, `scopes`, 1, `name`.
    pub(super) fn location(&self) -> Vec<Value> {
        let is_whole = self.field == self.part;
        let steps = self.field.split(['.', '[', ']']);
        let steps = steps.filter(|step| !is_whole && !step.is_empty());
        let steps = steps.map(|step| {
            step.parse::<u64>()
                .map_or_else(|_| Value::from(step), Value::from)
        });
        std::iter::once(Value::from(self.part))
            .chain(steps)
            .collect()
    }
}
