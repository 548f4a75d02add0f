//! Each forge after its own documentation: where, what, and what the answer means.

use super::*;

const SHA: &str = "6dcb09b5b57875f334f61aebed695e2e4193db5e";

fn status(state: State) -> Status {
    Status {
        revision: SHA.into(),
        state,
        target_url: "https://ci.example.org/tasks/7".into(),
        context: "caracal/app".into(),
        description: "Passed in 3 s".into(),
        branch: Some("main".into()),
    }
}

fn at(provider: Provider, url: &str, api: Option<&str>) -> (String, String) {
    let p = place(provider, url, api).unwrap();
    (p.api, p.path)
}

#[test]
fn an_api_is_found_from_the_clone_url() {
    use Provider::{GitHub, GitLab, Gitea};
    for (provider, url, api, want) in [
        (
            GitHub,
            "https://github.com/o/r.git",
            None,
            ("https://api.github.com", "o/r"),
        ),
        (
            GitHub,
            "https://GitHub.com/o/r/",
            None,
            ("https://api.github.com", "o/r"),
        ),
        (
            GitHub,
            "git@github.com:o/r.git",
            None,
            ("https://api.github.com", "o/r"),
        ),
        (
            GitHub,
            "ssh://git@ssh.github.com:443/o/r.git",
            None,
            ("https://api.github.com", "o/r"),
        ),
        (
            GitHub,
            "https://acme.ghe.com/o/r",
            None,
            ("https://api.acme.ghe.com", "o/r"),
        ),
        (
            GitHub,
            "https://git.corp.example/o/r",
            None,
            ("https://git.corp.example/api/v3", "o/r"),
        ),
        (
            GitLab,
            "https://gitlab.com/a/b/c/r.git",
            None,
            ("https://gitlab.com/api/v4", "a/b/c/r"),
        ),
        (
            GitLab,
            "git@altssh.gitlab.com:a/r.git",
            None,
            ("https://gitlab.com/api/v4", "a/r"),
        ),
        (
            GitLab,
            "ssh://git@gl.example:2222/a/b/r.git",
            None,
            ("https://gl.example/api/v4", "a/b/r"),
        ),
        (
            GitLab,
            "https://gl.example:8443/a/r",
            None,
            ("https://gl.example:8443/api/v4", "a/r"),
        ),
        (
            GitLab,
            "https://x.example/gitlab/a/b/r.git",
            Some("https://x.example/gitlab/api/v4/"),
            ("https://x.example/gitlab/api/v4", "a/b/r"),
        ),
        (
            Gitea,
            "http://127.0.0.1:3000/o/r.git",
            None,
            ("http://127.0.0.1:3000/api/v1", "o/r"),
        ),
        (
            Gitea,
            "https://[2001:db8::1]:3000/o/r",
            None,
            ("https://[2001:db8::1]:3000/api/v1", "o/r"),
        ),
        (
            Gitea,
            "git@ssh.codeberg.example:o/r.git",
            Some("https://codeberg.example/api/v1"),
            ("https://codeberg.example/api/v1", "o/r"),
        ),
    ] {
        assert_eq!(at(provider, url, api), (want.0.into(), want.1.into()), "{url}");
    }
    for (provider, url, api) in [
        (GitHub, "/srv/git/r.git", None),
        (GitHub, "https://github.com/o", None),
        (Gitea, "https://x.example/gitea/o/r", None),
        (Provider::Generic, "https://x.example/o/r", None),
        (GitLab, "--upload-pack=x", None),
        (GitLab, "https://gitlab.com/a/r", Some("ftp://x/api/v4")),
        (GitLab, "https://gitlab.com/a/r", Some("https://tok@x/api/v4")),
    ] {
        assert!(place(provider, url, api).is_err(), "{url} {api:?}");
    }
}

#[test]
fn github_is_told_as_its_documentation_says() {
    let place = place(Provider::GitHub, "https://github.com/octocat/Hello-World", None).unwrap();
    let r = request(Provider::GitHub, &place, &status(State::Success), "ghp_x").unwrap();
    assert_eq!(r.method, "POST");
    assert_eq!(
        r.url,
        format!("https://api.github.com/repos/octocat/Hello-World/statuses/{SHA}")
    );
    assert_eq!(r.credentials, ("authorization", "Bearer ghp_x".into()));
    for header in [
        ("accept", "application/vnd.github+json"),
        ("x-github-api-version", "2022-11-28"),
        ("content-type", "application/json"),
    ] {
        assert!(r.headers.contains(&(header.0, header.1.into())), "{header:?}");
    }
    let body: Value = serde_json::from_str(&r.body).unwrap();
    assert_eq!(
        body,
        json!({
            "state": "success", "target_url": "https://ci.example.org/tasks/7",
            "description": "Passed in 3 s", "context": "caracal/app",
        })
    );
    assert!(!format!("{r:?}").contains("ghp_x"));
}

#[test]
fn gitlab_is_told_with_its_groups_and_the_branch() {
    let place = place(Provider::GitLab, "git@gitlab.com:a/b.c/r.git", None).unwrap();
    let r = request(Provider::GitLab, &place, &status(State::Failure), "glpat-x").unwrap();
    assert_eq!(
        r.url,
        format!("https://gitlab.com/api/v4/projects/a%2Fb.c%2Fr/statuses/{SHA}")
    );
    assert_eq!(r.credentials, ("private-token", "glpat-x".into()));
    let body: Value = serde_json::from_str(&r.body).unwrap();
    assert_eq!(body["state"], "failed");
    assert_eq!((&body["name"], &body["ref"]), (&json!("caracal/app"), &json!("main")));
    // An address that is too long for it is left out, not cut.
    let long = Status {
        target_url: format!("https://ci.example.org/{}", "x".repeat(250)),
        ..status(State::Running)
    };
    let r = request(Provider::GitLab, &place, &long, "t").unwrap();
    assert!(!r.body.contains("target_url") && r.body.contains("\"running\""));
}

