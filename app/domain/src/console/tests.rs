//! Behaviour of styled lines, over tables, a hostile corpus and seeded noise.

use super::view::Run;
use super::*;

fn text(line: &[Run]) -> String {
    line.iter().map(|r| r.text.as_str()).collect()
}

fn lines(bytes: &[u8]) -> Vec<String> {
    style_slice(bytes, Pen::default()).0.iter().map(|l| text(l)).collect()
}

#[test]
fn a_line_is_what_a_terminal_leaves_of_it() {
    for (bytes, want) in [
        (&b"plain"[..], "plain"),
        (b"10%\r50%\r100%", "100%"),
        (b"abcdef\rXY", "XYcdef"),
        (b"abcdef\r\x1b[KXY", "XY"),
        (b"abc\x08\x08X", "aXc"),
        (b"\x08\x08a", "a"),
        (b"a\tb", "a       b"),
        (b"abcdefgh\ti", "abcdefgh        i"),
        (b"abcdefghij\r\tX", "abcdefghXj"),
        (b"done\r\n", "done"),
        (b"a\x1b[5Cb", "a     b"),
        (b"abcdef\x1b[3DX", "abcXef"),
        (b"abcdef\x1b[2GX", "aXcdef"),
        (b"abc\x1b[2K\rz", "z"),
        (b"abc\x1b[1Kd", "   d"),
        (b"abc\r\x1b[Jz", "z"),
        (b"caf\xc3\xa9 \xe2\x9c\x93", "café ✓"),
        (b"bad \xff\xfe end", "bad \u{fffd}\u{fffd} end"),
        (b"cut \xe2\x9c\n", "cut \u{fffd}"),
        (b"\x1b[?25lhidden cursor\x1b[?25h", "hidden cursor"),
        (b"\x1b]0;title\x07text", "text"),
        (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        (b"\x1bPq#0;2\x1b\\text", "text"),
        (b"bell\x07 nul\0 del\x7f", "bell nul del"),
        (b"<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("x\u{202e}y\u{2066}z\u{2028}".as_bytes(), "xyz"),
        ("c1 \u{9b}31m".as_bytes(), "c1 31m"),
        (b"trailing   ", "trailing"),
    ] {
        assert_eq!(lines(bytes).join("\n"), want, "{:?}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn numbering_is_by_lf_alone() {
    for (bytes, want) in [
        (&b""[..], 0),
        (b"a", 1),
        (b"a\n", 1),
        (b"\n\n\n", 3),
        (b"a\nb", 2),
        (b"\x1b]0;never ended\nb\nc\n", 3),
        (b"\x1b[31\n;1mb\n", 2),
        (b"\x1bP\n\n", 2),
        (b"a\r\nb\r\n", 2),
        (b"a\rb\rc", 1),
    ] {
        assert_eq!(lines(bytes).len(), want, "{:?}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn colours_become_class_names_and_go_on_over_lines() {
    let (l, pen) = style_slice(
        b"\x1b[1;32mok\x1b[0m rest\n\x1b[91mred\nstill\x1b[39m not\n",
        Pen::default(),
    );
    let styles: Vec<Vec<(&str, &str)>> = l
        .iter()
        .map(|l| l.iter().map(|r| (r.text.as_str(), r.style.as_str())).collect())
        .collect();
    assert_eq!(
        styles,
        [
            vec![("ok", "fg-2 bold"), (" rest", "")],
            vec![("red", "fg-9")],
            vec![("still", "fg-9"), (" not", "")],
        ]
    );
    assert_eq!(pen, Pen::default());
}

#[test]
fn sgr_is_read_in_all_its_dialects() {
    for (sgr, want) in [
        ("", ""),
        ("0", ""),
        ("31", "fg-1"),
        ("97;44", "fg-15 bg-4"),
        ("1;2;3;4;7;9", "bold dim italic underline inverse strike"),
        ("1;22", ""),
        ("4:3", "underline"),
        ("4;4:0", ""),
        ("38;5;196", "fg-9"),
        ("38:5:2", "fg-2"),
        ("48;2;0;0;0", "bg-0"),
        ("38:2::255:255:255", "fg-15"),
        ("38:2:255:255:255", "fg-15"),
        ("38;5", ""),
        ("38;2;1;1", ""),
        ("8", "dim"),
        ("2;8", "dim"),
        ("999;31", "fg-1"),
    ] {
        let (l, _) = style_slice(format!("\x1b[{sgr}mx").as_bytes(), Pen::default());
        assert_eq!(l[0][0].style, want, "{sgr}");
    }
}

#[test]
fn a_giant_line_is_folded_with_a_note() {
    let bytes = vec![b'x'; WIDTH + 1_200];
    let (l, _) = style_slice(&bytes, Pen::default());
    assert_eq!(l.len(), 1);
    assert_eq!(l[0][0].text.len(), WIDTH);
    assert!(l[0][1].text.contains("1200 more"), "{}", l[0][1].text);
    // A carriage return begins anew, and nothing stays folded for ever.
    let (l, _) = style_slice(&[bytes, b"\r\x1b[Kshort".to_vec()].concat(), Pen::default());
    assert_eq!(text(&l[0]), "short");
}

/// A small xorshift: tests draw the same noise for ever.
struct Noise(u64);
impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

fn hostile(noise: &mut Noise) -> Vec<u8> {
    const PIECES: [&[u8]; 16] = [
        b"\x1b[",
        b"\x1b]",
        b"\x1bP",
        b"\x1b[31m",
        b"\x1b[0m",
        b"38;5;",
        b"m",
        b"K",
        b"\r",
        b"\n",
        b"\x08",
        b"\t",
        b"\xe2\x9c",
        b"\x9b",
        b"text ",
        b"\x1b[99999999999999C",
    ];
    let mut out = Vec::new();
    for _ in 0..noise.below(60) {
        if noise.below(3) == 0 {
            let n = noise.next().to_le_bytes();
            out.extend_from_slice(&n[..noise.below(8)]);
        } else {
            out.extend_from_slice(PIECES[noise.below(PIECES.len())]);
        }
    }
    out
}

#[test]
fn no_control_character_ever_reaches_the_text_and_cuts_do_not_matter() {
    for seed in 1..3_000 {
        let mut noise = Noise(seed * 0x9e37_79b9);
        let bytes = hostile(&mut noise);
        let (whole, pen) = style_slice(&bytes, Pen::default());
        let lf = bytes.iter().filter(|b| **b == b'\n').count();
        let tail = bytes.last().is_some_and(|b| *b != b'\n');
        assert_eq!(whole.len(), lf + usize::from(tail), "seed {seed}");
        for run in whole.iter().flatten() {
            assert!(!run.text.chars().any(char::is_control), "seed {seed}: {:?}", run.text);
            assert!(!run.text.is_empty(), "seed {seed}");
        }
        let mut parser = StyledLines::new(Pen::default());
        let mut pieces = Vec::new();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let n = 1 + noise.below(rest.len());
            parser.feed(&rest[..n], |l| pieces.push(l));
            rest = &rest[n..];
        }
        pieces.extend(parser.partial());
        assert_eq!(pieces, whole, "seed {seed}");
        assert_eq!(parser.pen(), pen, "seed {seed}");
    }
}

#[test]
fn the_pen_behind_ordinary_output_is_found_without_laying_it_out() {
    for bytes in [
        &b"\x1b[31mred\n\x1b[1mbold\n"[..],
        b"\x1b[31mred\x1b[0m\n",
        b"\x1b[38;2;255;0;0mx\n\x1b]0;t\x07\x1b[4my",
        b"nothing\n",
    ] {
        assert_eq!(pen_after(bytes, Pen::default()), style_slice(bytes, Pen::default()).1);
    }
}
