//! Where the client goes, and what it takes along.

use crate::support::{Names, Said, client, guard, moved, ok};
use engine::outgoing::client::{Client, Limits, Request};
use engine::outgoing::{Fault, FaultKind};
use http::Method;
use std::sync::atomic::Ordering;
use tokio::net::TcpListener;

async fn refused(client: &Client, url: &str) -> Fault {
    match client.send(Request::get(url)).await {
        Err(fault) => fault,
        Ok(answer) => panic!("{url} was answered with {}", answer.status),
    }
}

#[tokio::test]
async fn an_answer_is_read_whole_with_what_it_says_of_itself() {
    let server = Said::by(|_| "HTTP/1.1 200 OK\r\netag: \"1\"\r\ncontent-length: 2\r\n\r\nhi".into()).await;
    let request = Request::get(server.url("/a?b=c#d"))
        .with("if-none-match", "\"0\"")
        .unwrap();
    let answer = client(&["127.0.0.1"]).send(request).await.unwrap().good().unwrap();
    assert_eq!((&answer.body[..], answer.header("etag")), (&b"hi"[..], Some("\"1\"")));
    let head = server.heads()[0].to_lowercase();
    assert!(head.starts_with("get /a?b=c http/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("host: {}\r\n", server.at)) && head.contains("if-none-match: \"0\""));
    assert!(head.contains("user-agent: caracal/") && !head.contains("cookie"));
    assert!(Request::get("http://x").with("a", "b\r\nc: d").is_err());
}

#[tokio::test]
async fn only_judged_addresses_are_connected_to() {
    let names = Names::of(&[
        ("localhost", &[&["::1", "127.0.0.1"]]),
        ("localhost.", &[&["127.0.0.1"]]),
    ]);
    let client = Client::new(guard(&[]).looking_up(names), Limits::default());
    for url in [
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f.0.0.1/",
        "https://0177.0.0.1/",
        "https://0/",
        "https://localhost/",
        "https://localhost./",
        "https://[::1]/",
        "https://[::]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:a9fe:a9fe]/",
        "https://[64:ff9b::7f00:1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/",
        "https://192.168.1.1/",
        "https://100.64.0.1/",
        "https://①②⑦.⓪.⓪.①/",
        "https://127。0。0。1/",
        "https://127.0.0.1:22/",
        "https://1.1.1.1@127.0.0.1/",
        "https://ana:s3cret@example.org/",
        "https:///127.0.0.1/",
        "http://1.1.1.1/",
        "ftp://1.1.1.1/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "javascript:1",
        "//127.0.0.1/",
        "127.0.0.1",
        "",
    ] {
        let fault = refused(&client, url).await;
        assert_eq!(fault.kind, FaultKind::Refused, "{url}: {fault}");
        assert!(
            fault.sentence.ends_with('.') && !fault.sentence.contains("s3cret"),
            "{fault}"
        );
    }
    let long = format!("https://example.org/{}", "a".repeat(5_000));
    assert_eq!(refused(&client, &long).await.kind, FaultKind::Refused);
}

#[tokio::test]
async fn a_redirect_to_a_forbidden_address_is_refused() {
    let trap = Said::at("127.0.0.2:0", |_| ok("caught")).await;
    for to in [
        trap.url("/"),
        "http://10.1.2.3/".into(),
        "https://169.254.169.254/latest".into(),
        "//[::1]/x".into(),
        "file:///etc/passwd".into(),
        "http://ana:x@127.0.0.1/".into(),
    ] {
        let there = to.clone();
        let server = Said::by(move |_| moved(302, &there)).await;
        let fault = refused(&client(&["127.0.0.1"]), &server.url("/")).await;
        assert_eq!(
            (fault.kind, server.heads().len()),
            (FaultKind::Refused, 1),
            "{to}: {fault}"
        );
    }
    assert!(trap.heads().is_empty());
}

