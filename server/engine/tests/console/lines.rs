//! Lines: numbers, times, gaps, colours, giants.

use crate::support::{A, Noise, all, gap, mark, paths, put, quiet, texts, whole};
use domain::Timestamp;
use domain::console::view::{Line, Stream};
use engine::console::{Consoles, Extent};
use protocol::{GapReason, Mark};

#[test]
fn lines_are_those_of_the_step_wherever_it_lies() {
    let dir = tempfile::tempdir().unwrap();
    let c = quiet(dir.path());
    put(&c, 0, b"one\ntwo\nthr|ee\n\nfour\nfi");
    for (from, len, first, limit, total, want) in [
        (
            0,
            100,
            1,
            10,
            6,
            &["1:one", "2:two", "3:thr|ee", "4:", "5:four", "6:fi"][..],
        ),
        (0, 11, 1, 10, 3, &["1:one", "2:two", "3:thr"]),
        (11, 100, 1, 2, 4, &["1:|ee", "2:"]),
        (11, 100, 3, 9, 4, &["3:four", "4:fi"]),
        (4, 4, 1, 9, 1, &["1:two"]),
        (4, 4, 2, 9, 1, &[]),
        (4, 0, 1, 9, 0, &[]),
        (400, 10, 1, 9, 0, &[]),
        (0, 100, 0, 1, 6, &["1:one"]),
    ] {
        let got = c.lines(A, Extent::of(from, len), first, limit).unwrap();
        assert_eq!(
            (got.total, texts(&got)),
            (total, want.iter().map(ToString::to_string).collect()),
            "{from}+{len}"
        );
    }
    let tail = c.tail(A, whole(), 2).unwrap();
    assert_eq!(texts(&tail.lines), ["5:four", "6:fi"]);
    assert_eq!(tail.end, 21, "a view goes on where the unterminated line begins");
}

#[test]
fn every_line_of_a_large_console_is_found_by_its_number() {
    let dir = tempfile::tempdir().unwrap();
    let mut noise = Noise(7);
    let bytes = noise.output(700_000);
    let c = quiet(dir.path());
    let mut at = 0;
    while at < bytes.len() {
        let n = (1 + noise.below(90_000)).min(bytes.len() - at);
        put(&c, at as u64, &bytes[at..at + n]);
        at += n;
    }
    let check = |c: &Consoles, noise: &mut Noise| {
        for _ in 0..200 {
            let from = noise.below(bytes.len());
            let len = noise.below(bytes.len() - from) + 1;
            let part = &bytes[from..from + len];
            let mut pieces: Vec<&[u8]> = part.split(|b| *b == b'\n').collect();
            if part.ends_with(b"\n") {
                pieces.pop();
            }
            let first = 1 + noise.below(pieces.len());
            let extent = Extent::of(from as u64, len as u64);
            let got = c.lines(A, extent, first as u64, 3).unwrap();
            let want: Vec<String> = (first..)
                .zip(&pieces[first - 1..])
                .take(3)
                .map(|(n, p)| format!("{n}:{}", String::from_utf8_lossy(p)))
                .collect();
            assert_eq!((got.total as usize, texts(&got)), (pieces.len(), want));
            assert_eq!(c.count(A, extent).unwrap() as usize, pieces.len());
        }
    };
    check(&c, &mut noise);
    c.finish(A, bytes.len() as u64, xxhash_rust::xxh3::xxh3_64(&bytes))
        .unwrap();
    drop(c);
    let c = quiet(dir.path());
    check(&c, &mut noise);
    // Whatever becomes of the index, lines are found: cut, garbled, gone.
    let (_, idx) = paths(dir.path());
    let good = std::fs::read(&idx).unwrap();
    for damaged in [
        &good[..good.len() / 2 + 5],
        &[0_u8; 480][..],
        &[],
        &[&good[..48], &[0x77; 100][..]].concat(),
    ] {
        drop(quiet(dir.path()));
        std::fs::write(&idx, damaged).unwrap();
        let c = quiet(dir.path());
        check(&c, &mut noise);
        assert_eq!(all(&c), bytes);
    }
}

