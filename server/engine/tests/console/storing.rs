//! Bytes: once, in order, over crashes, durable when told, the same for every viewer.

use crate::support::{A, Noise, all, mark, paths, put, quiet, texts, whole};
use domain::AttemptId;
use engine::console::{Appended, Consoles, Finished, Options};
use std::sync::{Arc, Mutex, mpsc};

#[test]
fn an_append_is_taken_once_whatever_is_sent_again() {
    let dir = tempfile::tempdir().unwrap();
    let c = quiet(dir.path());
    for (offset, bytes, want) in [
        (5, &b"late"[..], Appended::Gap { expected: 0 }),
        (0, b"hello ", Appended::Received { received: 6 }),
        (0, b"hello ", Appended::Duplicate { received: 6 }),
        (2, b"llo", Appended::Duplicate { received: 6 }),
        (3, b"lo world", Appended::Received { received: 11 }),
        (12, b"!", Appended::Gap { expected: 11 }),
        (11, b"\n", Appended::Received { received: 12 }),
    ] {
        assert_eq!(put(&c, offset, bytes), want, "{offset}");
    }
    assert_eq!(all(&c), b"hello world\n");
}

#[test]
fn no_output_makes_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let c = quiet(dir.path());
    assert_eq!(c.read(A, 0, 10).unwrap(), b"");
    assert_eq!(c.lines(A, whole(), 1, 10).unwrap().total, 0);
    assert_eq!(
        c.finish(A, 0, xxhash_rust::xxh3::xxh3_64(b"")).unwrap(),
        Finished::Complete
    );
    assert!(!paths(dir.path()).0.exists());
}

#[test]
fn it_is_closed_by_length_and_digest_and_says_what_it_has_otherwise() {
    let dir = tempfile::tempdir().unwrap();
    let digest = xxhash_rust::xxh3::xxh3_64(b"abc\ndef\n");
    {
        let c = quiet(dir.path());
        put(&c, 0, b"abc\n");
        assert_eq!(c.finish(A, 8, digest).unwrap(), Finished::Mismatch { have: 4 });
    }
    // The digest goes on over a restart, from the bytes themselves.
    let c = quiet(dir.path());
    put(&c, 4, b"def\n");
    assert_eq!(c.finish(A, 8, digest ^ 1).unwrap(), Finished::Mismatch { have: 8 });
    assert_eq!(c.finish(A, 8, digest).unwrap(), Finished::Complete);
    assert_eq!(c.finish(A, 8, digest).unwrap(), Finished::Complete);
    assert_eq!(put(&c, 8, b"more"), Appended::Duplicate { received: 8 });
    drop(c);
    let c = quiet(dir.path());
    assert!(c.standing(A).unwrap().ended);
    assert_eq!(texts(&c.lines(A, whole(), 1, 9).unwrap()), ["1:abc", "2:def"]);
    assert_eq!(c.finish(A, 8, digest).unwrap(), Finished::Complete);
}

#[test]
fn a_crash_between_data_and_index_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (data, idx) = paths(dir.path());
    {
        let c = quiet(dir.path());
        put(&c, 0, b"one\n");
    }
    // The data was written, the index not; and once the other way round.
    std::fs::OpenOptions::new()
        .append(true)
        .open(&data)
        .unwrap()
        .set_len(4)
        .unwrap();
    std::io::Write::write_all(
        &mut std::fs::OpenOptions::new().append(true).open(&data).unwrap(),
        b"two\nth",
    )
    .unwrap();
    let c = quiet(dir.path());
    assert_eq!(c.standing(A).unwrap().len, 10);
    assert_eq!(put(&c, 4, b"two\nthree\n"), Appended::Received { received: 14 });
    assert_eq!(
        texts(&c.lines(A, whole(), 1, 9).unwrap()),
        ["1:one", "2:two", "3:three"]
    );
    drop(c);
    std::fs::OpenOptions::new()
        .write(true)
        .open(&data)
        .unwrap()
        .set_len(2)
        .unwrap();
    assert!(idx.metadata().unwrap().len() > 0);
    let c = quiet(dir.path());
    assert_eq!(put(&c, 4, b"x"), Appended::Gap { expected: 2 });
    put(&c, 2, b"e\nagain\n");
    assert_eq!(texts(&c.lines(A, whole(), 1, 9).unwrap()), ["1:one", "2:again"]);
}

