//! Globs: `*` is any run of characters but `/`, `**` any at all, `**/` any folders or none, `?` one character but `/`.
//!
//! **Invariant:** matching takes time in proportion to pattern times text; there is no going back and trying again.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Char(char),
    One,
    Run,
    Anything,
    /// Before a folder of `**/`, or behind the last.
    Folders,
    /// In one.
    Folder,
}

/// Whether a value is more than its own text.
pub(super) fn is_glob(pattern: &str) -> bool {
    pattern.contains(['*', '?'])
}

/// Whether a text matches, from its beginning to its end.
pub fn matches(pattern: &str, text: &str) -> bool {
    let tokens = tokens(pattern);
    let mut now = vec![false; tokens.len() + 1];
    reach(&tokens, &mut now, 0);
    for c in text.chars() {
        let mut next = vec![false; tokens.len() + 1];
        for (i, token) in tokens.iter().enumerate().filter(|(i, _)| now[*i]) {
            let to = match token {
                Token::Char(wanted) => (*wanted == c).then_some(i + 1),
                Token::One => (c != '/').then_some(i + 1),
                Token::Run => (c != '/').then_some(i),
                Token::Anything => Some(i),
                Token::Folders => (c != '/').then_some(i + 1),
                Token::Folder => Some(if c == '/' { i - 1 } else { i }),
            };
            if let Some(to) = to {
                reach(&tokens, &mut next, to);
            }
        }
        now = next;
    }
    now[tokens.len()]
}

/// Notes a place, and those that nothing need be read to get to from there.
fn reach(tokens: &[Token], places: &mut [bool], mut at: usize) {
    loop {
        if std::mem::replace(&mut places[at], true) {
            return;
        }
        at += match tokens.get(at) {
            Some(Token::Run | Token::Anything) => 1,
            Some(Token::Folders) => 2,
            _ => return,
        };
    }
}

fn tokens(pattern: &str) -> Vec<Token> {
    let chars: Vec<char> = pattern.chars().collect();
    let (mut tokens, mut at) = (Vec::new(), 0);
    while at < chars.len() {
        let begins = at == 0 || chars[at - 1] == '/';
        match &chars[at..] {
            ['*', '*', '/', ..] if begins => {
                tokens.extend([Token::Folders, Token::Folder]);
                at += 3;
            }
            ['*', '*', ..] => {
                tokens.push(Token::Anything);
                at += 2;
            }
            ['*', ..] => {
                tokens.push(Token::Run);
                at += 1;
            }
            ['?', ..] => {
                tokens.push(Token::One);
                at += 1;
            }
            [c, ..] => {
                tokens.push(Token::Char(*c));
                at += 1;
            }
            [] => {}
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_as_people_know_them_from_branches_and_paths() {
        for (pattern, yes, no) in [
            ("main", &["main"][..], &["main2", "", "a/main"][..]),
            (
                "release/*",
                &["release/1.0", "release/"],
                &["release", "release/1/2", "xrelease/1"],
            ),
            ("*", &["a", ""], &["a/b"]),
            ("**", &["a", "", "a/b/c"], &[]),
            ("v?.*", &["v1.0", "v2."], &["v10.0", "v1"]),
            ("**/*.rs", &["a.rs", "a/b.rs", "a/b/c.rs"], &["a.rsx", "rs", "a/b"]),
            (
                "src/**/mod.rs",
                &["src/mod.rs", "src/a/mod.rs", "src/a/b/mod.rs"],
                &["src/amod.rs", "mod.rs"],
            ),
            ("docs/**", &["docs/a", "docs/a/b", "docs/"], &["docs", "adocs/a"]),
            ("a**b", &["ab", "a/x/b"], &["a/x"]),
            ("größe/?", &["größe/ü"], &["größe/üü"]),
        ] {
            for text in yes {
                assert!(matches(pattern, text), "{pattern} {text}");
            }
            for text in no {
                assert!(!matches(pattern, text), "{pattern} {text}");
            }
        }
    }

    #[test]
    fn a_pattern_made_to_take_for_ever_does_not() {
        let pattern = "*a".repeat(200) + "b";
        assert!(!matches(&pattern, &"a".repeat(4_000)));
    }
}
