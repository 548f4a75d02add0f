//! A step's bytes over HTTP: ranges and conditions (RFC 9110), from a console of known bytes.
//!
//! **Invariant:** what arrives is what was stored, byte for byte.

use crate::house::{House, call};
use async_trait::async_trait;
use domain::auth::{Role, Viewer};
use domain::console::view::{Gaps, Lines, Tail};
use domain::ports::{ByteStream, Console, Piece, Slice, Whole};
use domain::{AttemptId, Error, Result, StepId, TaskId};
use std::ops::Range;
use std::sync::Arc;

/// A console that holds every byte once, in pieces.
struct Known;

fn bytes() -> Vec<u8> {
    (0..=255).collect()
}

fn stream(all: &[u8]) -> ByteStream {
    let pieces: Vec<std::io::Result<Vec<u8>>> = all.chunks(7).map(|c| Ok(c.to_vec())).collect();
    Box::pin(futures::stream::iter(pieces))
}

#[async_trait]
impl Console for Known {
    async fn step_bytes(&self, _: &Viewer, step: StepId, range: Option<Range<u64>>) -> Result<Slice> {
        if step != StepId(1) {
            return Err(Error::NotFound(format!("Step {step}")));
        }
        let all = bytes();
        let part = range.map_or(0..all.len(), |r| r.start as usize..r.end as usize);
        Ok(Slice {
            total: all.len() as u64,
            etag: "256-e".into(),
            ended: true,
            gaps: Gaps {
                count: 3,
                bytes: 4_096,
                unknown: 1,
            },
            bytes: stream(&all[part]),
        })
    }
    async fn lines(&self, _: &Viewer, _: StepId, _: i64, _: u32) -> Result<Lines> {
        Err(Error::NotFound("Nothing".into()))
    }
    async fn tail(&self, _: &Viewer, _: StepId, _: u32) -> Result<Tail> {
        Err(Error::NotFound("Nothing".into()))
    }
    async fn task(&self, _: &Viewer, _: TaskId, _: bool, _: bool) -> Result<Whole> {
        Ok(Whole {
            gaps: Gaps::default(),
            bytes: stream(&bytes()),
        })
    }
    async fn read(&self, _: &Viewer, _: AttemptId, _: u64, _: usize) -> Result<Piece> {
        Err(Error::NotFound("Nothing".into()))
    }
    async fn grown(&self, _: AttemptId, _: u64) {}
}

async fn house() -> (House, String) {
    let house = House::at(crate::house::ORIGIN, |mut p| {
        p.console = Arc::new(Known);
        p
    })
    .await;
    let token = house.user("ana", Role::Viewer).await;
    (house, token)
}

#[tokio::test]
async fn any_range_is_answered() {
    let (house, token) = house().await;
    for (range, status, want, said) in [
        ("", 200, 0..256, ""),
        ("bytes=0-9", 206, 0..10, "bytes 0-9/256"),
        ("bytes=250-", 206, 250..256, "bytes 250-255/256"),
        ("bytes=-3", 206, 253..256, "bytes 253-255/256"),
        ("bytes=100-100", 206, 100..101, "bytes 100-100/256"),
        ("bytes=0-999", 206, 0..256, "bytes 0-255/256"),
        ("bytes=256-", 416, 0..0, "bytes */256"),
        ("bytes=9-1", 200, 0..256, ""),
        ("bytes=0-200,100-", 200, 0..256, ""),
        ("lines=0-1", 200, 0..256, ""),
    ] {
        let mut request = call("GET", "/api/v1/steps/1/console")
            .token(&token)
            .header("accept", "application/json");
        if !range.is_empty() {
            request = request.header("range", range);
        }
        let reply = house.send(request).await;
        assert_eq!(reply.status, status, "{range}");
        assert_eq!(reply.header("content-range"), said, "{range}");
        if status != 416 {
            assert_eq!(reply.body, bytes()[want.clone()], "{range}");
            assert_eq!(reply.header("content-length"), want.len().to_string(), "{range}");
            assert_eq!(reply.header("accept-ranges"), "bytes");
            assert_eq!(reply.header("etag"), "\"256-e\"");
            assert!(reply.header("content-type").starts_with("text/plain"));
        }
    }
}

#[tokio::test]
async fn several_stretches_come_one_behind_the_other() {
    let (house, token) = house().await;
    let request = call("GET", "/api/v1/steps/1/console")
        .token(&token)
        .header("range", "bytes=0-1, 300-, 60-69, -2");
    let reply = house.send(request).await;
    assert_eq!(reply.status, 206);
    assert_eq!(reply.header("content-length"), reply.body.len().to_string());
    let boundary = reply
        .header("content-type")
        .strip_prefix("multipart/byteranges; boundary=")
        .unwrap();
    let mut want = Vec::new();
    for part in [0..2, 60..70, 254..256] {
        want.extend(format!("\r\n--{boundary}\r\ncontent-type: text/plain; charset=utf-8\r\n").into_bytes());
        want.extend(format!("content-range: bytes {}-{}/256\r\n\r\n", part.start, part.end - 1).into_bytes());
        want.extend(&bytes()[part]);
    }
    want.extend(format!("\r\n--{boundary}--\r\n").into_bytes());
    assert_eq!(reply.body, want);
}

#[tokio::test]
async fn conditions_are_kept() {
    let (house, token) = house().await;
    let get = || call("GET", "/api/v1/steps/1/console").token(&token);
    for (request, status, length) in [
        (get().header("if-none-match", "\"256-e\""), 304, 0),
        (get().header("if-none-match", "W/\"256-e\", \"x\""), 304, 0),
        (get().header("if-none-match", "\"x\""), 200, 256),
        (
            get().header("range", "bytes=0-1").header("if-range", "\"256-e\""),
            206,
            2,
        ),
        (
            get().header("range", "bytes=0-1").header("if-range", "\"old\""),
            200,
            256,
        ),
        (
            get().header("range", "bytes=0-1").header("if-none-match", "\"256-e\""),
            304,
            0,
        ),
    ] {
        let reply = house.send(request).await;
        assert_eq!((reply.status.as_u16(), reply.body.len()), (status, length));
    }
}

#[tokio::test]
async fn head_tells_the_length_alone() {
    let (house, token) = house().await;
    let head = call("HEAD", "/api/v1/steps/1/console")
        .token(&token)
        .header("range", "bytes=0-1");
    let reply = house.send(head).await;
    assert_eq!(
        (reply.status.as_u16(), reply.header("content-length"), reply.body.len()),
        (200, "256", 0)
    );
    assert_eq!(house.get("/api/v1/steps/2/console", &token).await.status, 404);
}

#[tokio::test]
async fn a_tasks_console_is_its_bytes() {
    let (house, token) = house().await;
    let reply = house
        .get("/api/v1/tasks/1/console?follow=true&setup=true", &token)
        .await;
    assert_eq!(reply.body, bytes());
    assert!(reply.header("content-type").starts_with("text/plain"));
}

#[tokio::test]
async fn a_download_says_how_much_is_missing() {
    let (house, token) = house().await;
    for (path, want) in [
        ("/api/v1/steps/1/console", "3; bytes=4096; unknown=1"),
        ("/api/v1/tasks/1/console", "0; bytes=0"),
    ] {
        let reply = house.get(path, &token).await;
        assert_eq!(
            (reply.header("caracal-gaps"), reply.status.as_u16()),
            (want, 200),
            "{path}"
        );
    }
}