#[test]
fn times_and_streams_are_those_of_the_first_byte_of_a_line() {
    let dir = tempfile::tempdir().unwrap();
    let c = quiet(dir.path());
    let err = |at, time| Mark {
        at,
        time: Timestamp(time),
        stream: Stream::Stderr,
    };
    c.append(A, 0, &[mark(0, 1_000), err(4, 1_005)], b"out\nerr\n").unwrap();
    // Sent again from the middle: marks move with the bytes.
    c.append(A, 4, &[err(0, 1_005), mark(4, 2_000)], b"err\nlate\n")
        .unwrap();
    let big = vec![b'x'; 200_000];
    c.append(A, 13, &[mark(0, 3_000)], &big).unwrap();
    c.append(A, 200_013, &[mark(0, 4_000)], b"\nlast\n").unwrap();
    let check = |c: &Consoles| {
        let got: Vec<_> = c
            .lines(A, whole(), 1, 9)
            .unwrap()
            .items
            .iter()
            .map(|l| match l {
                Line::Text { at, stream, .. } => (at.map(|t| t.0), *stream),
                Line::Gap { .. } => panic!("no gap here"),
            })
            .collect();
        let (o, e) = (Stream::Stdout, Stream::Stderr);
        assert_eq!(
            got,
            [
                (Some(1_000), o),
                (Some(1_005), e),
                (Some(2_000), o),
                (Some(3_000), o),
                (Some(4_000), o)
            ]
        );
    };
    check(&c);
    drop(c);
    check(&quiet(dir.path()));
}

#[test]
fn gaps_stand_where_bytes_are_missing() {
    let dir = tempfile::tempdir().unwrap();
    let c = quiet(dir.path());
    put(&c, 0, b"one\n");
    c.gap(A, gap(1, 4, 1_204, GapReason::Crash)).unwrap();
    put(&c, 4, b"two\nth");
    c.gap(A, gap(2, 10, 7, GapReason::Crash)).unwrap();
    put(&c, 10, b"ree\n");
    c.gap(A, gap(3, 14, 9, GapReason::Detached)).unwrap();
    let want = ["1:one", "gap 1204", "2:two", "3:three", "gap 7", "gap 9"];
    assert_eq!(texts(&c.lines(A, whole(), 1, 9).unwrap()), want);
    assert_eq!(texts(&c.lines(A, whole(), 2, 1).unwrap()), ["gap 1204", "2:two"]);
    assert_eq!(texts(&c.lines(A, Extent::of(0, 4), 1, 9).unwrap()), ["1:one"]);
    drop(c);
    // A crash later, they are still there; and a file that was lost says so.
    let c = quiet(dir.path());
    assert_eq!(texts(&c.lines(A, whole(), 1, 9).unwrap()), want);
    let bytes = all(&c);
    c.finish(A, bytes.len() as u64, xxhash_rust::xxh3::xxh3_64(&bytes))
        .unwrap();
    drop(c);
    std::fs::remove_file(paths(dir.path()).0).unwrap();
    let c = quiet(dir.path());
    let got = texts(&c.lines(A, whole(), 1, 9).unwrap());
    assert_eq!(got.last().unwrap(), "gap 14", "{got:?}");
}

#[test]
fn colours_reach_lines_that_do_not_set_them() {
    let dir = tempfile::tempdir().unwrap();
    let c = quiet(dir.path());
    put(&c, 0, b"\x1b[31mred\nstill red\n\x1b[0mplain\n");
    let style = |first| match &c.lines(A, whole(), first, 1).unwrap().items[0] {
        Line::Text { runs, .. } => runs[0].style.clone(),
        Line::Gap { .. } => panic!("no gap here"),
    };
    assert_eq!((style(2), style(3)), ("fg-1".into(), String::new()));
    assert_eq!(c.tail(A, Extent::of(0, 9), 9).unwrap().pen.fg, Some(1));
}

#[test]
fn giant_lines_are_folded_and_cost_no_memory() {
    let dir = tempfile::tempdir().unwrap();
    let c = quiet(dir.path());
    let giant = vec![b'x'; 6 << 20];
    put(&c, 0, &giant);
    put(&c, 6 << 20, b"\nafter\n");
    let got = c.lines(A, whole(), 1, 10).unwrap();
    assert_eq!((got.total, got.items.len()), (2, 1), "the giant comes alone");
    assert!(texts(&got)[0].contains("more bytes in the raw console"));
    assert_eq!(texts(&c.lines(A, whole(), 2, 10).unwrap()), ["2:after"]);
    assert_eq!(texts(&c.tail(A, whole(), 10).unwrap().lines), ["2:after"]);
    // A progress bar of megabytes ends as its last state.
    let bar: Vec<u8> = (0..700_000).flat_map(|n| format!("\r{n:>7}%").into_bytes()).collect();
    put(&c, (6 << 20) + 7, &bar);
    assert_eq!(texts(&c.lines(A, whole(), 3, 10).unwrap()), ["3: 699999%"]);
}
