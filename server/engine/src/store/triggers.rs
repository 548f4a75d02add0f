//! Triggers: what they are, where they stand, and which are due.
//!
//! **Invariant:** where one stands (`cursor`, `next_at`, health) moves without its version; a move is refused when somebody
//! saved it since it was read.

use super::{Error, Result, Store, Tx, on, on_tx};
use domain::trigger::{Config, HealthState, HookListener, Kind, TriggerQuery};
use domain::{HookId, PlanId, ProjectId, RepositoryId, Timestamp, TriggerId, UserId};
use sqlx::AssertSqlSafe;
use std::collections::BTreeMap;

/// A trigger as it stands in its row.
#[derive(Debug, Clone, PartialEq)]
pub struct Trigger {
    /// Its id.
    pub id: TriggerId,
    /// Its project.
    pub project: ProjectId,
    /// Its name.
    pub name: String,
    /// The plan it starts.
    pub plan: PlanId,
    /// That plan's name.
    pub plan_name: String,
    /// Whether that plan is archived.
    pub plan_gone: bool,
    /// Whether it fires.
    pub enabled: bool,
    /// Its kind, and what that needs to know.
    pub config: Config,
    /// What must all be true.
    pub rules: Vec<String>,
    /// What its tasks are given.
    pub parameters: BTreeMap<String, String>,
    /// Their branch.
    pub branch: Option<String>,
    /// Their exact commit.
    pub revision: Option<String>,
    /// Their priority.
    pub priority: i64,
    /// The hook it listens to.
    pub hook: Option<HookId>,
    /// Where it stands.
    pub cursor: Option<String>,
    /// When it is due.
    pub next_at: Option<Timestamp>,
    /// How it is.
    pub health: HealthState,
    /// In words.
    pub health_said: Option<String>,
    /// Since when.
    pub health_since: Option<Timestamp>,
    /// When it was looked at last.
    pub looked_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its version.
    pub version: i64,
}

/// What can be saved of a trigger.
#[derive(Debug, Clone, PartialEq)]
pub struct TriggerChange {
    /// Its name.
    pub name: String,
    /// The plan it starts.
    pub plan: PlanId,
    /// Whether it fires.
    pub enabled: bool,
    /// Its kind, and what that needs to know.
    pub config: Config,
    /// What must all be true.
    pub rules: Vec<String>,
    /// What its tasks are given.
    pub parameters: BTreeMap<String, String>,
    /// Their branch.
    pub branch: Option<String>,
    /// Their exact commit.
    pub revision: Option<String>,
    /// Their priority.
    pub priority: i64,
    /// The hook it listens to.
    pub hook: Option<HookId>,
    /// Where it stands; a save begins anew.
    pub cursor: Option<String>,
    /// When it is due.
    pub next_at: Option<Timestamp>,
}

/// Where a trigger stands after a look or a firing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Where.
    pub cursor: Option<String>,
    /// When it is due again.
    pub next_at: Option<Timestamp>,
    /// How it is.
    pub health: HealthState,
    /// In words.
    pub said: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    project_id: i64,
    name: String,
    plan_id: i64,
    plan_name: String,
    plan_gone: bool,
    kind: String,
    enabled: bool,
    config: String,
    rules: String,
    parameters: String,
    branch: Option<String>,
    revision: Option<String>,
    priority: i64,
    hook_id: Option<i64>,
    cursor: Option<String>,
    next_at: Option<i64>,
    health: String,
    health_said: Option<String>,
    health_since: Option<i64>,
    looked_at: Option<i64>,
    created_at: i64,
    version: i64,
}

impl Row {
    fn trigger(self) -> Result<Trigger> {
        let bad = |e: serde_json::Error| Error::corrupt("triggers", e);
        let kind: Kind = self.kind.parse().map_err(|e| Error::corrupt("triggers", e))?;
        let config = serde_json::from_str(&self.config).map_err(bad)?;
        let config = Config::shaped(kind, &config).map_err(|p| Error::corrupt("triggers", format!("{p:?}")))?;
        Ok(Trigger {
            id: TriggerId(self.id),
            project: ProjectId(self.project_id),
            name: self.name,
            plan: PlanId(self.plan_id),
            plan_name: self.plan_name,
            plan_gone: self.plan_gone,
            enabled: self.enabled,
            config,
            rules: serde_json::from_str(&self.rules).map_err(bad)?,
            parameters: serde_json::from_str(&self.parameters).map_err(bad)?,
            branch: self.branch,
            revision: self.revision,
            priority: self.priority,
            hook: self.hook_id.map(HookId),
            cursor: self.cursor,
            next_at: self.next_at.map(Timestamp),
            health: health(&self.health),
            health_said: self.health_said,
            health_since: self.health_since.map(Timestamp),
            looked_at: self.looked_at.map(Timestamp),
            created_at: Timestamp(self.created_at),
            version: self.version,
        })
    }
}

