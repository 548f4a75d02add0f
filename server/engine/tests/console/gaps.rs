//! Bytes that nobody has: said once, in their place, whatever crashes; the limit; a disk that fails.

use crate::support::{A, all, gap, mark, paths, put, quiet, texts, whole};
use domain::console::view::Gaps;
use engine::console::{Appended, Consoles, Extent, Finished, Options};
use protocol::GapReason;
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use xxhash_rust::xxh3::xxh3_64;

#[test]
fn a_gap_is_told_once_however_late_it_is_heard_and_however_often() {
    let dir = tempfile::tempdir().unwrap();
    let c = quiet(dir.path());
    put(&c, 0, b"one\ntwo\nthree\n");
    // Late: what comes behind it is stored already. Early: what comes before it is not.
    c.gap(A, gap(1, 4, 77, GapReason::AgentDisk)).unwrap();
    c.gap(A, gap(2, 20, None, GapReason::Detached)).unwrap();
    c.gap(A, gap(1, 8, 5, GapReason::AgentDisk)).unwrap();
    let want = ["1:one", "gap 77", "2:two", "3:three"];
    assert_eq!(texts(&c.lines(A, whole(), 1, 9).unwrap()), want);
    put(&c, 14, b"f\nfour\nx\n");
    let want = ["1:one", "gap 77", "2:two", "3:three", "4:f", "5:four", "gap", "6:x"];
    assert_eq!(texts(&c.lines(A, whole(), 1, 9).unwrap()), want);
    drop(c);
    // The index is cut by a crash behind the gaps, and made again.
    let (_, index) = paths(dir.path());
    let kept = std::fs::metadata(&index).unwrap().len() / 24 * 24;
    File::options()
        .write(true)
        .open(&index)
        .unwrap()
        .set_len(kept + 11)
        .unwrap();
    let c = quiet(dir.path());
    assert_eq!(texts(&c.lines(A, whole(), 1, 9).unwrap()), want);
    let found = Gaps {
        count: 2,
        bytes: 77,
        unknown: 1,
    };
    assert_eq!(c.gaps(A, None).unwrap(), found);
    assert_eq!(c.gaps(A, Some(Extent::of(0, 8))).unwrap().count, 1);
    // The digest is of the bytes that are there.
    let bytes = all(&c);
    assert_eq!(
        c.finish(A, bytes.len() as u64, xxh3_64(&bytes)).unwrap(),
        Finished::Complete
    );
    c.gap(A, gap(3, 2, 9, GapReason::Crash)).unwrap();
    assert_eq!(c.gaps(A, None).unwrap(), found, "what is closed stays as it is");
    drop(c);
    let c = quiet(dir.path());
    assert_eq!(texts(&c.lines(A, whole(), 1, 9).unwrap()), want);
}

#[test]
fn what_is_missing_between_two_steps_is_missing_in_the_later_one() {
    let dir = tempfile::tempdir().unwrap();
    let c = quiet(dir.path());
    put(&c, 0, b"said it\n");
    c.gap(A, gap(1, 8, 77, GapReason::AgentDisk)).unwrap();
    let whole = Extent {
        followed: true,
        ..Extent::of(0, 8)
    };
    for (extent, said, count) in [
        (whole, vec!["1:said it"], 0),
        (Extent::of(0, 8), vec!["1:said it", "gap 77"], 1),
        (Extent::of(8, 0), vec!["gap 77"], 1),
        (
            Extent {
                followed: true,
                ..Extent::of(8, 0)
            },
            vec![],
            0,
        ),
    ] {
        assert_eq!(c.gaps(A, Some(extent)).unwrap().count, count, "{extent:?}");
        assert_eq!(texts(&c.lines(A, extent, 1, 9).unwrap()), said, "{extent:?}");
        assert_eq!(texts(&c.tail(A, extent, 9).unwrap().lines), said, "{extent:?}");
    }
}

#[test]
fn what_the_server_lost_of_a_running_attempt_is_counted_and_it_goes_on_behind_it() {
    let dir = tempfile::tempdir().unwrap();
    let c = quiet(dir.path());
    put(&c, 0, b"one\ntwo\nthree\n");
    drop(c);
    // The disk lost the end; the agent has it no more.
    File::options()
        .write(true)
        .open(paths(dir.path()).0)
        .unwrap()
        .set_len(6)
        .unwrap();
    let c = quiet(dir.path());
    assert_eq!(c.received(A).unwrap(), 6);
    assert_eq!(c.gone(A, 9, 14).unwrap(), 6, "only what is wanted next can be gone");
    assert_eq!(c.gone(A, 6, 14).unwrap(), 14);
    assert_eq!(c.gone(A, 6, 14).unwrap(), 14, "said twice");
    assert_eq!(put(&c, 16, b"x"), Appended::Gap { expected: 14 });
    assert_eq!(put(&c, 14, b"four\n"), Appended::Received { received: 19 });
    let want = ["1:one", "2:twfour", "gap 8"];
    assert_eq!(texts(&c.lines(A, whole(), 1, 9).unwrap()), want);
    assert_eq!(all(&c), b"one\ntwfour\n", "nothing of ours is in the bytes");
    // A step that begins at the stream's 14 lies at the file's 6; one inside of what is lost, too.
    for (from, len, at) in [(14, 5, (6, 5)), (8, 11, (6, 5)), (0, 19, (0, 11)), (4, 4, (4, 2))] {
        let placed = c.in_file(A, Extent::of(from, len)).unwrap();
        assert_eq!((placed.from, placed.len), at, "{from}+{len}");
    }
    drop(c);
    let c = quiet(dir.path());
    assert_eq!(
        (c.received(A).unwrap(), texts(&c.lines(A, whole(), 1, 9).unwrap())),
        (19, want.map(str::to_owned).to_vec())
    );
    assert_eq!(c.finish(A, 18, 1).unwrap(), Finished::Mismatch { have: 19 });
    let digest = xxh3_64(b"one\ntwo\nthree\nfour\n");
    assert_eq!(c.finish(A, 19, digest).unwrap(), Finished::Unproved);
    assert_eq!(c.finish(A, 19, digest).unwrap(), Finished::Unproved, "said twice");
}

