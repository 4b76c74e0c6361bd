//! `/healthz`: whether the server can do its work.

use super::route::Cx;
use crate::domain::Error;
use crate::http::reply::{Ok200, Success};
use crate::store::health_probe;

/// How long a kept probe speaks for the next ones, so that a flood of them costs no flood of fsyncs.
const PROBE_AGE_MAX_MS: i64 = 1_000;

/// Reads and really writes, at most once a second: an answer means that both work.
pub(crate) fn get(cx: &mut Cx<'_>, (): ()) -> Result<Ok200<Success>, Error> {
    let last = cx.read(|tx| Ok(health_probe::last(tx)?))?;
    let is_fresh =
        last.is_some_and(|last| (0..PROBE_AGE_MAX_MS).contains(&(cx.now.ms() - last.ms())));
    if cx.services.store.failed() || !is_fresh {
        cx.write(|tx, now, _| Ok(health_probe::keep(tx, now)?))?;
    }
    Ok(Ok200(Success))
}

#[cfg(test)]
mod tests {
    use hyper::Request;
    use hyper::body::Bytes;

    use crate::app::{Call, Trail};
    use crate::testing::{self, SeededRng};
    use crate::time::UnixMillis;

    #[test]
    fn it_is_well_only_if_a_row_can_be_written() {
        let (app, _folder) = testing::app(|_| {});
        let store = app.services().store.clone();
        let mut rng = SeededRng::new(1);
        let mut status = |ms| {
            let (head, ()) = Request::get("/healthz").body(()).unwrap().into_parts();
            let call = Call {
                now: UnixMillis::from_ms(ms),
                rng: &mut rng,
                peer: [127, 0, 0, 1].into(),
                may_block: true,
            };
            let answer =
                testing::whole(app.handle(call, &mut Trail::default(), &head, &Bytes::new()));
            answer.expect("it may block").status().as_u16()
        };
        let execute = |sql: &'static str| {
            store
                .write(move |tx| tx.execute(sql, &[]))
                .map(drop)
                .unwrap()
        };
        assert_eq!(status(10_000), 200);
        let commits = store.commits();
        assert_eq!(status(10_999), 200);
        assert_eq!(store.commits(), commits, "the last probe still speaks");
        assert_eq!(status(11_000), 200);
        assert_eq!(store.commits(), commits + 1);

        execute(
            "CREATE TRIGGER refuse BEFORE UPDATE ON health_probe
             BEGIN SELECT RAISE(ABORT, 'no write'); END",
        );
        assert_eq!(status(12_000), 500);
        assert_eq!(
            status(10_000),
            500,
            "a clock that stepped back proves nothing"
        );
        execute("DROP TRIGGER refuse");
        assert_eq!(status(12_000), 200);
    }
}