fn health(word: &str) -> HealthState {
    match word {
        "well" => HealthState::Well,
        "unwell" => HealthState::Unwell,
        _ => HealthState::Waiting,
    }
}

const fn word(health: HealthState) -> &'static str {
    match health {
        HealthState::Well => "well",
        HealthState::Unwell => "unwell",
        HealthState::Waiting | HealthState::Off => "waiting",
    }
}

/// Whether a trigger is unwell, as its health says: `h` is its hook, `p` its plan.
const UNWELL: &str = "(t.enabled AND (p.archived_at IS NOT NULL OR NOT p.enabled OR CASE t.kind \
    WHEN 'webhook' THEN h.id IS NULL OR (h.refused_at IS NOT NULL AND (h.seen_at IS NULL OR h.refused_at > h.seen_at)) \
    WHEN 'cron' THEN t.health = 'unwell' AND t.next_at IS NOT NULL ELSE t.health = 'unwell' END))";

const TRIGGERS: &str = "SELECT t.id, t.project_id, t.name, t.plan_id, p.name AS plan_name, (p.archived_at IS NOT NULL) AS plan_gone, \
    t.kind, t.enabled, t.config, t.rules, t.parameters, t.branch, t.revision, t.priority, t.hook_id, t.cursor, t.next_at, t.health, \
    t.health_said, t.health_since, t.looked_at, t.created_at, t.version FROM triggers t JOIN plans p ON p.id = t.plan_id";

fn read(rows: Vec<Row>) -> Result<Vec<Trigger>> {
    rows.into_iter().map(Row::trigger).collect()
}

