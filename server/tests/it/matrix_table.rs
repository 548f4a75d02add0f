//! Who may call what: every route, server function and socket topic.
//!
//! **Invariant:** an endpoint without a row here fails `matrix.rs`.

/// What it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Nothing.
    Open,
    /// To be anybody.
    Anybody,
    /// To read.
    Read,
    /// To run.
    Run,
    /// To write.
    Write,
    /// To administer.
    Admin,
    /// To be anybody, by a credential that is not narrowed: what belongs to oneself.
    Own,
}
use Takes::{Admin, Anybody, Open, Own, Read, Run, Write};

/// Who comes, and what they may: the decision table itself, written out.
pub const ACTORS: &[(&str, &[Takes])] = &[
    ("anonymous", &[Open]),
    ("revoked token", &[Open]),
    ("viewer", &[Open, Anybody, Read, Own]),
    ("runner", &[Open, Anybody, Read, Run, Own]),
    ("editor", &[Open, Anybody, Read, Run, Write, Own]),
    ("admin", &[Open, Anybody, Read, Run, Write, Admin, Own]),
    ("viewer's admin token", &[Open, Anybody, Read, Own]),
    ("admin's read token", &[Open, Anybody, Read]),
    ("admin's run token", &[Open, Anybody, Read, Run]),
    ("admin's write token", &[Open, Anybody, Read, Write]),
    ("admin's metrics token", &[Open, Anybody]),
    ("admin's admin token", &[Open, Anybody, Read, Run, Write, Admin, Own]),
];