#[tokio::test]
async fn a_name_with_one_forbidden_address_is_refused_and_looked_up_once() {
    let server = Said::by(|_| ok("hi")).await;
    let names = Names::of(&[
        ("mixed.example", &[&["127.0.0.1", "10.0.0.1"]]),
        // Allowed when it is judged, another when it is looked up again.
        ("rebinds.example", &[&["127.0.0.1"], &["10.0.0.1"]]),
        ("none.example", &[&[]]),
    ]);
    let client = Client::new(guard(&["127.0.0.1"]).looking_up(names.clone()), Limits::default());
    let url = |host: &str| format!("http://{host}:{}/", server.at.port());
    let fault = refused(&client, &url("mixed.example")).await;
    assert!(
        fault.kind == FaultKind::Refused && fault.sentence.contains("10.0.0.1"),
        "{fault}"
    );
    assert!(server.heads().is_empty());
    let before = names.asked.load(Ordering::SeqCst);
    let answer = client.send(Request::get(url("rebinds.example"))).await.unwrap();
    assert_eq!(
        (&answer.body[..], names.asked.load(Ordering::SeqCst) - before),
        (&b"hi"[..], 1)
    );
    assert_eq!(refused(&client, &url("rebinds.example")).await.kind, FaultKind::Refused);
    for host in ["none.example", "unknown.example"] {
        assert_eq!(refused(&client, &url(host)).await.kind, FaultKind::Unreachable);
    }
}

#[tokio::test]
async fn credentials_stay_with_their_origin() {
    let other = Said::by(|_| ok("there")).await;
    let to = other.url("/there");
    let server = Said::by(move |head| match head.split(' ').nth(1) {
        Some("/near") => moved(301, "/here"),
        Some("/far") => moved(307, &to),
        _ => ok("here"),
    })
    .await;
    let client = client(&["127.0.0.1"]);
    let ask = |path: &str, method: Method| {
        let mut request = Request::get(server.url(path))
            .proving("Authorization", "Bearer s3cret")
            .unwrap();
        request.method = method;
        client.send(request)
    };
    assert_eq!(&ask("/near", Method::GET).await.unwrap().body[..], b"here");
    let far = ask("/far", Method::GET).await.unwrap();
    assert_eq!(
        (&far.body[..], far.url.as_str()),
        (&b"there"[..], other.url("/there").as_str())
    );
    let told = |heads: &[String]| heads.iter().filter(|h| h.contains("s3cret")).count();
    assert_eq!((told(&server.heads()), server.heads().len()), (3, 3));
    assert_eq!((told(&other.heads()), other.heads().len()), (0, 1));
    // What was to be told to one is not told to another.
    for path in ["/far", "/near"] {
        let fault = ask(path, Method::POST).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Refused, "{fault}");
    }
    assert_eq!(other.heads().len(), 1);
    // After a way over another origin nothing is sent back to the first.
    let back = server.url("/here");
    let between = Said::by(move |_| moved(302, &back)).await;
    let request = Request::get(between.url("/"))
        .proving("private-token", "s3cret")
        .unwrap();
    client.send(request).await.unwrap();
    assert_eq!(told(&server.heads()[5..]), 0, "{:?}", server.heads());
}

#[tokio::test]
async fn redirects_that_go_round_end() {
    let server = Said::by(|_| moved(302, "/again")).await;
    let fault = refused(&client(&["127.0.0.1"]), &server.url("/")).await;
    assert_eq!((fault.kind, server.heads().len()), (FaultKind::BadAnswer, 6), "{fault}");
    let lost = Said::by(|_| "HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n".into()).await;
    assert_eq!(
        refused(&client(&["127.0.0.1"]), &lost.url("/")).await.kind,
        FaultKind::BadAnswer
    );
}

#[tokio::test]
async fn what_a_status_says_is_classed() {
    for (status, want) in [
        (401, FaultKind::Unauthorised),
        (403, FaultKind::Unauthorised),
        (404, FaultKind::Missing),
        (410, FaultKind::Missing),
        (429, FaultKind::Unreachable),
        (503, FaultKind::Unreachable),
        (418, FaultKind::BadAnswer),
    ] {
        let server = Said::by(move |_| format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n")).await;
        let url = server.url("/feed?token=s3cret");
        let answer = client(&["127.0.0.1"]).send(Request::get(url)).await.unwrap();
        let fault = answer.good().unwrap_err();
        assert_eq!(fault.kind, want, "{status}");
        assert!(
            fault.sentence.contains("/feed") && !fault.sentence.contains("s3cret"),
            "{fault}"
        );
    }
    let unchanged = Said::by(|_| "HTTP/1.1 304 Not Modified\r\n\r\n".into()).await;
    let answer = client(&["127.0.0.1"])
        .send(Request::get(unchanged.url("/")))
        .await
        .unwrap();
    assert!(answer.good().is_ok());
    // A port where nobody listens.
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let fault = refused(&client(&["127.0.0.1"]), &format!("http://{free}/")).await;
    assert_eq!(fault.kind, FaultKind::Unreachable, "{fault}");
}
