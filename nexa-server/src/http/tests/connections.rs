//! Requests on connections: keep-alive, routing answers, malformed heads, slow and many clients.

use super::*;

#[test]
fn one_connection_carries_many_requests() {
    let server = Server::start(Limits::default());
    let mut client = server.connect();
    for _ in 0..3 {
        client.send(get("/hello"));
        let answer = client.answer();
        assert_eq!((answer.status, answer.body.as_str()), (200, "hello"));
        assert!(answer.header("date").is_some());
    }
    client.send("GET /hello HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    assert!(client.is_cut());
}

#[test]
fn unknown_paths_and_methods_are_told_apart() {
    let server = Server::start(Limits::default());
    assert_eq!(server.ask(&get("/nothing")).status, 404);
    let answer = server.ask("DELETE /hello HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(
        (answer.status, answer.header("allow")),
        (405, Some("GET, HEAD, PUT"))
    );
    let answer = server.ask("GET /echo HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
}

#[test]
fn head_is_get_without_the_body() {
    let server = Server::start(Limits::default());
    let mut client = server.connect();
    client.send("HEAD /hello HTTP/1.1\r\nHost: test\r\n\r\n");
    let answer = client.answer_head();
    assert_eq!(
        (answer.status, answer.header("content-length")),
        (200, Some("5"))
    );
    client.send(get("/hello"));
    assert_eq!(client.answer().body, "hello");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = Server::start(Limits::default());
    let mut client = server.connect();
    let echo = "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nabc";
    client.send(get("/miss") + echo + &get("/hello"));
    let bodies = [
        client.answer().body,
        client.answer().body,
        client.answer().body,
    ];
    assert_eq!(bodies, ["waited", "abc", "hello"]);
}

#[test]
fn a_malformed_head_is_400_and_the_end() {
    let server = Server::start(Limits::default());
    for garbage in [
        "\x16\x03\x01\x02\x00\x01\x00\x01\x7c\x03\x03\r\n\r\n",
        "hello there\r\n\r\n",
        "GET  /hello HTTP/1.1\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: test\r\nno colon\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: test\r\nfolded: a\r\n b\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: test\r\nspaced : a\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: -1\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: +1\r\n\r\na",
        "POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: gzip\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        let mut client = server.connect();
        client.send(garbage);
        assert_eq!(client.answer().status, 400, "{garbage:?}");
        assert!(client.is_cut(), "{garbage:?}");
    }
    assert_eq!(server.ask(&get("/hello")).status, 200);
}

/// RFC 9112 §6.3: the chunks count, and what follows them is never another request.
#[test]
fn a_length_beside_chunks_is_ignored_and_ends_the_connection() {
    let server = Server::start(Limits::default());
    for lines in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
    ] {
        let mut client = server.connect();
        client.send(format!(
            "POST /echo HTTP/1.1\r\nHost: test\r\n{lines}\r\n\r\n2\r\nok\r\n0\r\n\r\n{}",
            get("/hello")
        ));
        let answer = client.answer();
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok"));
        assert!(client.is_cut());
    }
}

#[test]
fn an_oversized_head_is_431() {
    let server = Server::start(Limits::default());
    let long = format!(
        "GET /hello HTTP/1.1\r\nHost: test\r\nX: {}\r\n\r\n",
        "x".repeat(20_000)
    );
    let many = format!(
        "GET /hello HTTP/1.1\r\nHost: test\r\n{}\r\n",
        "X: x\r\n".repeat(101)
    );
    let endless = "GET /hello HTTP/1.1\r\nHost: test\r\nX: ".to_owned() + &"x".repeat(1 << 20);
    for head in [long, many, endless] {
        let mut client = server.connect();
        // The server may close while the rest is still being sent.
        let _ = client.stream.write_all(head.as_bytes());
        assert_eq!(client.answer().status, 431);
        assert!(client.is_cut());
    }
    let fits = format!(
        "GET /hello HTTP/1.1\r\nHost: test\r\nX: {}\r\n\r\n",
        "x".repeat(15_000)
    );
    assert_eq!(server.ask(&fits).status, 200);
}

#[test]
fn a_peer_that_never_finishes_is_cut() {
    let server = Server::start(Limits {
        header_timeout: SHORT,
        idle_timeout: SHORT,
        ..Limits::default()
    });
    for sent in ["", "G", "GET /hello HTTP/1.1\r\nHost: te"] {
        let mut slow = server.connect();
        slow.send(sent);
        assert!(slow.is_cut(), "{sent:?}");
    }
    let mut idle = server.connect();
    idle.send(get("/hello"));
    assert_eq!(idle.answer().status, 200);
    assert!(idle.is_cut());
}

/// The second client is served only because the first is cut.
#[test]
fn a_peer_that_takes_no_answer_is_cut() {
    let server = Server::start(Limits {
        connections: 1,
        write_stall_timeout: SHORT,
        ..Limits::default()
    });
    let mut slow = server.connect();
    slow.send(get("/huge"));
    let mut next = server.connect();
    next.send(get("/hello"));
    assert_eq!(next.answer().body, "hello");
}

fn patient(connections: usize) -> Server {
    Server::start(Limits {
        connections,
        header_timeout: LONG,
        idle_timeout: LONG,
        write_stall_timeout: LONG,
        ..Limits::default()
    })
}

#[test]
fn the_oldest_unfinished_head_makes_room() {
    let server = patient(3);
    let mut slow: Vec<Client> = (0..3).map(|_| server.connect()).collect();
    slow.iter_mut().for_each(|client| client.send("G"));
    let mut late = server.connect();
    late.send(get("/hello"));
    assert_eq!(late.answer().body, "hello");
    assert!(slow.remove(0).is_cut());
    for mut client in slow {
        client.send(&get("/hello")[1..]);
        assert_eq!(client.answer().body, "hello");
    }
}

#[test]
fn who_has_asked_stays_as_long_as_somebody_has_not() {
    let server = patient(2);
    let mut known = server.connect();
    known.send(get("/hello"));
    assert_eq!(known.answer().status, 200);
    let mut slow: Vec<Client> = (0..10).map(|_| server.connect()).collect();
    slow.iter_mut().for_each(|client| client.send("G"));
    known.send(get("/hello"));
    assert_eq!(known.answer().status, 200);
    let mut late = server.connect();
    late.send(get("/hello"));
    assert_eq!(late.answer().status, 200);
    known.send(get("/hello"));
    assert_eq!(known.answer().status, 200);
    // Both have asked; the older one goes.
    let mut later = server.connect();
    later.send(get("/hello"));
    assert_eq!(later.answer().status, 200);
    assert!(known.is_cut());
    late.send(get("/hello"));
    assert_eq!(late.answer().status, 200);
}

#[test]
fn who_is_owed_an_answer_gets_it_before_making_room() {
    let server = patient(1);
    let mut busy = server.connect();
    busy.send(get("/wait"));
    server.doors.wait_for(1);
    let mut next = server.connect();
    next.send(get("/hello"));
    std::thread::sleep(SHORT * 2);
    server.doors.open();
    assert_eq!(busy.answer().body, "passed");
    assert_eq!(next.answer().body, "hello");

    let mut taking = server.connect();
    taking.send(get("/huge"));
    let head = taking.answer_head();
    let mut last = server.connect();
    last.send(get("/hello"));
    std::thread::sleep(SHORT * 2);
    while taking.read.len() < HUGE {
        taking.more();
    }
    assert_eq!(head.status, 200);
    assert_eq!(last.answer().body, "hello");
}

#[test]
fn a_request_names_one_host() {
    let server = Server::start(Limits::default());
    for (version, hosts, status) in [
        ("1.1", "Host: test\r\n", 200),
        ("1.1", "Host:\r\n", 200),
        ("1.1", "host: [::1]:8080\r\n", 200),
        ("1.1", "", 400),
        ("1.1", "Host: a\r\nHost: a\r\n", 400),
        ("1.1", "Host: a\r\nhost: b\r\n", 400),
        ("1.1", "Host: a b\r\n", 400),
        ("1.1", "Host: a, b\r\n", 400),
        ("1.1", "Host: a@b\r\n", 400),
        ("1.1", "Host: a/b\r\n", 400),
        ("1.0", "", 200),
        ("1.0", "Host: a\r\n", 200),
        ("1.0", "Host: a\r\nHost: b\r\n", 400),
    ] {
        let mut client = server.connect();
        client.send(format!("GET /hello HTTP/{version}\r\n{hosts}\r\n"));
        let answer = client.answer();
        assert_eq!(answer.status, status, "{version} {hosts:?}");
        if status == 400 {
            assert_eq!(answer.body, "Host");
            client.finish_sending();
            assert!(client.is_cut());
        }
    }
}

#[test]
fn a_head_that_drips_is_cut() {
    let server = Server::start(Limits {
        header_timeout: SHORT,
        ..Limits::default()
    });
    let mut client = server.connect();
    client
        .stream
        .set_read_timeout(Some(Duration::from_millis(1)))
        .unwrap();
    client.send("GET /hello HTTP/1.1\r\nHost: test\r\nX: ");
    loop {
        // Each byte is progress, and none of them buys time.
        if client.stream.write_all(b"x").is_err() || client.is_cut() {
            break;
        }
    }
    assert_eq!(server.ask(&get("/hello")).status, 200);
}

#[test]
fn a_body_that_takes_its_time_is_not_a_slow_head() {
    let server = Server::start(Limits {
        header_timeout: SHORT,
        idle_timeout: SHORT,
        ..Limits::default()
    });
    let mut client = server.connect();
    client.send("POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nab");
    std::thread::sleep(SHORT * 3);
    client.send("c");
    assert_eq!(client.answer().body, "abc");
}

#[test]
fn connections_over_the_limit_wait_and_break_nothing() {
    let server = Server::start(Limits {
        connections: 8,
        ..Limits::default()
    });
    let mut first = server.connect();
    first.send(get("/hello"));
    assert_eq!(first.answer().status, 200);
    let address = server.address;
    let idle: Vec<_> = (0..1_000)
        .map(|_| {
            server.runtime.spawn(async move {
                let _open = tokio::net::TcpStream::connect(address).await;
                std::future::pending::<()>().await;
            })
        })
        .collect();
    for _ in 0..20 {
        first.send(get("/hello"));
        assert_eq!(first.answer().status, 200);
    }
    idle.iter().for_each(JoinHandle::abort);
    let mut late = server.connect();
    late.send(get("/hello"));
    assert_eq!(late.answer().status, 200);
}
