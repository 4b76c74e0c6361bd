//! `/healthz`: whether the server can do its work.

use super::route::Cx;
use crate::domain::Error;
use crate::http::reply::{Ok200, Success};

/// Reads, and takes a turn of the writer: an answer means that both work.
pub(crate) fn get(cx: &mut Cx<'_>, (): ()) -> Result<Ok200<Success>, Error> {
    cx.write(|_, _, _| Ok(()))?;
    cx.read(|_| Ok(()))?;
    Ok(Ok200(Success))
}
