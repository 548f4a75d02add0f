//! Plans whose jobs stand in a file of their repository: what the server keeps, what the file may say.
//!
//! **Invariant:** nothing that a file says changes where its task's code comes from.

use super::*;

const POINTER: &str =
    "name: app\nsource: { git: \"https://example.org/team/app.git\", branch: main }\nfile: .caracal.yml\n";

fn of() -> Plan {
    good(POINTER)
}

fn wrong_file(text: &str) -> Vec<String> {
    let problems = read_file(text, &SourceRules::default(), &of()).expect_err(text);
    problems.iter().map(|p| format!("{} {p}", p.path)).collect()
}

#[test]
fn the_server_keeps_name_source_and_path_and_the_file_has_the_rest() {
    let kept = of();
    assert_eq!((kept.unread(), kept.jobs.len()), (Some(".caracal.yml"), 0));
    assert!(kept.asks(Some("1a2b3c")), "its file is still to be read");
    let text = "env: { A: b }\njobs:\n  test:\n    steps: [{ run: make }]\n  ship:\n    needs: test\n    steps: [{ run: ./ship }]\n";
    let plan = read_file(text, &SourceRules::default(), &kept).unwrap();
    assert_eq!((plan.name.as_str(), plan.unread()), ("app", None));
    assert_eq!(
        plan.file.as_deref(),
        Some(".caracal.yml"),
        "it is known where it came from"
    );
    assert_eq!(plan.source, kept.source);
    assert_eq!(plan.env["A"], "b");
    assert_eq!(
        plan.jobs.iter().map(|j| j.key.as_str()).collect::<Vec<_>>(),
        ["test", "ship"]
    );
    assert!(!plan.asks(Some("1a2b3c")) && plan.asks(None));
    assert_eq!(
        good(&format!("{POINTER}# by the way\n")).file.as_deref(),
        Some(".caracal.yml")
    );
}

#[test]
fn a_file_may_repeat_the_name_and_no_other() {
    assert!(read_file("name: app\nsteps: [{ run: make }]\n", &SourceRules::default(), &of()).is_ok());
    assert_eq!(
        wrong_file("name: other\nsteps: [{ run: make }]\n"),
        [
            "name line 1, column 7: The file is of the plan `app`, and calls it `other`. Take `name` out, or write `name: app`."
        ]
    );
    assert!(check_file("name: whatever\nsteps: [{ run: make }]\n", &SourceRules::default()).valid);
    assert!(check_file("steps: [{ run: make }]\n", &SourceRules::default()).valid);
}

#[test]
fn a_file_cannot_say_where_it_comes_from() {
    let text = "source: { git: \"https://evil.example/x.git\" }\nfile: other.yml\nsteps:\n  - run: make\n    nme: x\n";
    let said = wrong_file(text);
    assert_eq!(said.len(), 3, "{said:#?}");
    assert!(said[0].starts_with("source line 1, column 1: `source` belongs into the plan on the server"));
    assert!(said[1].starts_with("file line 2, column 1: `file` belongs into the plan on the server"));
    assert!(said[2].contains("line 5, column 5") && said[2].contains("Did you mean `name`?"));
}

#[test]
fn beside_the_path_nothing_else_stands_and_there_is_a_source() {
    assert_eq!(
        wrong("name: app\nfile: .caracal.yml\nsteps: [{ run: make }]\nenv: { A: b }\n"),
        [
            "file 2:1 `file` names a file of the source, and the plan has no source. \
             Give the plan `source: { git: https://… }`: the file is read from there.",
            "steps 3:1 `steps` stands beside `file`, and belongs into that file. Move `steps` into the file, or take `file` out.",
            "env 4:1 `env` stands beside `file`, and belongs into that file. Move `env` into the file, or take `file` out.",
        ]
    );
    for path in [
        "../x.yml",
        "/etc/passwd",
        ".git/config",
        "--upload-pack=x",
        "a\\b",
        ":x",
    ] {
        let text = format!(
            "name: app\nsource: {{ git: \"https://example.org/a.git\" }}\nfile: \"{}\"\n",
            path.replace('\\', "\\\\")
        );
        let said = wrong(&text);
        assert!(said.len() == 1 && said[0].starts_with("file 3:7 "), "{path}: {said:?}");
    }
    assert!(
        wrong("name: app\nsource: { git: \"https://example.org/a.git\" }\nfile:\n")[0]
            .starts_with("file 3:1 `file` has no value.")
    );
}