#[test]
fn gitea_and_forgejo_are_told() {
    let place = place(Provider::Gitea, "http://127.0.0.1:3000/o/r.git", None).unwrap();
    let r = request(Provider::Gitea, &place, &status(State::Running), "abc").unwrap();
    assert_eq!(r.url, format!("http://127.0.0.1:3000/api/v1/repos/o/r/statuses/{SHA}"));
    assert_eq!(r.credentials, ("authorization", "token abc".into()));
    let body: Value = serde_json::from_str(&r.body).unwrap();
    assert_eq!(
        (&body["state"], &body["context"]),
        (&json!("pending"), &json!("caracal/app"))
    );
}

#[test]
fn every_forge_hears_its_own_words_within_its_bounds() {
    use State::{Error, Failure, Pending, Running, Success};
    for (provider, words) in [
        (Provider::GitHub, ["pending", "pending", "success", "failure", "error"]),
        (Provider::Gitea, ["pending", "pending", "success", "failure", "error"]),
        (
            Provider::GitLab,
            ["pending", "running", "success", "failed", "canceled"],
        ),
    ] {
        let got = [Pending, Running, Success, Failure, Error].map(|s| word(provider, s));
        assert_eq!(got, words, "{provider:?}");
    }
    let place = place(Provider::GitHub, "https://github.com/o/r", None).unwrap();
    let long = Status {
        description: "ü".repeat(500),
        context: "c".repeat(500),
        ..status(Pending)
    };
    let r = request(Provider::GitHub, &place, &long, "t").unwrap();
    let body: Value = serde_json::from_str(&r.body).unwrap();
    assert_eq!(body["description"].as_str().unwrap().chars().count(), 140);
    assert!(body["description"].as_str().unwrap().ends_with('…'));
    assert_eq!(body["context"].as_str().unwrap().chars().count(), 255);
    let short = Status {
        revision: "6dcb09b".into(),
        ..status(Pending)
    };
    assert!(request(Provider::GitHub, &place, &short, "t").is_err());
    assert!(request(Provider::Generic, &place, &status(Pending), "t").is_err());
}

/// What an answer means, in a word and the wait.
fn told(provider: Provider, status: u16, headers: &[(&str, &str)], body: &str) -> (&'static str, Option<i64>, String) {
    let header = |name: &str| headers.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
    match read(provider, status, header, body, 1_700_000_000_000) {
        Told::Done => ("done", None, String::new()),
        Told::Again { after, why } => ("again", after, why),
        Told::GiveUp { why } => ("never", None, why),
    }
}

#[test]
fn an_answer_says_whether_to_try_again() {
    use Provider::{GitHub, GitLab, Gitea};
    let spent = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1700000060")];
    let lab = [("ratelimit-remaining", "0"), ("ratelimit-reset", "1700000030")];
    let transition = r#"{"message":"Cannot transition status via :run from :running (Reason(s): Status cannot transition via \"run\")"}"#;
    for (provider, status, headers, body, want) in [
        (GitHub, 201, &[][..], "{}", ("done", None)),
        (
            GitHub,
            403,
            &spent[..],
            r#"{"message":"API rate limit exceeded"}"#,
            ("again", Some(60_000)),
        ),
        (GitHub, 403, &[("retry-after", "30")], "", ("again", Some(30_000))),
        (
            GitHub,
            403,
            &[],
            r#"{"message":"You have exceeded a secondary rate limit"}"#,
            ("again", None),
        ),
        (
            GitHub,
            403,
            &[],
            r#"{"message":"Resource not accessible by integration"}"#,
            ("never", None),
        ),
        (GitHub, 401, &[], r#"{"message":"Bad credentials"}"#, ("never", None)),
        (GitHub, 404, &[], r#"{"message":"Not Found"}"#, ("never", None)),
        (
            GitHub,
            422,
            &[],
            r#"{"message":"No commit found for SHA: x"}"#,
            ("never", None),
        ),
        (GitHub, 502, &[], "<html>", ("again", None)),
        (
            GitHub,
            429,
            &[("retry-after", "999999")],
            "",
            ("again", Some(3_600_000)),
        ),
        (GitLab, 400, &[], transition, ("done", None)),
        (
            GitLab,
            400,
            &[],
            r#"{"message":{"target_url":["is blocked"]}}"#,
            ("never", None),
        ),
        (GitLab, 429, &lab[..], "Retry later", ("again", Some(30_000))),
        (GitLab, 409, &[], "", ("again", None)),
        (Gitea, 201, &[], "", ("done", None)),
        (Gitea, 400, &[], transition, ("never", None)),
        (
            Gitea,
            403,
            &[],
            r#"{"message":"user should have a write permission"}"#,
            ("never", None),
        ),
        (
            Gitea,
            503,
            &[("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT")],
            "",
            ("again", None),
        ),
    ] {
        let (what, after, why) = told(provider, status, headers, body);
        assert_eq!((what, after), want, "{provider:?} {status} {body}");
        assert!(
            what == "done" || (why.ends_with('.') && why.contains(&status.to_string())),
            "{why}"
        );
    }
    let (_, _, why) = told(GitHub, 401, &[], r#"{"message":"Bad credentials"}"#);
    assert_eq!(why, "The forge does not accept the token (HTTP 401: Bad credentials).");
}
