//! Sentences for what the YAML parser refuses.
//!
//! **Invariant:** each names the mistake as a person would see it, not the parser's state.

use serde_saphyr::granit_parser::ErrorKind;

/// Message and hint for a syntax error.
pub(super) fn explain(kind: &ErrorKind) -> (String, Option<String>) {
    use ErrorKind as K;
    let (message, hint) = match kind {
        kind if is_tab(kind) => (
            "A tab stands here; YAML is indented with blanks.".to_owned(),
            "Replace the tab by blanks.",
        ),
        K::UnclosedQuotedScalar => ("A quote is opened and not closed.".into(), "Close it, or take it out."),
        K::InvalidQuotedScalarIndent | K::DocumentIndicatorInQuotedScalar => (
            "A quoted text goes on here, and this line is not indented as part of it.".into(),
            "Close the quote before this line.",
        ),
        K::UnclosedFlowCollection { open } => (format!("`{open}` is opened and not closed."), "Close it."),
        K::MismatchedFlowCollectionEnd { open, close } => {
            (format!("`{open}` is closed by `{close}`."), "Use the matching bracket.")
        }
        K::MisplacedFlowCollectionEnd => (
            "A bracket closes nothing here.".into(),
            "Take it out, or put the text in quotes.",
        ),
        K::ExpectedFlowMappingSeparator | K::UnexpectedEofFlowMapping | K::UnexpectedEofImplicitFlowMapping => (
            "A `,` or `}` is missing in `{ … }`.".into(),
            "Put texts with `:` or `,` in quotes.",
        ),
        K::ExpectedFlowSequenceSeparator | K::UnexpectedEofFlowSequence => (
            "A `,` or `]` is missing in `[ … ]`.".into(),
            "Put texts with `,` in quotes.",
        ),
        K::UnknownAnchor => (
            "This alias (`*…`) refers to nothing above it.".into(),
            "Put a text that starts with `*` in quotes.",
        ),
        K::RecursionLimitExceeded => ("The document is nested too deep.".into(), "A plan needs six levels."),
        K::SimpleKeyExpected => (
            "A key here lacks its `:`.".into(),
            "Write `key: value`, with a blank after the colon.",
        ),
        K::MappingValueNotAllowed | K::InvalidMappingValueWhitespace | K::InvalidColonPlacement => (
            "A `:` stands where no key can be.".into(),
            "Indent a key as its neighbours are; put a text with `: ` in quotes, or below `|`.",
        ),
        K::MappingKeyNotAllowed | K::ExpectedBlockMappingKey | K::InvalidIndentation | K::InvalidSimpleKey => (
            "This line does not fit the lines above it.".into(),
            "Give keys of one mapping the same indentation, and each its `:`.",
        ),
        K::BlockSequenceEntryNotAllowed
        | K::ExpectedBlockSequenceEntry
        | K::BlockEntryInFlowCollection
        | K::InvalidBlockEntryWhitespace => (
            "A list entry (`- …`) does not fit here.".into(),
            "Give the entries of one list the same indentation.",
        ),
        K::InvalidBlockScalarHeader | K::InvalidBlockScalarIndent | K::ZeroBlockScalarIndent => (
            "The block of text after `|` or `>` is not indented as it should be.".into(),
            "Start it on the next line, further in than its key.",
        ),
        K::UnknownQuotedScalarEscape => (
            "An escape (`\\…`) in this quoted text is not known.".into(),
            "Use single quotes, or write `\\\\`.",
        ),
        K::InvalidTrailingSingleQuotedScalar | K::InvalidTrailingDoubleQuotedScalar => (
            "Text follows after a closing quote.".into(),
            "Put the whole value in quotes.",
        ),
        K::CommentNotSeparated => (
            "A blank is missing before `#`.".into(),
            "Put a blank before a comment, or the text in quotes.",
        ),
        K::CommentInterceptedScalar => (
            "A comment stands inside a text of several lines.".into(),
            "Write the text below `|`.",
        ),
        K::UnexpectedCharacter { character } => (
            format!("A value cannot start with {}.", shown(*character)),
            "Put it in quotes.",
        ),
        K::BomInsideDocument => ("A byte-order mark stands inside the text.".into(), "Take it out."),
        other => {
            let told = other.to_string();
            return (format!("This cannot be read as YAML: {told}."), None);
        }
    };
    (message, Some(hint.to_owned()))
}

/// Whether a tab is what is wrong.
pub(super) fn is_tab(kind: &ErrorKind) -> bool {
    use ErrorKind as K;
    matches!(
        kind,
        K::TabNotAllowed
            | K::TabInBlockIndentation
            | K::TabInIndentation
            | K::TabAtBlockScalarStart
            | K::TabInPlainScalar
    )
}

fn shown(c: char) -> String {
    if c.is_control() {
        format!("the control character U+{:04X}", u32::from(c))
    } else {
        format!("`{c}`")
    }
}
