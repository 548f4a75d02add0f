//! What lasts: the browser's socket, the stream of events, the listener itself.
//!
//! **Invariant:** each subscription is judged by itself, and an upgrade with a cookie takes an origin of ours.

use crate::house::{House, ORIGIN, call};
use crate::matrix::{Cast, may};
use crate::matrix_table::TOPICS;
use axum::body::Body;
use domain::auth::Role;
use domain::ports::Access as _;
use futures::{SinkExt as _, StreamExt as _};
use http::Request;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use server::web::listen;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::{Error, Message, client::IntoClientRequest as _};
use tokio_tungstenite::{WebSocketStream, client_async};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// The house on a port of its own, until the guard goes.
async fn listening(house: &House) -> (SocketAddr, tokio_util::sync::DropGuard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    tokio::spawn(listen::tcp(listener, house.router.clone(), stop.clone()));
    (at, stop.drop_guard())
}

/// Opens `/live`, or answers the status of the refusal.
async fn live(at: SocketAddr, headers: &[(&'static str, &str)]) -> Result<WebSocketStream<TcpStream>, u16> {
    let mut request = format!("ws://{at}/live").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let stream = TcpStream::connect(at).await.unwrap();
    match client_async(request, stream).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(refusal)) => Err(refusal.status().as_u16()),
        Err(e) => panic!("{e}"),
    }
}

async fn said(socket: &mut WebSocketStream<TcpStream>) -> Value {
    loop {
        match socket.next().await.unwrap().unwrap() {
            Message::Text(t) => return serde_json::from_str(t.as_str()).unwrap(),
            Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn topics_let_in_whom_the_table_says() {
    let cast = Cast::new().await;
    let (at, _guard) = listening(&cast.house).await;
    for (actor, token) in &cast.tokens {
        let bearer = format!("Bearer {token}");
        let headers: &[(&str, &str)] = if token.is_empty() {
            &[]
        } else {
            &[("authorization", &bearer)]
        };
        let mut socket = match live(at, headers).await {
            Ok(socket) => socket,
            Err(status) => {
                assert_eq!(status, 401, "{actor}");
                assert!(
                    TOPICS.iter().all(|(_, takes)| !may(actor, *takes)),
                    "{actor} is not let in at all"
                );
                continue;
            }
        };
        for (id, (topic, takes)) in TOPICS.iter().enumerate() {
            let topic = cast.fill(topic, 0).await;
            // From the beginning of time, so that whoever may follow hears something at once.
            let sub = json!({ "sub": { "id": id, "topic": topic, "since": 0 } });
            socket.send(Message::text(sub.to_string())).await.unwrap();
            let refused = topic != "agents" && said(&mut socket).await.get("refused").is_some();
            if topic == "agents" {
                continue;
            }
            assert_eq!(!refused, may(actor, *takes), "{topic} by {actor}");
            let unsub = json!({ "unsub": { "id": id } });
            socket.send(Message::text(unsub.to_string())).await.unwrap();
            let _ = socket.flush().await;
            // A fresh socket for the next topic: news of this one may still be on its way.
            socket = live(at, headers).await.unwrap();
        }
    }
}

#[tokio::test]
async fn an_upgrade_with_a_cookie_takes_our_origin() {
    let house = House::new().await;
    house.user("ana", Role::Viewer).await;
    let cookie = house.session("ana").await;
    let (at, _guard) = listening(&house).await;
    for (origin, want) in [
        (Some(ORIGIN), None),
        (Some("https://evil.example"), Some(403)),
        (Some("http://sub.127.0.0.1:7420"), Some(403)),
        (Some("null"), Some(403)),
        (None, Some(403)),
    ] {
        let mut headers = vec![("cookie", cookie.as_str())];
        headers.extend(origin.map(|o| ("origin", o)));
        assert_eq!(live(at, &headers).await.err(), want, "{origin:?}");
    }
    assert_eq!(live(at, &[("origin", ORIGIN)]).await.err(), Some(401), "no viewer");
}

/// Reads a stream until it has said something.
async fn read_until(body: &mut Body, text: &str) -> String {
    let mut all = String::new();
    while !all.contains(text) {
        let frame = body
            .frame()
            .await
            .unwrap_or_else(|| panic!("the stream ended: {all}"))
            .unwrap();
        all.push_str(&String::from_utf8_lossy(frame.data_ref().unwrap()));
    }
    all
}

#[tokio::test]
async fn events_resume_behind_the_last_one_seen() {
    let house = House::new().await;
    let token = house.user("ana", Role::Admin).await;
    house.work(&token, "one").await;
    let open = async |last: Option<&str>| {
        let mut request = Request::get("/api/v1/events").header("authorization", format!("Bearer {token}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = house
            .router
            .clone()
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        response.into_body()
    };
    let mut from_now = open(None).await;
    let mut from_zero = open(Some("0")).await;
    let past = read_until(&mut from_zero, "event: task.created").await;
    assert!(past.contains("id: 1\n"), "{past}");
    house.work(&token, "two").await;
    let news = read_until(&mut from_now, "event: task.created").await;
    assert!(!news.contains("id: 1\n"), "only what is new: {news}");
}

#[tokio::test]
async fn a_stream_ends_with_the_token_or_session_it_was_opened_with() {
    let house = House::new().await;
    let token = house.user("ana", Role::Admin).await;
    let work = house.work(&token, "one").await;
    let cookie = house.session("ana").await;
    let console = format!("/api/v1/tasks/{}/console?follow=true", work.task);
    for path in ["/api/v1/events", &console] {
        let short = house
            .post("/api/v1/tokens", &token, &json!({ "name": "short" }))
            .await
            .json();
        let bearer = format!("Bearer {}", short["token"].as_str().unwrap());
        let request = Request::get(path)
            .header("authorization", bearer)
            .body(Body::empty())
            .unwrap();
        let response = house.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let end = tokio::spawn(response.into_body().collect());
        let gone = call("DELETE", &format!("/api/v1/tokens/{}", short["id"])).token(&token);
        assert_eq!(house.send(gone).await.status, 204);
        end.await.unwrap().unwrap();
    }
    let request = Request::get("/api/v1/events")
        .header("cookie", &cookie)
        .body(Body::empty())
        .unwrap();
    let response = house.router.clone().oneshot(request).await.unwrap();
    let end = tokio::spawn(response.into_body().collect());
    house
        .engine
        .access
        .log_out(cookie.split_once('=').unwrap().1.to_owned())
        .await
        .unwrap();
    end.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_listener_answers_what_it_cannot_read_and_ends_in_order() {
    let house = House::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(listen::tcp(listener, house.router.clone(), stop.clone()));
    let many: String = (0..150).map(|i| format!("x-{i}: y\r\n")).collect();
    let large = "x".repeat(20_000);
    for (request, status) in [
        (
            "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_owned(),
            "200",
        ),
        ("rubbish\r\n\r\n".to_owned(), "400"),
        (format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{many}\r\n"), "431"),
        (
            format!("GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx: {large}\r\n\r\n"),
            "431",
        ),
    ] {
        let mut stream = TcpStream::connect(at).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        assert_eq!(answer.split(' ').nth(1), Some(status), "{answer}");
    }
    // An idle connection does not hold up the end.
    let _idle = TcpStream::connect(at).await.unwrap();
    stop.cancel();
    serving.await.unwrap();
}
