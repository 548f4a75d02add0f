//! Console text: numbered lines of styled runs (DESIGN §6), from bytes that may be anything.
//!
//! **Invariant:** line n is the nth LF-terminated piece of the raw bytes, for ever; output becomes text and class names,
//! never markup.

mod line;
mod parser;
mod pen;
pub mod view;

pub use line::WIDTH;
pub use parser::{StyledLines, pen_after, style_slice};
pub use pen::Pen;

#[cfg(test)]
mod tests;
