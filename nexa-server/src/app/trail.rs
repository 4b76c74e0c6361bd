//! What a call has turned out to be: for whoever counts and logs it.

use tracing::span::EnteredSpan;

/// What a call has turned out to be, for whoever counts and logs it.
#[derive(Default)]
pub(crate) struct Trail {
    pub(crate) request_id: String,
    /// Whether the call runs in the span of its request already.
    pub(crate) is_in_span: bool,
    /// The place of its route in the table.
    pub(crate) route: Option<usize>,
    /// Whether the tenant is wanted.
    pub(crate) names_tenant: bool,
    /// Whose credential it came with.
    pub(crate) tenant_id: Option<String>,
}

impl Trail {
    /// Of a call that is no request: it has whatever span its program is in.
    pub(super) fn none() -> Self {
        Self {
            is_in_span: true,
            ..Self::default()
        }
    }

    /// The span whose id the lines of a request carry. A call that memory answers goes without one until it has something to
    /// tell of: a span costs as much as the answer.
    pub(crate) fn enter(&self) -> Option<EnteredSpan> {
        // At the highest level, so that errors have it too.
        let span = || tracing::error_span!(parent: None, "request", request_id = self.request_id);
        (!self.is_in_span).then(|| span().entered())
    }
}