/// REST: method, path, body, what it takes. `DELETE` rows come last: what they end must be there for the others.
pub const REST: &[(&str, &str, &str, Takes)] = &[
    ("GET", "/plans", "", Read),
    (
        "POST",
        "/plans",
        r#"{"document":"name: {new}\nsteps: [{run: 'true'}]\n"}"#,
        Write,
    ),
    (
        "POST",
        "/plans/validate",
        r#"{"document":"name: x\nsteps: [{run: 'true'}]\n"}"#,
        Read,
    ),
    ("GET", "/plans/{plan}", "", Read),
    (
        "PUT",
        "/plans/{plan}",
        r#"{"version":0,"document":"name: app\nsteps: [{run: 'true'}]\n"}"#,
        Write,
    ),
    ("GET", "/plans/{plan}/revisions", "", Read),
    ("POST", "/plans/{plan}/badge", "", Write),
    ("GET", "/plans/{plan}/badge", "", Write),
    ("DELETE", "/plans/999999/badge", "", Write),
    ("POST", "/plans/{plan}/tasks", "{}", Run),
    ("GET", "/tasks", "", Read),
    ("GET", "/tasks/{task}", "", Read),
    ("POST", "/tasks/{task}/rerun", "{}", Run),
    ("POST", "/tasks/{task}/approve", "", Run),
    ("GET", "/tasks/{task}/document", "", Read),
    ("GET", "/tasks/{task}/console", "", Read),
    ("GET", "/tasks/{task}/statuses", "", Read),
    ("GET", "/jobs/{job}/attempts", "", Read),
    ("GET", "/steps/{step}/console", "", Read),
    ("GET", "/steps/{step}/lines", "", Read),
    ("POST", "/tasks/{task}/abort", "", Run),
    ("GET", "/queue", "", Read),
    ("GET", "/agents", "", Read),
    ("GET", "/agents/{agent}", "", Read),
    (
        "PATCH",
        "/agents/{agent}",
        r#"{"version":0,"availability":"active"}"#,
        Admin,
    ),
    ("GET", "/agents/{agent}/events", "", Read),
    ("GET", "/agents/tokens", "", Admin),
    ("POST", "/agents/tokens", r#"{"labels":{"pool":"fast"}}"#, Admin),
    ("GET", "/agents/tokens/{agent_token}", "", Admin),
    ("GET", "/events", "", Read),
    ("GET", "/me", "", Anybody),
    ("GET", "/users", "", Admin),
    (
        "POST",
        "/users",
        r#"{"name":"{new}","password":"correct horse","role":"viewer"}"#,
        Admin,
    ),
    ("GET", "/tokens", "", Read),
    ("POST", "/tokens", r#"{"name":"another"}"#, Own),
    ("DELETE", "/tokens/999999", "", Own),
    ("GET", "/secrets", "", Read),
    ("POST", "/secrets", r#"{"name":"KEY","value":"x"}"#, Write),
    ("GET", "/secrets/{secret}", "", Read),
    ("GET", "/secrets/{secret}/users", "", Read),
    ("PUT", "/secrets/{secret}", r#"{"version":0,"value":"x"}"#, Write),
    ("GET", "/triggers", "", Read),
    (
        "POST",
        "/triggers",
        r#"{"name":"{new}","kind":"webhook","plan_id":{plan},"config":{"provider":"github"}}"#,
        Write,
    ),
    ("GET", "/triggers/{trigger}", "", Read),
    ("PUT", "/triggers/{trigger}", r#"{"version":0}"#, Write),
    ("PUT", "/triggers/{trigger}/enable", "", Write),
    ("PUT", "/triggers/{trigger}/disable", "", Write),
    ("POST", "/triggers/{trigger}/fire", "", Run),
    ("POST", "/triggers/{trigger}/check", "", Run),
    ("GET", "/triggers/{trigger}/firings", "", Read),
    ("POST", "/triggers/try", r#"{"payload":{}}"#, Read),
    ("POST", "/triggers/cron", r#"{"cron":"0 0 * * *"}"#, Read),
    ("POST", "/triggers/rules", r#"{"rules":["branch == main"]}"#, Read),
    ("GET", "/firings", "", Read),
    ("GET", "/firings/{firing}", "", Read),
    ("POST", "/firings/{firing}/replay", "", Run),
    ("GET", "/repositories", "", Read),
    (
        "POST",
        "/repositories",
        r#"{"name":"{new}","url":"https://git.example/a/b.git"}"#,
        Write,
    ),
    ("GET", "/repositories/{repository}", "", Read),
    ("GET", "/repositories/{repository}/users", "", Read),
    ("GET", "/repositories/{repository}/statuses", "", Read),
    ("PUT", "/repositories/{repository}", r#"{"version":0}"#, Write),
    ("POST", "/repositories/{repository}/test", "", Write),
    ("DELETE", "/repositories/999999", "", Write),
    ("GET", "/hooks", "", Read),
    ("POST", "/hooks", r#"{"name":"{new}","provider":"github"}"#, Write),
    ("GET", "/hooks/{hook}", "", Read),
    ("PUT", "/hooks/{hook}", r#"{"version":0}"#, Write),
    ("GET", "/hooks/{hook}/deliveries", "", Read),
    ("GET", "/hooks/{hook}/received", "", Read),
    ("DELETE", "/triggers/999999", "", Write),
    ("DELETE", "/hooks/999999", "", Write),
    ("POST", "/secrets/rotate-key", "", Admin),
    ("DELETE", "/secrets/999999", "", Write),
    ("DELETE", "/agents/999999", "", Admin),
    ("DELETE", "/agents/tokens/999999", "", Admin),
    ("DELETE", "/plans/{doomed}", "", Write),
];

/// Server functions: path, arguments, what they take.
pub const FUNCTIONS: &[(&str, &str, Takes)] = &[
    ("/ui/session/create", "name=nobody&password=wrong", Open),
    ("/ui/session/delete", "", Open),
    ("/ui/setup/get", "", Open),
    ("/ui/setup/create", "code=x&name=x&password=correct+horse", Open),
    ("/ui/theme/set", "theme=ink", Open),
    ("/ui/frame/get", "", Read),
    ("/ui/queue/get", "", Read),
    ("/ui/tasks/get", "task={task}", Read),
    ("/ui/tasks/abort", "task={task}", Run),
    ("/ui/tasks/rerun", "task={task}", Run),
    ("/ui/tasks/approve", "task={task}", Run),
    ("/ui/steps/tail", "step={step}", Read),
    ("/ui/steps/lines", "step={step}&from=1&limit=10", Read),
    ("/ui/triggers/new", "", Write),
    ("/ui/triggers/edit", "trigger={trigger}", Write),
    ("/ui/triggers/save", "draft[name]={new}&draft[kind]=cron", Write),
    ("/ui/triggers/cron", "cron=0+0+*+*+*&zone=UTC", Read),
    ("/ui/triggers/try", "delivery=999999", Read),
    ("/ui/triggers/rules", "rules=branch+%3D%3D+main", Read),
    ("/ui/triggers/try-page", "trigger={trigger}", Read),
    (
        "/ui/triggers/try-payload",
        "trigger={trigger}&draft[payload]=%7B%7D",
        Read,
    ),
    ("/ui/plans/list", "", Read),
    ("/ui/plans/get", "plan={plan}", Read),
    ("/ui/plans/edit", "plan={plan}", Read),
    ("/ui/plans/new", "", Write),
    ("/ui/plans/check", "document=name%3A+x", Read),
    (
        "/ui/plans/create",
        "document=name%3A+{new}%0Asteps%3A+%5B%7Brun%3A+x%7D%5D",
        Write,
    ),
    (
        "/ui/plans/save",
        "plan={plan}&version=0&document=name%3A+app%0Asteps%3A+%5B%7Brun%3A+x%7D%5D",
        Write,
    ),
    ("/ui/plans/run", "plan={plan}", Run),
    ("/ui/plans/delete", "plan={doomed}", Write),
    ("/ui/agents/list", "", Read),
    ("/ui/agents/patch", "agent={agent}&version=0&availability=active", Admin),
    ("/ui/agents/get", "agent={agent}", Read),
    ("/ui/agents/edit", "agent={agent}&version=0", Admin),
    ("/ui/agents/remove", "agent=999999", Admin),
    ("/ui/agents/add", "token={agent_token}", Admin),
    ("/ui/agents/tokens/create", "minutes=5", Admin),
    ("/ui/agents/tokens/revoke", "token=999999", Admin),
    ("/ui/secrets/list", "", Read),
    ("/ui/secrets/get", "secret={secret}", Read),
    ("/ui/secrets/new", "", Write),
    ("/ui/secrets/create", "name=KEY&value=x", Write),
    ("/ui/secrets/set", "secret={secret}&version=0&value=x", Write),
    ("/ui/secrets/remove", "secret=999999", Write),
    ("/ui/tasks/statuses", "task={task}", Read),
    ("/ui/plans/badge", "plan={plan}", Read),
    ("/ui/plans/badge/make", "plan={plan}", Write),
    ("/ui/plans/badge/remove", "plan=999999", Write),
    ("/ui/repositories/list", "", Read),
    ("/ui/repositories/get", "repository={repository}", Read),
    ("/ui/repositories/new", "", Write),
    ("/ui/repositories/edit", "repository={repository}", Write),
    (
        "/ui/repositories/save",
        "draft[name]={new}&draft[url]=https%3A%2F%2Fgit.example%2Fa%2Fb.git",
        Write,
    ),
    ("/ui/repositories/test", "repository={repository}", Write),
    ("/ui/repositories/remove", "repository=999999", Write),
    ("/ui/hooks/list", "", Read),
    ("/ui/hooks/get", "hook={hook}", Read),
    ("/ui/hooks/new", "", Write),
    ("/ui/hooks/create", "name={new}&provider=github", Write),
    ("/ui/hooks/rename", "hook={hook}&version=0&name=other", Write),
    ("/ui/hooks/rotate", "hook={hook}&version=0", Write),
    ("/ui/hooks/end-old", "hook={hook}&version=0", Write),
    ("/ui/hooks/remove", "hook=999999", Write),
    ("/ui/triggers/list", "", Read),
    ("/ui/triggers/of-plan", "plan={plan}", Read),
    ("/ui/triggers/get", "trigger={trigger}", Read),
    ("/ui/triggers/enable", "trigger={trigger}&on=true", Write),
    ("/ui/triggers/fire", "trigger={trigger}", Run),
    ("/ui/triggers/check", "trigger={trigger}", Run),
    ("/ui/triggers/remove", "trigger=999999", Write),
    ("/ui/firings/list", "", Read),
    ("/ui/firings/get", "firing={firing}", Read),
    ("/ui/firings/replay", "firing={firing}", Run),
    ("/ui/tokens/list", "", Read),
    ("/ui/tokens/create", "name=another", Own),
    ("/ui/tokens/revoke", "token=999999", Own),
];

/// Pages: path as the app's table has it, an address, what they take. Editor and deletion show what may be read anyway;
/// what they send is refused by its own row.
pub const PAGES: &[(&str, &str, Takes)] = &[
    ("/login", "/login", Open),
    ("/setup", "/setup", Open),
    ("/", "/", Read),
    ("/plans", "/plans", Read),
    ("/plans/new", "/plans/new", Write),
    ("/plans/{id}", "/plans/{plan}", Read),
    ("/plans/{id}/edit", "/plans/{plan}/edit", Read),
    ("/plans/{id}/delete", "/plans/{plan}/delete", Read),
    ("/tasks/{id}", "/tasks/{task}", Read),
    ("/agents", "/agents", Read),
    ("/agents/new", "/agents/new", Admin),
    ("/agents/{id}", "/agents/{agent}", Read),
    ("/agents/{id}/remove", "/agents/{agent}/remove", Read),
    ("/triggers/new", "/triggers/new", Write),
    ("/triggers/{id}/edit", "/triggers/{trigger}/edit", Write),
    ("/admin/secrets", "/admin/secrets", Read),
    ("/admin/secrets/new", "/admin/secrets/new", Write),
    ("/admin/secrets/{id}", "/admin/secrets/{secret}", Read),
    ("/admin/repositories", "/admin/repositories", Read),
    ("/admin/repositories/new", "/admin/repositories/new", Write),
    ("/admin/repositories/{id}", "/admin/repositories/{repository}", Read),
    (
        "/admin/repositories/{id}/edit",
        "/admin/repositories/{repository}/edit",
        Write,
    ),
    (
        "/admin/repositories/{id}/remove",
        "/admin/repositories/{repository}/remove",
        Read,
    ),
    ("/admin/hooks", "/admin/hooks", Read),
    ("/admin/hooks/new", "/admin/hooks/new", Write),
    ("/admin/hooks/{id}", "/admin/hooks/{hook}", Read),
    ("/admin/hooks/{id}/remove", "/admin/hooks/{hook}/remove", Read),
    ("/triggers", "/triggers", Read),
    ("/triggers/{id}", "/triggers/{trigger}", Read),
    ("/triggers/{id}/try", "/triggers/{trigger}/try", Read),
    ("/triggers/{id}/remove", "/triggers/{trigger}/remove", Read),
    ("/firings", "/firings", Read),
    ("/firings/{id}", "/firings/{firing}", Read),
    ("/me", "/me", Anybody),
];

/// What else the router has: method, path, what it takes.
pub const OTHERS: &[(&str, &str, Takes)] = &[
    ("GET", "/healthz", Open),
    ("GET", "/readyz", Open),
    ("GET", "/schema/plan.json", Open),
    ("GET", "/api/v1/openapi.json", Open),
    ("GET", "/api", Anybody),
    ("POST", "/hooks/nobody", Open),
];

/// What is shown to those who have its key too, and is not there for everybody else: who is refused, and is not signed in,
/// gets 404. Method, path, what it takes.
pub const HIDDEN: &[(&str, &str, Takes)] = &[("GET", "/plans/{plan}/badge.svg", Read)];

/// Topics of `/live`, and what they take.
pub const TOPICS: &[(&str, Takes)] = &[
    ("queue", Read),
    ("agents", Read),
    ("triggers", Read),
    ("task/{task}", Read),
    ("plan/{plan}", Read),
];

/// A path with its ids and their placeholders made alike.
pub fn general(path: &str) -> String {
    path.split('/')
        .map(|p| {
            if p.starts_with('{') || p.parse::<i64>().is_ok() {
                "{id}"
            } else {
                p
            }
        })
        .collect::<Vec<_>>()
        .join("/")
}
