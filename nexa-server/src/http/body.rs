//! Request bodies: whole, within their limit and in time.

use std::pin::{Pin, pin};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes};

use super::serve::BodyProblem;

/// Reads a body to its end.
///
/// A declared length over `limit` is refused before anything is read (so a client that waits for
/// `100 Continue` never sends it); without one, the bytes are counted as they come.
///
/// # Errors
/// `TooLarge`, `Timeout` or `Broken`; the rest of the body is then unread and the connection can
/// only be closed.
pub(super) async fn read<B: Body<Data = Bytes>>(
    body: B,
    limit: usize,
    time_limit: Duration,
) -> Result<Bytes, BodyProblem> {
    let declared = body.size_hint().lower();
    if usize::try_from(declared).is_ok_and(|declared| declared <= limit) {
        let body = pin!(body);
        let whole = collect(body, limit);
        return tokio::time::timeout(time_limit, whole)
            .await
            .unwrap_or(Err(BodyProblem::Timeout));
    }
    Err(BodyProblem::TooLarge { limit })
}

async fn collect<B: Body<Data = Bytes>>(
    mut body: Pin<&mut B>,
    limit: usize,
) -> Result<Bytes, BodyProblem> {
    let mut whole: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        // Trailers carry nothing we use.
        let Ok(data) = frame.map_err(|_| BodyProblem::Broken)?.into_data() else {
            continue;
        };
        if data.len() > limit - whole.len() {
            return Err(BodyProblem::TooLarge { limit });
        }
        if whole.is_empty() && body.is_end_stream() {
            return Ok(data);
        }
        // Copied into one buffer: a chunk of one byte must not cost the handle of a chunk.
        whole.extend_from_slice(&data);
    }
    Ok(whole.into())
}
