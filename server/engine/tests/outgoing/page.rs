//! Pages that are looked at again and again.

use crate::support::{Said, client, ok};
use domain::health::Health;
use domain::poll::Watch;
use engine::outgoing::client::Request;
use engine::outgoing::page::look;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[tokio::test]
async fn a_page_is_new_when_it_is_another_and_only_then() {
    let version = Arc::new(AtomicUsize::new(1));
    let now = version.clone();
    let server = Said::by(move |head| {
        let etag = format!("\"{}\"", now.load(Ordering::SeqCst));
        match head.contains(&format!("if-none-match: {etag}")) {
            true => format!("HTTP/1.1 304 Not Modified\r\netag: {etag}\r\n\r\n"),
            false if etag == "\"9\"" => "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n".into(),
            false => format!(
                "HTTP/1.1 200 OK\r\netag: {etag}\r\ncontent-length: 8\r\n\r\n{{\"v\": {}}}",
                &etag[1..2]
            ),
        }
    })
    .await;
    let client = client(&["127.0.0.1"]);
    for watch in [Watch::Body, Watch::Version, Watch::Pointer("/v".into())] {
        version.store(1, Ordering::SeqCst);
        let mut cursor = None;
        let mut told = Vec::new();
        for v in [1, 1, 2, 9, 2, 1] {
            version.store(v, Ordering::SeqCst);
            let looked = look(&client, Request::get(server.url("/")), &watch, cursor.as_ref()).await;
            told.push(match looked {
                Ok(looked) => {
                    cursor = Some(looked.cursor);
                    assert_eq!(looked.revision.len(), 64);
                    Ok(looked.changed)
                }
                Err(fault) => Err(fault.health()),
            });
        }
        let want = [
            Ok(false),
            Ok(false),
            Ok(true),
            Err(Health::Unreachable),
            Ok(false),
            Ok(true),
        ];
        assert_eq!(told, want, "{watch:?}");
    }
    assert!(server.heads()[1].contains("if-none-match: \"1\""));
    let page = Said::by(|_| ok("<html>")).await;
    let watch = Watch::Pointer("/v".into());
    let fault = look(&client, Request::get(page.url("/")), &watch, None)
        .await
        .unwrap_err();
    assert!(fault.sentence.contains("no JSON"), "{fault}");
}