#[test]
fn what_comes_beyond_the_limit_is_counted_and_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        limit: 10,
        ..Options::default()
    };
    let open = || Consoles::open_with(dir.path(), options, Arc::new(|_, _| {}), None).unwrap();
    let c = open();
    let output = b"line one\nline two\nline three\n";
    assert_eq!(put(&c, 0, &output[..6]), Appended::Received { received: 6 });
    assert_eq!(put(&c, 6, &output[6..20]), Appended::Received { received: 20 });
    assert_eq!(put(&c, 20, &output[20..]), Appended::Received { received: 29 });
    assert_eq!(put(&c, 20, &output[20..]), Appended::Duplicate { received: 29 });
    let want = ["1:line one", "2:l", "gap 19"];
    assert_eq!(texts(&c.lines(A, whole(), 1, 9).unwrap()), want);
    // A step that began beyond it has that gap, too.
    let later = c.in_file(A, Extent::of(18, 11)).unwrap();
    assert_eq!(texts(&c.lines(A, later, 1, 9).unwrap()), ["gap 19"]);
    assert_eq!(
        c.finish(A, 29, xxh3_64(output)).unwrap(),
        Finished::Complete,
        "all of it came, and was right"
    );
    drop(c);
    let c = open();
    assert_eq!(texts(&c.lines(A, whole(), 1, 9).unwrap()), want);
    assert_eq!(std::fs::metadata(paths(dir.path()).0).unwrap().len(), 10);
}

#[test]
fn a_restart_beyond_the_limit_goes_on_counting_where_it_was_told_durable() {
    let dir = tempfile::tempdir().unwrap();
    let told = Arc::new(AtomicU64::new(0));
    let options = Options {
        limit: 4,
        ..Options::default()
    };
    let hear = told.clone();
    let c = Consoles::open_with(
        dir.path(),
        options,
        Arc::new(move |_, n| hear.store(n, Ordering::Release)),
        None,
    )
    .unwrap();
    for n in 0..50_u64 {
        c.append(A, n * 2, &[mark(0, 1)], b"x\n").unwrap();
    }
    while told.load(Ordering::Acquire) < 100 {
        std::thread::yield_now();
    }
    drop(c);
    let c = Consoles::open_with(dir.path(), options, Arc::new(|_, _| {}), None).unwrap();
    assert_eq!(c.received(A).unwrap(), 100);
    put(&c, 100, b"yy");
    assert_eq!(texts(&c.lines(A, whole(), 1, 9).unwrap()), ["1:x", "2:x", "gap 98"]);
    assert_eq!(c.finish(A, 102, 7).unwrap(), Finished::Unproved);
}

/// Serialises the tests that let syncs fail, and says whether they do.
static FAILS: AtomicBool = AtomicBool::new(false);
static FAILED: AtomicU64 = AtomicU64::new(0);

fn sync(file: &File) -> io::Result<()> {
    if FAILS.load(Ordering::Acquire) {
        FAILED.fetch_add(1, Ordering::AcqRel);
        return Err(io::Error::other("the disk says no"));
    }
    file.sync_data()
}

#[test]
fn a_console_whose_sync_failed_takes_again_what_is_not_on_disk_for_certain() {
    let dir = tempfile::tempdir().unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let options = Options {
        sync,
        ..Options::default()
    };
    let hear = told.clone();
    let c = Consoles::open_with(
        dir.path(),
        options,
        Arc::new(move |_, n| hear.lock().unwrap().push(n)),
        None,
    )
    .unwrap();
    let until = |n| {
        while told.lock().unwrap().last() != Some(&n) {
            std::thread::yield_now();
        }
    };
    put(&c, 0, b"safe\n");
    until(5);
    FAILS.store(true, Ordering::Release);
    put(&c, 5, b"perhaps\n");
    while c.wanted(A).is_none() {
        std::thread::yield_now();
    }
    assert!(FAILED.load(Ordering::Acquire) > 0, "the fault fired");
    assert_eq!(c.wanted(A), Some(5));
    // Until it has come again, it is neither complete nor does anything follow.
    assert_eq!(
        c.finish(A, 13, xxh3_64(b"safe\nperhaps\n")).unwrap(),
        Finished::Mismatch { have: 5 }
    );
    assert_eq!(put(&c, 13, b"later\n"), Appended::Gap { expected: 5 });
    FAILS.store(false, Ordering::Release);
    // As a disk that lost the page would have it.
    std::os::unix::fs::FileExt::write_all_at(
        &File::options().write(true).open(paths(dir.path()).0).unwrap(),
        b"XXXX",
        5,
    )
    .unwrap();
    put(&c, 5, b"per");
    assert_eq!(c.wanted(A), Some(8));
    put(&c, 8, b"haps\nlater\n");
    assert_eq!(c.wanted(A), None);
    until(19);
    assert_eq!(all(&c), b"safe\nperhaps\nlater\n");
    assert_eq!(
        c.finish(A, 19, xxh3_64(b"safe\nperhaps\nlater\n")).unwrap(),
        Finished::Complete
    );
}
