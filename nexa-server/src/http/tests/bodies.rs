//! Bodies over the wire: limits, timeouts, `100 Continue`, broken framing.

use super::*;

#[test]
fn the_limit_is_exact_with_a_length_and_in_chunks() {
    let server = Server::start(Limits::default());
    for (size, status) in [(0, 200), (1, 200), (BODY_LIMIT, 200), (BODY_LIMIT + 1, 413)] {
        let body = "x".repeat(size);
        let answer = server.ask(&format!(
            "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: {size}\r\n\r\n{body}"
        ));
        assert_eq!(answer.status, status, "{size}");
        let chunk = if size == 0 {
            String::new()
        } else {
            format!("{size:x}\r\n{body}\r\n")
        };
        let chunked = format!(
            "POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}0\r\n\r\n"
        );
        let answer = server.ask(&chunked);
        assert_eq!(answer.status, status, "{size} in chunks");
        assert_eq!(
            answer.body.len(),
            if status == 200 {
                size
            } else {
                answer.body.len()
            }
        );
    }
}

#[test]
fn many_small_chunks_are_one_body() {
    let server = Server::start(Limits::default());
    let chunks = "1\r\na\r\n".repeat(BODY_LIMIT);
    let head = "POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n";
    let answer = server.ask(&format!("{head}{chunks}0\r\n\r\n"));
    assert_eq!((answer.status, answer.body), (200, "a".repeat(BODY_LIMIT)));
    assert_eq!(
        server
            .ask(&format!("{head}{chunks}1\r\na\r\n0\r\n\r\n"))
            .status,
        413
    );
}

#[test]
fn a_refused_upload_still_gets_its_answer() {
    let server = Server::start(Limits::default());
    let size = 1 << 20;
    for framing in [
        format!("Content-Length: {size}"),
        "Transfer-Encoding: chunked".to_owned(),
    ] {
        let mut client = server.connect();
        client.send(format!(
            "POST /echo HTTP/1.1\r\nHost: test\r\n{framing}\r\n\r\n"
        ));
        client.send(format!("{size:x}\r\n"));
        // All of it is sent before the answer is looked at.
        client.send(vec![b'x'; size - 9]);
        let answer = client.answer();
        assert_eq!(
            (answer.status, answer.header("connection")),
            (413, Some("close"))
        );
        client.finish_sending();
        assert!(client.is_cut());
    }
}

#[test]
fn an_absurd_length_is_refused_unread() {
    let server = Server::start(Limits::default());
    for length in ["1001", "4294967296", "18446744073709551000"] {
        let answer = server.ask(&format!(
            "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n"
        ));
        assert_eq!(answer.status, 413, "{length}");
    }
}

#[test]
fn continue_is_sent_only_to_bodies_that_are_wanted() {
    let server = Server::start(Limits::default());
    let head = |length| {
        format!(
            "POST /echo HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    let mut client = server.connect();
    client.send(head(2));
    assert_eq!(client.answer_head().status, 100);
    client.send("ok");
    assert_eq!(client.answer().body, "ok");

    let mut client = server.connect();
    client.send(head(BODY_LIMIT + 1));
    assert_eq!(client.answer().status, 413);
}

#[test]
fn a_body_that_stops_coming_is_408() {
    let server = Server::start(Limits {
        body_timeout: SHORT,
        ..Limits::default()
    });
    for start in [
        "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhalf",
        "POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
        "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\n",
    ] {
        let mut client = server.connect();
        client.send(start);
        let answer = client.answer();
        assert_eq!(
            (answer.status, answer.header("connection")),
            (408, Some("close")),
            "{start:?}"
        );
    }
}

#[test]
fn broken_chunks_are_400() {
    let server = Server::start(Limits::default());
    for chunk in ["zz\r\n", "2\r\nabc\r\n", "fffffffffffffffff\r\n", "-1\r\n"] {
        let answer = server.ask(&format!(
            "POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}0\r\n\r\n"
        ));
        assert_eq!(answer.status, 400, "{chunk:?}");
    }
}
