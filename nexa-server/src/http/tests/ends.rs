//! How things end: panics, overload, graceful and impatient shutdown.

use super::*;

#[test]
fn a_panic_is_500_and_the_connection_lives() {
    let server = Server::start(Limits::default());
    let mut client = server.connect();
    for path in ["/panic", "/panic/blocking"] {
        client.send(get(path));
        let answer = client.answer();
        assert_eq!((answer.status, answer.body.as_str()), (500, "Panicked"));
        client.send(get("/hello"));
        assert_eq!(client.answer().status, 200);
    }
    let with_body = "POST /plan-panic HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\na";
    assert_eq!(server.ask(with_body).status, 500);
    assert_eq!(server.ask(&get("/hello")).status, 200);
}

#[test]
fn a_miss_is_run_again_where_it_may_wait() {
    let server = Server::start(Limits::default());
    assert_eq!(server.ask(&get("/miss")).body, "waited");
}

#[test]
fn without_a_body_nothing_is_planned() {
    let server = Server::start(Limits::default());
    assert_eq!(server.ask(&get("/plan-panic")).status, 404);
    let empty = "POST /plan-panic HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(server.ask(empty).status, 404);
}

#[test]
fn a_full_queue_refuses_and_then_recovers() {
    let server = Server::start(Limits {
        blocking_max: 1,
        waiting_max: 1,
        ..Limits::default()
    });
    let mut running = server.connect();
    running.send(get("/wait"));
    server.doors.wait_for(1);
    // Of two more, one waits and one is refused, whichever comes first.
    let (answers, answered) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let (server, answers) = (&server, answers.clone());
            scope.spawn(move || answers.send(server.ask(&get("/wait")).status).unwrap());
        }
        assert_eq!(answered.recv().unwrap(), 503);
        assert_eq!(server.ask(&get("/hello")).status, 200);
        server.doors.open();
        assert_eq!(answered.recv().unwrap(), 200);
    });
    assert_eq!(running.answer().status, 200);
    assert_eq!(server.ask(&get("/wait")).status, 200);
}

#[test]
fn a_peer_that_leaves_does_not_free_a_job_that_runs() {
    let server = Server::start(Limits {
        blocking_max: 1,
        waiting_max: 0,
        ..Limits::default()
    });
    let mut gone = server.connect();
    gone.send(get("/wait"));
    server.doors.wait_for(1);
    drop(gone);
    assert_eq!(server.ask(&get("/wait")).status, 503);
}

#[test]
fn a_stop_lets_requests_finish_and_closes_what_is_idle() {
    let mut server = Server::start(Limits::default());
    let mut idle = server.connect();
    idle.send(get("/hello"));
    assert_eq!(idle.answer().status, 200);
    let mut untouched = server.connect();
    let mut busy = server.connect();
    busy.send(get("/wait"));
    server.doors.wait_for(1);
    server.begin_stop();
    assert!(idle.is_cut());
    assert!(untouched.is_cut());
    server.doors.open();
    let answer = busy.answer();
    assert_eq!((answer.status, answer.body.as_str()), (200, "passed"));
    assert!(busy.is_cut());
    server.wait_for_end();
    assert!(TcpStream::connect(server.address).is_err());
}

#[test]
fn a_stop_does_not_wait_for_half_a_head() {
    let mut server = Server::start(Limits {
        header_timeout: LONG,
        idle_timeout: LONG,
        drain_timeout: LONG,
        ..Limits::default()
    });
    let mut first = server.connect();
    first.send("GET /hello HTTP/1.1\r\nHost: te");
    let mut second = server.connect();
    second.send(get("/hello"));
    assert_eq!(second.answer().status, 200);
    second.send("GET /hello HTTP/1.1\r\nHost: te");
    server.begin_stop();
    assert!(first.is_cut());
    assert!(second.is_cut());
    server.wait_for_end();
}

#[test]
fn a_peer_that_has_said_all_still_gets_its_answer() {
    let server = Server::start(Limits {
        header_timeout: LONG,
        idle_timeout: LONG,
        ..Limits::default()
    });
    let mut waiting = server.connect();
    waiting.send(get("/wait"));
    waiting.finish_sending();
    server.doors.wait_for(1);
    server.doors.open();
    assert_eq!(waiting.answer().body, "passed");
    assert!(waiting.is_cut());

    let echo = "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\n";
    let mut whole = server.connect();
    whole.send(format!("{echo}abc"));
    whole.finish_sending();
    assert_eq!(whole.answer().body, "abc");
    assert!(whole.is_cut());

    let mut half = server.connect();
    half.send(format!("{echo}ab"));
    half.finish_sending();
    assert_eq!(half.answer().status, 400);
    assert!(half.is_cut());

    for head in ["", "GET /hello HTTP/1.1\r\nHost: te"] {
        let mut unasked = server.connect();
        unasked.send(head);
        unasked.finish_sending();
        assert!(unasked.is_cut(), "{head:?}");
    }
}

#[test]
fn a_stop_does_not_wait_for_ever() {
    let mut server = Server::start(Limits {
        drain_timeout: SHORT,
        ..Limits::default()
    });
    let mut stuck = server.connect();
    stuck.send(get("/wait"));
    server.doors.wait_for(1);
    server.begin_stop();
    server.wait_for_end();
    assert!(stuck.is_cut());
}

#[test]
fn limits_that_cannot_hold_are_refused() {
    for limits in [
        Limits {
            connections: 0,
            ..Limits::default()
        },
        Limits {
            connections: usize::MAX,
            ..Limits::default()
        },
        Limits {
            head_bytes: 8_191,
            ..Limits::default()
        },
        Limits {
            blocking_max: 0,
            ..Limits::default()
        },
        Limits {
            waiting_max: usize::MAX,
            ..Limits::default()
        },
    ] {
        let refused = Server::try_start(limits).map(drop);
        assert_eq!(
            refused.unwrap_err().kind(),
            std::io::ErrorKind::InvalidInput
        );
    }
}
