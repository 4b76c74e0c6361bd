//! The file handles that a server needs beside those of its connections: the sum of what can be open at once.

use crate::domain::webhooks;
use crate::gate::places;

/// Connections and WebSockets leave so many of what the system allows.
pub(super) const OTHERS: usize =
    PROCESS + STORE + REWRITING + METRICS + WEBHOOKS + PAYMENTS + ISSUERS + MAIL + LEAVING;

/// Standard streams, both listeners, the runtime's polling and signals, a connection that waits for its place, a file that is
/// read in passing.
const PROCESS: usize = 16;
/// The lock of the folder, and database and log of the writer and of eight readers, with the memory that they share.
const STORE: usize = 24;
/// What an erasure rewrites the file into, and a backup with its source.
const REWRITING: usize = 8;
/// Whoever asks for metrics (`serve::metrics`).
const METRICS: usize = 16;
/// Deliveries under way, each with a connection or with a question for its name.
const WEBHOOKS: usize = webhooks::AT_ONCE;
/// Eight calls of the API, two of the provider's, one of the job, and what is kept open between them.
const PAYMENTS: usize = 16;
/// One question for keys, and what is kept open after it.
const ISSUERS: usize = 4;
/// One mail at a time, and its server's name.
const MAIL: usize = 4;
/// WebSockets that have lost their places.
const LEAVING: usize = places::LEAVING_MAX;
