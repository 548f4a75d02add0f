//! Texts that nobody wrote: seeded, so that a failure can be run again.
//!
//! **Invariant:** no text makes the reader panic, and every place lies inside its text.

use super::*;

/// A small generator with a seed, so that a failure can be run again.
struct Dice(u64);
impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

#[test]
fn no_text_crashes_the_reader_and_every_place_lies_inside() {
    let seeds = [
        "name: app\nsource: { git: \"https://e.org/a\", branch: main }\nenv: { A: b }\njobs:\n  test:\n    runs_on: [\"os == linux\"]\n    image: rust:1.95\n    steps:\n      - { name: unit, run: cargo test }\n      - run: |\n          a\n          b\n  deploy:\n    needs: [test]\n    steps: [ { command: [a, b] } ]\n",
        "name: x\nsteps: &s\n- run: a\n- <<: {run: b}\nmore: *s\n",
    ];
    let bits = [
        ":", "- ", "\n", "\t", "  ", "[", "]", "{", "}", "'", "\"", "|", ">", "&a ", "*a", "!x ", "? ", "<<: ", "#",
        "%", "@", "---", "\u{0}", "\u{feff}", "\r\n", "é", "😀", "steps", "run", "needs", "a", "${{", "\\", "~",
        "null", "0x1f", ",",
    ];
    for seed in 0..4_000_u64 {
        let mut dice = Dice(seed);
        let mut text: String = if seed % 4 == 0 {
            (0..dice.below(80)).map(|_| bits[dice.below(bits.len())]).collect()
        } else if seed % 4 == 1 {
            let bytes: Vec<u8> = (0..dice.below(200)).map(|_| dice.next() as u8).collect();
            String::from_utf8_lossy(&bytes).into_owned()
        } else {
            seeds[dice.below(seeds.len())].to_owned()
        };
        for _ in 0..dice.below(6) {
            let chars: Vec<char> = text.chars().collect();
            let at = dice.below(chars.len() + 1);
            let skip = dice.below(4).min(chars.len() - at);
            let bit = bits[dice.below(bits.len())];
            text = chars[..at].iter().collect::<String>() + bit + &chars[at + skip..].iter().collect::<String>();
        }
        if let Err(problems) = read(&text, &SourceRules::default()) {
            assert!(!problems.is_empty(), "seed {seed}: {text:?}");
            let lines: Vec<&str> = text.split('\n').collect();
            for p in problems {
                let (line, column) = (p.line.unwrap() as usize, p.column.unwrap() as usize);
                assert!(line >= 1 && line <= lines.len(), "seed {seed}: {text:?} {p:?}");
                assert!(
                    column >= 1 && column <= lines[line - 1].chars().count() + 1,
                    "seed {seed}: {text:?} {p:?}"
                );
                assert!(!p.message.is_empty() && !p.message.contains('\n'), "seed {seed}: {p:?}");
            }
        }
    }
}
