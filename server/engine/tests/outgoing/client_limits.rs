//! Servers that would keep the client for ever, or fill it.

use crate::support::{guard, head};
use bytes::Bytes;
use engine::outgoing::FaultKind;
use engine::outgoing::client::{Client, Limits, Request};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

/// A server that, asked once, writes a text again and again for as long as somebody reads; what it wrote is counted.
async fn endless(begin: &'static str, again: &'static str, pause: Duration) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let written = Arc::new(AtomicUsize::new(0));
    let count = written.clone();
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        head(&mut tcp).await;
        let _ = tcp.write_all(begin.as_bytes()).await;
        while tcp.write_all(again.as_bytes()).await.is_ok() {
            count.fetch_add(again.len(), Ordering::SeqCst);
            tokio::time::sleep(pause).await;
        }
    });
    (url, written)
}

fn client(limits: Limits) -> Client {
    Client::new(guard(&["127.0.0.1"]), limits)
}

fn hasty() -> Limits {
    Limits {
        connect: Duration::from_millis(500),
        headers: Duration::from_millis(300),
        whole: Duration::from_millis(900),
        body: 64 * 1024,
    }
}

#[tokio::test]
async fn headers_that_never_end_are_left() {
    let (url, written) = endless("HTTP/1.1 200 OK\r\nx: ", "y", Duration::from_millis(5)).await;
    let fault = client(hasty()).send(Request::get(url)).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::TooSlow, "{fault}");
    assert!(written.load(Ordering::SeqCst) > 0, "nothing was dribbled");
    // As fast as they can be written they are too many.
    let (url, _) = endless("HTTP/1.1 200 OK\r\n", "x: yyyyyyyyyyyyyyyyyyyyyyyy\r\n", Duration::ZERO).await;
    let fault = client(Limits::default()).send(Request::get(url)).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::TooLarge, "{fault}");
}

#[tokio::test]
async fn a_body_that_never_ends_is_left() {
    let begin = "HTTP/1.1 200 OK\r\n\r\n";
    let (url, _) = endless(begin, "0123456789abcdef", Duration::ZERO).await;
    let limits = Limits {
        body: 64 * 1024,
        ..Limits::default()
    };
    let fault = client(limits).send(Request::get(url)).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::TooLarge, "{fault}");
    // One that comes slowly.
    let (url, written) = endless(begin, "x", Duration::from_millis(5)).await;
    let fault = client(hasty()).send(Request::get(url)).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::TooSlow, "{fault}");
    assert!(written.load(Ordering::SeqCst) > 0);
    // One that says beforehand how large it is.
    let (url, written) = endless(
        "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n",
        "x",
        Duration::from_secs(60),
    )
    .await;
    let fault = client(Limits::default()).send(Request::get(url)).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::TooLarge, "{fault}");
    assert!(written.load(Ordering::SeqCst) <= 1);
    // Chunks are counted, not believed.
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let (url, _) = endless(chunked, "10\r\n0123456789abcdef\r\n", Duration::ZERO).await;
    let fault = client(limits).send(Request::get(url)).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::TooLarge, "{fault}");
}

#[tokio::test]
async fn who_says_nothing_or_nonsense_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let mute: tokio::task::JoinHandle<TcpStream> = tokio::spawn(async move { listener.accept().await.unwrap().0 });
    let fault = client(hasty()).send(Request::get(url)).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::TooSlow, "{fault}");
    drop(mute.await.unwrap());
    for (text, want) in [
        ("SSH-2.0-OpenSSH_9.2\r\n", FaultKind::BadAnswer),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
            FaultKind::Unreachable,
        ),
        ("", FaultKind::Unreachable),
    ] {
        let server = crate::support::Said::by(move |_| text.into()).await;
        let fault = client(hasty()).send(Request::get(server.url("/"))).await.unwrap_err();
        assert_eq!(fault.kind, want, "{text}: {fault}");
    }
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_taken() {
    for (size, fine) in [(1_000, true), (1_001, false)] {
        let server = crate::support::Said::by(move |_| crate::support::ok(&"x".repeat(size))).await;
        let limits = Limits {
            body: 1_000,
            ..Limits::default()
        };
        let mut request = Request::get(server.url("/"));
        request.method = http::Method::POST;
        request.body = Bytes::from_static(b"{\"state\": \"success\"}");
        assert_eq!(client(limits).send(request).await.is_ok(), fine, "{size}");
        assert!(server.heads()[0].to_lowercase().contains("content-length: 20\r\n"));
    }
}
