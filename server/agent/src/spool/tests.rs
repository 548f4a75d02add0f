//! What a spool promises its writers and its reader.

use super::*;
use xxhash_rust::xxh3::xxh3_64;

const OUT: Stream = Stream::Stdout;
const ERR: Stream = Stream::Stderr;

fn at(spool: &Spool, from: u64, max: usize) -> (Vec<u8>, Vec<(u32, i64, Stream)>) {
    let p = spool.read(from, max).unwrap();
    (
        p.bytes.to_vec(),
        p.marks.iter().map(|m| (m.at, m.time.0, m.stream)).collect(),
    )
}

#[test]
fn what_was_appended_is_read_back_with_its_streams_and_times() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::create(dir.path().join("7-1"));
    assert!(
        !dir.path().join("7-1").exists(),
        "nothing on disk before the first byte"
    );
    for (stream, time, text) in [
        (OUT, 1, "ab"),
        (OUT, 1, "c"),
        (ERR, 1, "d"),
        (OUT, 1, "e"),
        (OUT, 2, "fg"),
    ] {
        spool.append(stream, Timestamp(time), text.as_bytes()).unwrap();
    }
    assert_eq!(
        at(&spool, 0, 100),
        (
            b"abcdefg".to_vec(),
            vec![(0, 1, OUT), (3, 1, ERR), (4, 1, OUT), (5, 2, OUT)]
        )
    );
    assert_eq!(at(&spool, 1, 3), (b"bcd".to_vec(), vec![(0, 1, OUT), (2, 1, ERR)]));
    assert_eq!(at(&spool, 7, 100), (vec![], vec![]));
    assert_eq!(spool.digest(), format!("{:016x}", xxh3_64(b"abcdefg")));
    drop(spool);

    let again = Spool::open(dir.path().join("7-1"), Arc::default()).unwrap();
    assert_eq!(again.len(), 7);
    assert_eq!(at(&again, 4, 2), (b"ef".to_vec(), vec![(0, 1, OUT), (1, 2, OUT)]));
    again.remove().unwrap();
    again.remove().unwrap();
}

#[test]
fn marks_older_than_memory_come_from_the_disk_and_bound_a_piece() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::create(dir.path());
    let n = 10_000;
    for i in 0..n {
        spool
            .append(if i % 2 == 0 { OUT } else { ERR }, Timestamp(i), b"xy")
            .unwrap();
    }
    let mut from = 0;
    let mut seen = 0;
    while from < spool.len() {
        let p = spool.read(from, 64 * 1024).unwrap();
        assert_eq!(p.marks[0].at, 0);
        for m in &p.marks {
            assert_eq!((from + u64::from(m.at), m.time.0), (seen as u64 * 2, seen));
            seen += 1;
        }
        let frame = protocol::OutputFrame {
            fence: protocol::Fence {
                attempt: domain::AttemptId(1),
                epoch: 1,
            },
            offset: from,
            marks: p.marks,
            bytes: p.bytes.clone(),
        };
        assert_eq!(protocol::OutputFrame::decode(frame.encode()), Ok(frame));
        from += p.bytes.len() as u64;
    }
    assert_eq!(seen, n);
    for from in [0, 1, 4_001, 19_999] {
        let (bytes, marks) = at(&spool, from, 1);
        assert_eq!(
            (bytes.len(), marks),
            (1, vec![(0, from as i64 / 2, if from / 2 % 2 == 0 { OUT } else { ERR })])
        );
    }
}

#[test]
fn what_is_forgotten_is_refused_and_frees_the_disk() {
    use std::os::unix::fs::MetadataExt;
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::create(dir.path());
    let block = vec![7; 1 << 20];
    for _ in 0..12 {
        spool.append(OUT, Timestamp(1), &block).unwrap();
    }
    spool.sync().unwrap();
    let before = std::fs::metadata(dir.path().join("output")).unwrap().blocks();
    spool.forget(8 << 20);
    let after = std::fs::metadata(dir.path().join("output")).unwrap().blocks();
    assert!(after < before, "{after} blocks of {before}");
    assert!(spool.read(0, 1).is_err());
    assert_eq!(at(&spool, 8 << 20, 2), (vec![7, 7], vec![(0, 1, OUT)]));
    assert_eq!(spool.len(), 12 << 20);
}

#[test]
fn a_full_disk_is_one_sentence_and_stays_one() {
    // The kernel's own full device answers every write with ENOSPC.
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::create(dir.path());
    std::os::unix::fs::symlink("/dev/full", dir.path().join("output")).unwrap();
    let first = spool.append(OUT, Timestamp(1), b"x").unwrap_err();
    assert!(first.to_string().starts_with("The agent's disk is full: "), "{first}");
    assert_eq!(first.kind(), io::ErrorKind::StorageFull);
    assert_eq!(
        spool.append(OUT, Timestamp(1), b"y").unwrap_err().to_string(),
        first.to_string()
    );
    assert_eq!(spool.fault(), Some(first.to_string()));
    assert_eq!(spool.len(), 0);
}

#[tokio::test]
async fn a_listener_hears_the_first_byte_even_when_it_comes_late() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::create(dir.path());
    spool.append(OUT, Timestamp(1), b"x").unwrap();
    spool.changed().await;
    let spool = Arc::new(spool);
    let writer = spool.clone();
    let heard = tokio::spawn(async move { spool.changed().await });
    writer.append(OUT, Timestamp(2), b"y").unwrap();
    heard.await.unwrap();
}

#[tokio::test]
async fn a_flood_waits_for_room_until_it_is_taken_or_killed() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Arc::new(Spool::create(dir.path()));
    spool.room().await;
    spool.append(OUT, Timestamp(1), b"x").unwrap();
    // As if 256 MiB waited, without writing them.
    spool.len.store(BOUND + 1, Ordering::Release);
    let mut waiting = Box::pin(spool.room());
    assert!(futures::poll!(&mut waiting).is_pending());
    spool.forget(1);
    assert!(futures::poll!(&mut waiting).is_pending(), "one byte is not enough");
    spool.forget(2);
    waiting.await;
    spool.len.store(2 * BOUND + 9, Ordering::Release);
    let mut waiting = Box::pin(spool.room());
    assert!(futures::poll!(&mut waiting).is_pending());
    spool.lift();
    waiting.await;
}

#[test]
fn an_agent_that_was_killed_goes_on_where_its_spool_ended() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("7-1");
    let bytes: Vec<u8> = (0..11_000_000u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let first = Spool::create(&folder);
    for piece in bytes[..9_000_000].chunks(70_000) {
        first.append(OUT, Timestamp(1), piece).unwrap();
    }
    first.forget(8_900_000);
    drop(first);

    let again = Spool::open(&folder, Arc::default()).unwrap();
    assert_eq!(again.len(), 9_000_000);
    assert!(again.read(0, 10).is_err(), "what was forgotten is not read as zeros");
    again.append(ERR, Timestamp(2), &bytes[9_000_000..]).unwrap();
    assert_eq!(again.digest(), format!("{:016x}", protocol::digest(&bytes)));
    let (tail, marks) = at(&again, 8_999_990, 20);
    assert_eq!(tail, bytes[8_999_990..9_000_010]);
    assert_eq!(marks, [(0, 1, OUT), (10, 2, ERR)]);
}
