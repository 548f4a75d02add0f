//! Rules of this repository that no compiler checks; each finding names the file, the line and the way out.
//! Run by `make lint`.
//!
//! **Invariant:** a rule looks at text alone, so that it works on code that does not compile.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;

/// Checks everything; fails with the number of findings after printing each.
pub fn run(workspace: &Workspace) -> Result<()> {
    let mut findings = Vec::new();
    let mut sources = Vec::new();
    for folder in ["app/src", "frontend/src", "frontend/editor/src"] {
        collect(&workspace.path(folder), &mut sources)?;
    }
    for path in sources {
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let name = path.strip_prefix(workspace.path("")).unwrap_or(&path).display();
        findings.extend(
            view(&text)
                .into_iter()
                .map(|(line, rule)| format!("{name}:{line}: {rule}")),
        );
    }
    let lock = fs::read_to_string(workspace.path("package-lock.json")).context("reading package-lock.json")?;
    findings.extend(npm_lock(&lock).map(|line| {
        format!("package-lock.json:{line}: names a registry host; run `npm install --omit-lockfile-registry-resolved`")
    }));
    for finding in &findings {
        eprintln!("{finding}");
    }
    if !findings.is_empty() {
        bail!("{} of our own rules broken", findings.len());
    }
    Ok(())
}

/// The places in one source file (line, what to do) where a view could leave the content security policy or turn text into markup.
fn view(text: &str) -> Vec<(usize, &'static str)> {
    let mut findings = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("//") {
            continue;
        }
        if has_attribute(line, "style=") || has_attribute(line, "style:") {
            findings.push((
                number + 1,
                "`style=` in a view is refused by our policy; use a class, an SVG attribute or CSSOM",
            ));
        }
        if has_attribute(line, "inner_html=") || line.contains(".inner_html(") || line.contains("set_inner_html(") {
            findings.push((
                number + 1,
                "`inner_html` could turn output into markup; build nodes instead",
            ));
        }
    }
    findings
}

/// Whether `attribute` stands on the line as a view would write it: after a blank or at its start, with a value at once.
fn has_attribute(line: &str, attribute: &str) -> bool {
    line.match_indices(attribute).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + attribute.len()..].chars().next();
        before.is_none_or(char::is_whitespace) && after.is_some_and(|c| !c.is_whitespace() && c != '=' && c != ':')
    })
}

fn npm_lock(text: &str) -> impl Iterator<Item = usize> + '_ {
    text.lines()
        .enumerate()
        .filter(|(_, line)| line.trim_start().starts_with("\"resolved\""))
        .map(|(n, _)| n + 1)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_keep_to_the_policy() {
        let cases = [
            (r#"<div style="width: 3px">"#, 1),
            ("<div style=move || width()>", 1),
            ("<div style:width=move || width()>", 1),
            ("    style=width", 1),
            ("<p inner_html=text/>", 1),
            ("node.set_inner_html(&text);", 1),
            ("let style = run.style;", 0),
            ("Run { style: style.clone() }", 0),
            ("let x = style::Style::default();", 0),
            ("element.style().set_property(\"height\", &px)", 0),
            ("// <div style=\"x\"> is refused", 0),
            ("<link rel=\"stylesheet\" href=\"/pkg/caracal.css\"/>", 0),
        ];
        for (line, found) in cases {
            assert_eq!(view(line).len(), found, "{line}");
        }
    }

    #[test]
    fn the_npm_lock_names_no_host() {
        let lock = "{\n  \"a\": {\n    \"resolved\": \"somewhere\",\n    \"integrity\": \"sha512\"\n  }\n}";
        assert_eq!(npm_lock(lock).collect::<Vec<_>>(), [3]);
        assert_eq!(npm_lock("{ \"version\": \"1\" }").count(), 0);
    }
}