/// A page of a project's triggers, newest first, one more than `limit` when there is a next page.
///
/// # Errors
/// When the database fails or a row does not read.
pub async fn list(
    store: &Store,
    project: ProjectId,
    filter: &TriggerQuery,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<Trigger>> {
    let kinds: Vec<&str> = filter.kinds.iter().map(|k| k.as_str()).collect();
    // Words of ours, quoted: no text of a caller.
    let of_kinds = match kinds[..] {
        [] => String::new(),
        _ => format!(" AND t.kind IN ('{}')", kinds.join("','")),
    };
    let unwell = if filter.unwell {
        format!(" AND {UNWELL}")
    } else {
        String::new()
    };
    let sql = format!(
        "{TRIGGERS} LEFT JOIN hooks h ON h.id = t.hook_id WHERE t.project_id = $1 AND t.id < $2 AND (LOWER(t.name) LIKE $3 ESCAPE '\\' OR LOWER(p.name) LIKE $3 ESCAPE '\\') \
         AND ($4 = 0 OR t.plan_id = $4){of_kinds}{unwell} ORDER BY t.id DESC LIMIT $5 + 0"
    );
    let like = super::plans::pattern(filter.text.as_deref().unwrap_or_default());
    let (before, limit) = (before.unwrap_or(i64::MAX), i64::from(limit) + 1);
    let plan = filter.plan.map_or(0, |p| p.0);
    read(on!(store.db(), p => {
        sqlx::query_as(AssertSqlSafe(sql)).bind(project.0).bind(before).bind(like).bind(plan).bind(limit).fetch_all(p).await?
    }))
}

/// How many triggers there are of each kind, and how many of them are unwell or off.
///
/// # Errors
/// When the database fails.
pub async fn counts(store: &Store, project: ProjectId) -> Result<Vec<(String, bool, bool, i64)>> {
    let sql = format!(
        "SELECT kind, enabled, unwell, COUNT(*) FROM (SELECT t.kind, t.enabled, {UNWELL} AS unwell FROM triggers t \
         JOIN plans p ON p.id = t.plan_id LEFT JOIN hooks h ON h.id = t.hook_id WHERE t.project_id = $1) AS of_all \
         GROUP BY kind, enabled, unwell"
    );
    Ok(on!(store.db(), p => sqlx::query_as(AssertSqlSafe(sql)).bind(project.0).fetch_all(p).await?))
}

/// One trigger.
///
/// # Errors
/// When the database fails or the row does not read.
pub async fn one(store: &Store, project: ProjectId, id: TriggerId) -> Result<Option<Trigger>> {
    let sql = format!("{TRIGGERS} WHERE t.project_id = $1 AND t.id = $2");
    let row: Option<Row> =
        on!(store.db(), p => sqlx::query_as(AssertSqlSafe(sql)).bind(project.0).bind(id.0).fetch_optional(p).await?);
    row.map(Row::trigger).transpose()
}

/// Those that listen to a hook and are on.
///
/// # Errors
/// When the database fails or a row does not read.
pub async fn listening(store: &Store, hook: HookId) -> Result<Vec<Trigger>> {
    let sql = format!("{TRIGGERS} WHERE t.hook_id = $1 AND t.enabled ORDER BY t.id");
    read(on!(store.db(), p => sqlx::query_as(AssertSqlSafe(sql)).bind(hook.0).fetch_all(p).await?))
}

/// All that listen to each hook, on or off.
///
/// # Errors
/// When the database fails.
pub async fn of_hooks(store: &Store, project: ProjectId) -> Result<Vec<(HookId, HookListener)>> {
    let sql = "SELECT t.hook_id, t.id, t.name, t.enabled, t.plan_id, p.name FROM triggers t JOIN plans p ON p.id = t.plan_id \
         WHERE t.project_id = $1 AND t.hook_id IS NOT NULL ORDER BY t.id";
    let rows: Vec<(i64, i64, String, bool, i64, String)> =
        on!(store.db(), p => sqlx::query_as(sql).bind(project.0).fetch_all(p).await?);
    let listener = |(hook, id, name, enabled, plan_id, plan)| {
        let listener = HookListener {
            id: TriggerId(id),
            name,
            enabled,
            plan_id: PlanId(plan_id),
            plan,
        };
        (HookId(hook), listener)
    };
    Ok(rows.into_iter().map(listener).collect())
}

/// Those of a kind that are on.
///
/// # Errors
/// When the database fails or a row does not read.
pub async fn of_kind(store: &Store, kind: Kind) -> Result<Vec<Trigger>> {
    let sql = format!("{TRIGGERS} WHERE t.kind = $1 AND t.enabled ORDER BY t.id");
    read(on!(store.db(), p => sqlx::query_as(AssertSqlSafe(sql)).bind(kind.as_str()).fetch_all(p).await?))
}

/// The upstream triggers of a project, on or off, inside a write.
///
/// # Errors
/// When the database fails or a row does not read.
pub async fn chains(tx: &mut Tx, project: ProjectId) -> Result<Vec<Trigger>> {
    let sql = format!("{TRIGGERS} WHERE t.kind = 'upstream' AND t.project_id = $1");
    read(on_tx!(tx, c => sqlx::query_as(AssertSqlSafe(sql)).bind(project.0).fetch_all(c).await?))
}

/// Sets when one is due.
///
/// # Errors
/// When the database fails.
pub async fn set_due(tx: &mut Tx, id: TriggerId, at: Option<Timestamp>) -> Result<()> {
    on_tx!(tx, c => {
        sqlx::query("UPDATE triggers SET next_at = $2 WHERE id = $1").bind(id.0).bind(at.map(|t| t.0)).execute(c).await?;
    });
    Ok(())
}

/// Those that are due, the longest due first.
///
/// # Errors
/// When the database fails or a row does not read.
pub async fn due(store: &Store, kind: Kind, now: Timestamp, most: i64) -> Result<Vec<Trigger>> {
    let sql = format!(
        "{TRIGGERS} WHERE t.enabled AND t.next_at IS NOT NULL AND t.next_at <= $1 AND t.kind = $2 ORDER BY t.next_at LIMIT $3 + 0"
    );
    read(on!(store.db(), p => {
        sqlx::query_as(AssertSqlSafe(sql)).bind(now.0).bind(kind.as_str()).bind(most).fetch_all(p).await?
    }))
}

/// When the next one of a kind is due; those that are due already do not count for polls, which take their time.
///
/// # Errors
/// When the database fails.
pub async fn next_due(store: &Store, kind: Kind, now: Timestamp) -> Result<Option<Timestamp>> {
    let sql = "SELECT next_at FROM triggers WHERE enabled AND next_at IS NOT NULL AND kind = $1 AND next_at > $2 \
         ORDER BY next_at LIMIT 1";
    let after = if kind == Kind::Poll { now.0 } else { i64::MIN };
    let at: Option<(i64,)> =
        on!(store.db(), p => sqlx::query_as(sql).bind(kind.as_str()).bind(after).fetch_optional(p).await?);
    Ok(at.map(|(at,)| Timestamp(at)))
}

/// Makes one; `None` when the name is in use.
///
/// # Errors
/// When the database fails.
pub async fn insert(
    tx: &mut Tx,
    project: ProjectId,
    new: &TriggerChange,
    by: Option<UserId>,
    now: Timestamp,
) -> Result<Option<TriggerId>> {
    let text = Texts::of(new)?;
    let made: Option<(i64,)> = on_tx!(tx, c => {
        sqlx::query_as(
            "INSERT INTO triggers (project_id, plan_id, name, kind, hook_id, repository_id, enabled, config, rules, parameters, \
             branch, revision, priority, cursor, next_at, created_by, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) ON CONFLICT DO NOTHING RETURNING id",
        )
        .bind(project.0).bind(new.plan.0).bind(new.name.as_str()).bind(new.config.kind().as_str())
        .bind(new.hook.map(|h| h.0)).bind(text.repository).bind(new.enabled).bind(text.config).bind(text.rules)
        .bind(text.parameters).bind(new.branch.as_deref()).bind(new.revision.as_deref()).bind(new.priority)
        .bind(new.cursor.as_deref()).bind(new.next_at.map(|t| t.0)).bind(by.map(|u| u.0)).bind(now.0)
        .fetch_optional(c).await?
    });
    Ok(made.map(|(id,)| TriggerId(id)))
}

/// Saves one that is at this version; `false` when it is not. How it was is forgotten: it begins anew.
///
/// # Errors
/// When the database fails.
pub async fn update(tx: &mut Tx, id: TriggerId, version: i64, new: &TriggerChange) -> Result<bool> {
    let text = Texts::of(new)?;
    let row: Option<(i64,)> = on_tx!(tx, c => {
        sqlx::query_as(
            "UPDATE triggers SET plan_id = $3, name = $4, hook_id = $5, repository_id = $6, enabled = $7, config = $8, rules = $9, \
             parameters = $10, branch = $11, revision = $12, priority = $13, cursor = $14, next_at = $15, health = 'waiting', \
             health_said = NULL, health_since = NULL, version = version + 1 WHERE id = $1 AND version = $2 RETURNING id",
        )
        .bind(id.0).bind(version).bind(new.plan.0).bind(new.name.as_str()).bind(new.hook.map(|h| h.0)).bind(text.repository)
        .bind(new.enabled).bind(text.config).bind(text.rules).bind(text.parameters).bind(new.branch.as_deref())
        .bind(new.revision.as_deref()).bind(new.priority).bind(new.cursor.as_deref()).bind(new.next_at.map(|t| t.0))
        .fetch_optional(c).await?
    });
    Ok(row.is_some())
}

/// The trigger that has a name.
///
/// # Errors
/// When the database fails.
pub async fn named(tx: &mut Tx, project: ProjectId, name: &str) -> Result<Option<TriggerId>> {
    let sql = "SELECT id FROM triggers WHERE project_id = $1 AND name = $2";
    let row: Option<(i64,)> = on_tx!(tx, c => sqlx::query_as(sql).bind(project.0).bind(name).fetch_optional(c).await?);
    Ok(row.map(|(id,)| TriggerId(id)))
}

/// Moves one that is at this version; `false` when somebody saved or removed it meanwhile.
///
/// # Errors
/// When the database fails.
pub async fn moved(tx: &mut Tx, id: TriggerId, version: i64, to: &Moved, now: Timestamp) -> Result<bool> {
    let row: Option<(i64,)> = on_tx!(tx, c => {
        sqlx::query_as(
            "UPDATE triggers SET cursor = $3, next_at = $4, health_since = CASE WHEN health = $5 THEN COALESCE(health_since, $7) \
             ELSE $7 END, health = $5, health_said = $6, looked_at = $7 WHERE id = $1 AND version = $2 RETURNING id",
        )
        .bind(id.0).bind(version).bind(to.cursor.as_deref()).bind(to.next_at.map(|t| t.0)).bind(word(to.health))
        .bind(to.said.as_deref()).bind(now.0).fetch_optional(c).await?
    });
    Ok(row.is_some())
}

/// Removes one with its firings; its hook, or `None` when there was no such trigger.
///
/// # Errors
/// When the database fails.
pub async fn remove(tx: &mut Tx, project: ProjectId, id: TriggerId) -> Result<Option<Option<HookId>>> {
    let row: Option<(Option<i64>,)> = on_tx!(tx, c => {
        sqlx::query_as("DELETE FROM triggers WHERE project_id = $1 AND id = $2 RETURNING hook_id")
            .bind(project.0).bind(id.0).fetch_optional(c).await?
    });
    Ok(row.map(|(hook,)| hook.map(HookId)))
}

/// The parts that are stored as texts.
struct Texts {
    config: String,
    rules: String,
    parameters: String,
    repository: Option<i64>,
}

impl Texts {
    fn of(new: &TriggerChange) -> Result<Self> {
        let bad = |e: serde_json::Error| Error::corrupt("triggers", e);
        let repository: Option<RepositoryId> = match &new.config {
            Config::Poll(poll) => poll.repository_id,
            Config::Cron(_) | Config::Webhook(_) | Config::Upstream(_) => None,
        };
        Ok(Self {
            config: new.config.saved().to_string(),
            rules: serde_json::to_string(&new.rules).map_err(bad)?,
            parameters: serde_json::to_string(&new.parameters).map_err(bad)?,
            repository: repository.map(|r| r.0),
        })
    }
}
