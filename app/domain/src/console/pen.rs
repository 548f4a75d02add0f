//! The pen: colours and attributes as select-graphic-rendition sequences set them, named as classes.
//!
//! Colours beyond the sixteen are taken to the nearest of the sixteen, so that every theme keeps its contrast.
//! **Invariant:** a pen's class names come from a fixed set of 39; nothing of the output reaches a class name.

use serde::{Deserialize, Serialize};

/// Colours and attributes that text is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Pen {
    /// Colour of the text, 0 to 15; `None` for the theme's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fg: Option<u8>,
    /// Colour of the ground, 0 to 15; `None` for the theme's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bg: Option<u8>,
    /// Attributes, one bit each.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attributes: u8,
}

fn is_zero(n: &u8) -> bool {
    *n == 0
}

const BOLD: u8 = 1;
const DIM: u8 = 2;
const ITALIC: u8 = 4;
const UNDERLINE: u8 = 8;
const INVERSE: u8 = 16;
const STRIKE: u8 = 32;
const HIDDEN: u8 = 64;
const WORDS: [(u8, &str); 7] = [
    (BOLD, "bold"),
    (DIM, "dim"),
    (ITALIC, "italic"),
    (UNDERLINE, "underline"),
    (INVERSE, "inverse"),
    (STRIKE, "strike"),
    (HIDDEN, "dim"),
];

impl Pen {
    /// Space-separated class names; empty for a plain pen. Hidden text is shown dim: a console hides nothing.
    #[must_use]
    pub fn classes(&self) -> String {
        let mut out = String::new();
        let mut add = |word: &str| {
            if !out.is_empty() {
                out.push(' ');
            }
            out.push_str(word);
        };
        if let Some(n) = self.fg {
            add(FG[usize::from(n & 15)]);
        }
        if let Some(n) = self.bg {
            add(BG[usize::from(n & 15)]);
        }
        for (bit, word) in WORDS {
            let twice = bit == HIDDEN && self.attributes & DIM != 0;
            if self.attributes & bit != 0 && !twice {
                add(word);
            }
        }
        out
    }

    /// Takes one `CSI … m`.
    pub(super) fn sgr(&mut self, params: &vte::Params) {
        let mut it = params.iter();
        while let Some(p) = it.next() {
            let first = p.first().copied().unwrap_or(0);
            match first {
                0 => *self = Self::default(),
                1 => self.attributes |= BOLD,
                2 => self.attributes |= DIM,
                3 => self.attributes |= ITALIC,
                4 if p.get(1) == Some(&0) => self.attributes &= !UNDERLINE,
                4 | 21 => self.attributes |= UNDERLINE,
                7 => self.attributes |= INVERSE,
                8 => self.attributes |= HIDDEN,
                9 => self.attributes |= STRIKE,
                22 => self.attributes &= !(BOLD | DIM),
                23 => self.attributes &= !ITALIC,
                24 => self.attributes &= !UNDERLINE,
                27 => self.attributes &= !INVERSE,
                28 => self.attributes &= !HIDDEN,
                29 => self.attributes &= !STRIKE,
                30..=37 => self.fg = Some((first - 30) as u8),
                40..=47 => self.bg = Some((first - 40) as u8),
                90..=97 => self.fg = Some((first - 90 + 8) as u8),
                100..=107 => self.bg = Some((first - 100 + 8) as u8),
                39 => self.fg = None,
                49 => self.bg = None,
                38 | 48 => {
                    let colour = if p.len() > 1 {
                        inside(&p[1..])
                    } else {
                        following(&mut it)
                    };
                    if let Some(c) = colour {
                        if first == 38 {
                            self.fg = Some(c);
                        } else {
                            self.bg = Some(c);
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

/// `38:5:n`, `38:2:r:g:b` and `38:2:space:r:g:b`.
fn inside(p: &[u16]) -> Option<u8> {
    match p {
        [5, n, ..] => Some(indexed(*n)),
        [2, _, r, g, b, ..] | [2, r, g, b] => Some(nearest(*r, *g, *b)),
        _ => None,
    }
}

/// `38;5;n` and `38;2;r;g;b`.
fn following<'a>(it: &mut impl Iterator<Item = &'a [u16]>) -> Option<u8> {
    let mut next = || it.next().and_then(|p| p.first().copied());
    match next()? {
        5 => next().map(indexed),
        2 => {
            let (r, g, b) = (next()?, next()?, next()?);
            Some(nearest(r, g, b))
        }
        _ => None,
    }
}

/// One of 256: sixteen, a cube of 6 × 6 × 6, 24 greys.
fn indexed(n: u16) -> u8 {
    let level = |v: u16| if v == 0 { 0 } else { 55 + 40 * v };
    match n {
        0..=15 => n as u8,
        16..=231 => {
            let n = n - 16;
            nearest(level(n / 36), level(n / 6 % 6), level(n % 6))
        }
        _ => {
            let grey = 8 + 10 * (n.min(255) - 232);
            nearest(grey, grey, grey)
        }
    }
}

/// The nearest of the sixteen: greys by lightness, colours by which channels stand out and how bright they are.
fn nearest(r: u16, g: u16, b: u16) -> u8 {
    let (r, g, b) = (r.min(255), g.min(255), b.min(255));
    let (max, min) = (r.max(g).max(b), r.min(g).min(b));
    if max - min < 40 {
        return match (max + min) / 2 {
            0..=47 => 0,
            48..=143 => 8,
            144..=223 => 7,
            _ => 15,
        };
    }
    let middle = u32::from(max + min) / 2;
    let bit = |v: u16| u8::from(u32::from(v) > middle);
    let hue = bit(r) | bit(g) << 1 | bit(b) << 2;
    if max > 215 { hue + 8 } else { hue }
}

const FG: [&str; 16] = [
    "fg-0", "fg-1", "fg-2", "fg-3", "fg-4", "fg-5", "fg-6", "fg-7", "fg-8", "fg-9", "fg-10", "fg-11", "fg-12", "fg-13",
    "fg-14", "fg-15",
];
const BG: [&str; 16] = [
    "bg-0", "bg-1", "bg-2", "bg-3", "bg-4", "bg-5", "bg-6", "bg-7", "bg-8", "bg-9", "bg-10", "bg-11", "bg-12", "bg-13",
    "bg-14", "bg-15",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_beyond_sixteen_go_to_the_nearest() {
        for (rgb, want) in [
            ((0, 0, 0), 0),
            ((255, 255, 255), 15),
            ((128, 128, 128), 8),
            ((192, 192, 192), 7),
            ((255, 60, 60), 9),
            ((170, 20, 20), 1),
            ((20, 160, 20), 2),
            ((255, 200, 40), 11),
            ((60, 120, 255), 12),
            ((150, 60, 160), 5),
            ((40, 170, 180), 6),
        ] {
            assert_eq!(nearest(rgb.0, rgb.1, rgb.2), want, "{rgb:?}");
        }
        assert_eq!(
            (indexed(196), indexed(21), indexed(232), indexed(255), indexed(700)),
            (9, 12, 0, 15, 15)
        );
    }
}
