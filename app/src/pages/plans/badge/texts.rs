//! A badge as other pages embed it: Markdown and HTML.
//!
//! **Invariant:** a plan's name is text in both, whatever is in it.

/// In Markdown: the picture, leading to the plan.
pub fn markdown(name: &str, picture: &str, page: &str) -> String {
    let mut alt = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '(' | ')' | '#' | '!' | '|' | '~' | '&' => {
                alt.push('\\');
                alt.push(c);
            }
            c if c.is_control() => alt.push(' '),
            c => alt.push(c),
        }
    }
    format!("[![{alt}]({picture})]({page})")
}

/// In HTML: the same.
pub fn html(name: &str, picture: &str, page: &str) -> String {
    let escaped = |text: &str| {
        text.replace('&', "&amp;")
            .replace('"', "&quot;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
    };
    format!(
        "<a href=\"{}\"><img src=\"{}\" alt=\"{}\"></a>",
        escaped(page),
        escaped(picture),
        escaped(name)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_text_in_both() {
        let (picture, page) = (
            "https://ci.example/plans/1/badge.svg?key=a&branch=b",
            "https://ci.example/plans/1",
        );
        assert_eq!(
            markdown("a](x) <b>", picture, page),
            format!("[![a\\]\\(x\\) \\<b\\>]({picture})]({page})")
        );
        assert_eq!(
            html("\"><script>", picture, page),
            format!(
                "<a href=\"{page}\"><img src=\"{}\" alt=\"&quot;&gt;&lt;script&gt;\"></a>",
                picture.replace('&', "&amp;")
            )
        );
    }
}
