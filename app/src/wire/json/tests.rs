//! What the reader makes of what `serde_json` writes, and of what nobody should.

use super::*;
use crate::pages::tasks::api::TabData;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Shape {
    Dot,
    Line(i64),
    Square(i64, u32),
    Circle { centre: Option<String>, wide: bool },
}

fn same<T: Serialize + DeserializeOwned + PartialEq + fmt::Debug>(value: &T) {
    for text in [serde_json::to_string(value), serde_json::to_string_pretty(value)] {
        let text = text.unwrap();
        assert_eq!(read::<T>(&text).as_ref(), Ok(value), "{text}");
    }
}

#[test]
fn what_serde_json_writes_is_read() {
    for shape in [
        Shape::Dot,
        Shape::Line(i64::MIN),
        Shape::Square(i64::MAX, u32::MAX),
        Shape::Circle {
            centre: None,
            wide: true,
        },
        Shape::Circle {
            centre: Some("a \"b\" \\ / \u{8}\u{c}\n\r\t\u{1} é 漢 🦊".into()),
            wide: false,
        },
    ] {
        same(&vec![shape.clone(), shape.clone()]);
        same(&BTreeMap::from([
            ("one".to_owned(), Some(shape)),
            ("none".to_owned(), None),
        ]));
    }
    same(&(1_u8, "two".to_owned(), (), Some(u64::MAX)));
    same(&Vec::<i64>::new());
    same(&json!({"a": [1, -2, 3.5, 1e300, true, false, null, {}, [], "x"], "b": {"c": {"d": [[[]]]}}}));
    same(&TabData::Attempts(Vec::new()));
}

#[test]
fn fields_of_no_use_are_stepped_over() {
    let text = r#" {"circle": {"new": [{"a": "}]"}, -1.5e3], "wide": true, "centre": null, "more": "é"}} "#;
    let shape = Shape::Circle {
        centre: None,
        wide: true,
    };
    assert_eq!(read::<Shape>(text), Ok(shape));
}

#[test]
fn escapes_are_read() {
    assert_eq!(read::<String>(r#""\ud83e\udd8a\u00e9\/""#).as_deref(), Ok("🦊é/"));
}

#[test]
fn anything_else_is_refused() {
    for text in [
        "",
        " ",
        "{",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "tru",
        "nul",
        "\"",
        "\"\\",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\n\"",
        "1 1",
        "--1",
        "1.2.3",
        "[1]]",
        "{1:2}",
        "\"\\ué\"",
    ] {
        assert_eq!(read::<Value>(text), Err(Unreadable), "{text}");
    }
    assert!(read::<Shape>("\"line\"").is_err());
    assert!(read::<Shape>("{\"dot\":null,\"line\":1}").is_err());
    assert!(read::<Shape>("{\"square\":[1]}").is_err());
    assert!(read::<Shape>("{\"square\":[1,2,3]}").is_err());
    assert!(read::<Shape>("{\"circle\":{\"wide\":true,\"wide\":true}}").is_err());
    assert!(read::<u8>("256").is_err());
}

/// Every beginning of a long text, and every text with a byte changed, is refused or read, never a panic.
#[test]
fn nothing_panics() {
    let text = serde_json::to_string(&json!({"a": ["é\n\u{1}", -1.5, {"b": null}], "c": "\u{1f98a}"})).unwrap();
    for end in (0..text.len()).filter(|&i| text.is_char_boundary(i)) {
        let _ = read::<Value>(&text[..end]);
        for c in ['"', '\\', '{', ']', ',', 'u', '9'] {
            let mut other = text[..end].to_owned();
            other.push(c);
            other.extend(text[end..].chars().skip(1));
            let _ = read::<Value>(&other);
        }
    }
}
