//! Colours for a plan document that is only read: keys, quoted texts, numbers, comments.
//!
//! **Invariant:** the parts of a line put together are the line; a wrong guess costs a colour, nothing else.

/// A part of a line and the class that colours it.
pub type Part = (&'static str, String);

/// The lines of a document with their parts. Blocks below `|` and `>` stay plain.
pub fn lines(document: &str) -> Vec<Vec<Part>> {
    let mut block: Option<usize> = None;
    document
        .lines()
        .map(|line| {
            let indent = line.len() - line.trim_start().len();
            if block.is_some_and(|b| line.trim().is_empty() || indent > b) {
                return vec![("", line.to_owned())];
            }
            let opens = line.trim_end().ends_with(['|', '>'])
                || line.trim_end().ends_with("|-")
                || line.trim_end().ends_with(">-");
            block = (opens && line.contains(':')).then_some(indent);
            parts(line)
        })
        .collect()
}

fn parts(line: &str) -> Vec<Part> {
    let mut out: Vec<Part> = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let (class, len) = next(rest, out.last().map(|(_, t)| t.as_str()));
        let (part, tail) = rest.split_at(len);
        match out.last_mut() {
            Some((c, t)) if *c == class => t.push_str(part),
            _ => out.push((class, part.to_owned())),
        }
        rest = tail;
    }
    out
}

/// The class and length of the next part.
fn next(rest: &str, before: Option<&str>) -> (&'static str, usize) {
    let first = rest.chars().next().unwrap_or(' ');
    let after_blank = before.is_none_or(|b| b.ends_with([' ', '[', '{', ',']));
    match first {
        '#' if after_blank => ("yc", rest.len()),
        '"' | '\'' if after_blank => {
            let end = rest[1..].find(first).map_or(rest.len(), |i| i + 2);
            let class = if rest[end..].starts_with(':') { "yk" } else { "ys" };
            (class, end)
        }
        '{' | '}' | '[' | ']' | ',' => ("yp", 1),
        c if c.is_whitespace() || c == '-' && rest[1..].starts_with(' ') => ("", c.len_utf8()),
        _ => {
            let end = rest.find([',', ']', '}', '"', '\'']).unwrap_or(rest.len());
            let word = &rest[..end];
            let colon = word.find(": ").or_else(|| word.ends_with(':').then(|| word.len() - 1));
            if let Some(c) = colon.filter(|c| after_blank && !word[..*c].contains(' ')) {
                return ("yk", c);
            }
            let stop = word.find(' ').map_or(end, |i| i + 1).max(first.len_utf8());
            let number = after_blank && word[..stop].trim().parse::<f64>().is_ok();
            (if number { "yn" } else { "" }, stop)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(line: &str) -> String {
        lines(line)[0]
            .iter()
            .map(|(c, t)| {
                if c.is_empty() {
                    t.clone()
                } else {
                    format!("<{c}>{t}</>")
                }
            })
            .collect()
    }

    #[test]
    fn lines_are_tinted() {
        for (line, want) in [
            ("name: app", "<yk>name</>: app"),
            (
                "  - { run: \"a: b\", n: 5 }",
                "  - <yp>{</> <yk>run</>: <ys>\"a: b\"</><yp>,</> <yk>n</>: <yn>5 </><yp>}</>",
            ),
            ("# all of it", "<yc># all of it</>"),
            (
                "env: {A: 'x'}  # y",
                "<yk>env</>: <yp>{</><yk>A</>: <ys>'x'</><yp>}</>  <yc># y</>",
            ),
            ("image: rust:1.95", "<yk>image</>: rust:1.95"),
        ] {
            assert_eq!(marked(line), want);
        }
    }

    #[test]
    fn nothing_of_a_document_is_lost() {
        let text = "a: |\n  # no comment\n  b: \"c\n\nd: [é, 'ü', 1.5]\n- x:y\n\"q: \n'''";
        let back: Vec<String> = lines(text)
            .iter()
            .map(|l| l.iter().map(|(_, t)| t.as_str()).collect())
            .collect();
        assert_eq!(back.join("\n"), text.trim_end_matches('\n'));
        assert_eq!(lines(text)[1], vec![("", "  # no comment".to_owned())]);
    }
}