#[test]
fn what_is_told_durable_is_on_disk_and_all_of_it_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (tx, rx) = mpsc::channel();
    let tx = Mutex::new(tx);
    let c = Consoles::open(dir.path(), move |a, n| tx.lock().unwrap().send((a, n)).unwrap()).unwrap();
    for n in 0..50 {
        for id in [1, 2, 3] {
            c.append(AttemptId(id), n * 4, &[mark(0, 1)], b"abc\n").unwrap();
        }
    }
    let mut told = std::collections::BTreeMap::new();
    while told.len() < 3 || told.values().any(|n| *n < 200) {
        let (a, n): (AttemptId, u64) = rx.recv_timeout(std::time::Duration::from_secs(30)).unwrap();
        assert!(std::fs::metadata(dir.path().join(format!("0/{a}.out"))).unwrap().len() >= n);
        assert!(told.insert(a, n).is_none_or(|before| before <= n));
    }
    // Sent again because the answer was lost: the answer comes again.
    c.append(AttemptId(1), 0, &[mark(0, 1)], b"abc\n").unwrap();
    assert_eq!(
        rx.recv_timeout(std::time::Duration::from_secs(30)).unwrap(),
        (AttemptId(1), 200)
    );
}

#[tokio::test]
async fn viewers_early_late_and_slow_see_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let c = quiet(dir.path());
    let bytes = Arc::new(Noise(3).output(300_000));
    let viewer = |c: Consoles, slow: bool| async move {
        let mut got = Vec::new();
        loop {
            let standing = c.grown(A, got.len() as u64).await.unwrap();
            let more = c.read(A, got.len() as u64, if slow { 700 } else { 1 << 20 }).unwrap();
            if more.is_empty() && standing.ended {
                return got;
            }
            got.extend(more);
            tokio::task::yield_now().await;
        }
    };
    let early: Vec<_> = [false, true, false]
        .map(|slow| tokio::spawn(viewer(c.clone(), slow)))
        .into();
    for (i, part) in bytes.chunks(1_000).enumerate() {
        put(&c, i as u64 * 1_000, part);
        if i % 7 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let late = tokio::spawn(viewer(c.clone(), false));
    assert_eq!(
        c.finish(A, 300_000, xxhash_rust::xxh3::xxh3_64(&bytes)).unwrap(),
        Finished::Complete
    );
    for v in early.into_iter().chain([late]) {
        assert_eq!(v.await.unwrap(), *bytes);
    }
}

#[test]
fn open_files_are_bounded_and_nothing_is_lost_by_closing_them() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        open_files: 8,
        in_memory: 16,
        ..Options::default()
    };
    let c = Consoles::open_with(dir.path(), options, Arc::new(|_, _| {}), None).unwrap();
    let mut noise = Noise(11);
    let mut want = vec![Vec::new(); 100];
    let mut most = 0;
    for _ in 0..4_000 {
        let id = noise.below(100);
        let part = noise.output(50);
        let at = want[id].len() as u64;
        c.append(AttemptId(id as i64), at, &[mark(0, 1)], &part).unwrap();
        want[id].extend(part);
        most = most.max(c.open_files());
    }
    // Consoles that wait for the disk stay open, and the sweep comes every 64 uses.
    assert!(most <= 8 + 100, "{most}");
    for (id, bytes) in want.iter().enumerate() {
        assert_eq!(c.read(AttemptId(id as i64), 0, 1 << 20).unwrap(), *bytes);
        let digest = xxhash_rust::xxh3::xxh3_64(bytes);
        assert_eq!(
            c.finish(AttemptId(id as i64), bytes.len() as u64, digest).unwrap(),
            Finished::Complete
        );
    }
}
