//! Plans, their revisions and documents.
//!
//! **Invariant:** a name is unique among the plans that are not archived; a document is stored once, by the digest of its
//! text and of what it resolved to; revisions are only ever added.

use super::{Db, Error, Result, Store, Tx, on, on_tx};
use domain::plan::view::{PlanSummary, PlanView, RevisionView};
use domain::plan::{Plan, Source};
use domain::status::TaskStatus;
use domain::task::TaskRef;
use domain::{PlanId, ProjectId, TaskId, Timestamp, UserId};
use sha2::{Digest, Sha256};
use sqlx::AssertSqlSafe;
use std::collections::HashMap;
use std::fmt::Write as _;

/// Tasks shown beside a plan in a list.
const RECENT: i64 = 30;

/// A document as it is stored: its text, what it resolved to, and the digest of both.
#[derive(Debug, Clone)]
pub struct Document {
    /// SHA-256 of text and resolved plan, in hex.
    pub digest: String,
    /// The YAML text.
    pub body: String,
    /// The checked plan as JSON.
    pub resolved: String,
}

impl Document {
    /// A document of a text and the plan that was read from it.
    ///
    /// # Errors
    /// Never in practice: a plan is always JSON.
    pub fn new(body: String, plan: &Plan) -> Result<Self> {
        let resolved = serde_json::to_string(plan).map_err(|e| Error::corrupt("documents", e))?;
        let mut hash = Sha256::new();
        // A later version may resolve the same text to more; both belong to what a task has run.
        hash.update((body.len() as u64).to_be_bytes());
        hash.update(body.as_bytes());
        hash.update(resolved.as_bytes());
        let digest = hash.finalize().iter().fold(String::with_capacity(64), |mut s, b| {
            let _ = write!(s, "{b:02x}");
            s
        });
        Ok(Self { digest, body, resolved })
    }
}

/// What a plan becomes.
#[derive(Debug, Clone)]
pub struct PlanChange {
    /// Its name, as the document says.
    pub name: String,
    /// One line about it; unchanged when absent.
    pub description: Option<String>,
    /// Whether it may run; unchanged when absent.
    pub enabled: Option<bool>,
    /// Its document.
    pub document: Document,
    /// Who.
    pub author: Option<UserId>,
    /// What changed and why.
    pub message: String,
}

/// What stands in a plan's row, for a save.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct PlanState {
    /// Its present name.
    pub name: String,
    /// Its present version.
    pub version: i64,
    /// Number of its current revision.
    pub revision: i64,
    /// Digest of its current document.
    pub digest: String,
    /// Who saved that, if a user did.
    pub author: Option<String>,
}

#[derive(sqlx::FromRow)]
struct PlanRow {
    id: i64,
    name: String,
    description: String,
    enabled: bool,
    revision: i64,
    created_at: i64,
    saved_at: i64,
    version: i64,
    resolved: String,
    /// Only where one plan is asked for.
    body: Option<String>,
}

/// What of a resolved plan a list shows.
#[derive(serde::Deserialize)]
struct Resolved {
    source: Option<Source>,
    #[serde(default)]
    file: Option<String>,
    jobs: Vec<JobHead>,
}

#[derive(serde::Deserialize)]
struct JobHead {
    key: String,
}

impl PlanRow {
    fn summary(self, recent: Vec<TaskRef>) -> Result<PlanSummary> {
        let resolved: Resolved = serde_json::from_str(&self.resolved).map_err(|e| Error::corrupt("documents", e))?;
        Ok(PlanSummary {
            id: PlanId(self.id),
            name: self.name,
            description: self.description,
            enabled: self.enabled,
            revision: self.revision,
            source: resolved.source,
            file: resolved.file,
            jobs: resolved.jobs.into_iter().map(|j| j.key).collect(),
            created_at: Timestamp(self.created_at),
            saved_at: Timestamp(self.saved_at),
            recent,
            version: self.version,
        })
    }
}

#[derive(sqlx::FromRow)]
struct RecentRow {
    id: i64,
    plan_id: i64,
    status: String,
    created_at: i64,
    started_at: Option<i64>,
    finished_at: Option<i64>,
    message: Option<String>,
}

const FROM: &str = "FROM plans p JOIN plan_revisions r ON r.plan_id = p.id AND r.number = p.revision \
     JOIN documents d ON d.digest = r.digest WHERE p.archived_at IS NULL";
const COLUMNS: &str =
    "p.id, p.name, p.description, p.enabled, p.revision, p.created_at, p.saved_at, p.version, d.resolved";

impl Store {
    /// A page of a project's plans, newest first, one more than `limit` when there is a next page. `like` filters by text
    /// in name and description.
    ///
    /// # Errors
    /// When the database fails or a row does not read.
    pub async fn plans(
        &self,
        project: ProjectId,
        like: Option<&str>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<PlanSummary>> {
        let sql = AssertSqlSafe(format!(
            "SELECT {COLUMNS}, NULL AS body {FROM} AND p.project_id = $1 AND p.id < $2 \
             AND (LOWER(p.name) LIKE $3 ESCAPE '\\' OR LOWER(p.description) LIKE $3 ESCAPE '\\') \
             ORDER BY p.id DESC LIMIT $4 + 0"
        ));
        let like = pattern(like.unwrap_or_default());
        let (before, limit) = (before.unwrap_or(i64::MAX), i64::from(limit) + 1);
        let rows: Vec<PlanRow> = on!(&self.db, p => {
            sqlx::query_as(sql).bind(project.0).bind(before).bind(like).bind(limit).fetch_all(p).await?
        });
        let ids: Vec<i64> = rows.iter().map(|r| r.id).collect();
        let mut recent = self.recent_tasks(&ids).await?;
        rows.into_iter()
            .map(|r| {
                let own = recent.remove(&r.id).unwrap_or_default();
                r.summary(own)
            })
            .collect()
    }

    /// One plan with its document; `None` when there is none or it is archived.
    ///
    /// # Errors
    /// When the database fails or the row does not read.
    pub async fn plan(&self, project: ProjectId, id: PlanId) -> Result<Option<PlanView>> {
        let sql = AssertSqlSafe(format!(
            "SELECT {COLUMNS}, d.body AS body {FROM} AND p.project_id = $1 AND p.id = $2"
        ));
        let row: Option<PlanRow> =
            on!(&self.db, p => sqlx::query_as(sql).bind(project.0).bind(id.0).fetch_optional(p).await?);
        let Some(mut row) = row else { return Ok(None) };
        let recent = self.recent_tasks(&[id.0]).await?.remove(&id.0).unwrap_or_default();
        let document = row.body.take().unwrap_or_default();
        Ok(Some(PlanView {
            summary: row.summary(recent)?,
            document,
        }))
    }

    /// The newest tasks of each plan, newest first: one query for all, each plan's share read off its index.
    async fn recent_tasks(&self, plans: &[i64]) -> Result<HashMap<i64, Vec<TaskRef>>> {
        if plans.is_empty() {
            return Ok(HashMap::new());
        }
        const WANTED: &str = "t.id, t.plan_id, t.status, t.created_at, t.started_at, t.finished_at, SUBSTR(t.message, 1, 300) AS message";
        let sql = match &self.db {
            Db::Sqlite(_) => format!(
                "SELECT {WANTED} FROM json_each($1) p CROSS JOIN tasks t \
                 WHERE t.id IN (SELECT n.id FROM tasks n WHERE n.plan_id = p.value ORDER BY n.id DESC LIMIT {RECENT})"
            ),
            Db::Postgres(_) => format!(
                "SELECT {WANTED} FROM json_array_elements_text($1::json) p CROSS JOIN LATERAL \
                 (SELECT * FROM tasks n WHERE n.plan_id = p.value::bigint ORDER BY n.id DESC LIMIT {RECENT}) t"
            ),
        };
        let ids = serde_json::to_string(plans).map_err(|e| Error::corrupt("plans", e))?;
        let mut rows: Vec<RecentRow> =
            on!(&self.db, p => sqlx::query_as(AssertSqlSafe(sql)).bind(ids).fetch_all(p).await?);
        rows.sort_by_key(|r| std::cmp::Reverse(r.id));
        let mut by_plan: HashMap<i64, Vec<TaskRef>> = HashMap::new();
        for r in rows {
            let status: TaskStatus = r.status.parse().map_err(|e| Error::corrupt("tasks", e))?;
            let message = r.message.unwrap_or_default();
            by_plan.entry(r.plan_id).or_default().push(TaskRef {
                id: TaskId(r.id),
                status,
                created_at: Timestamp(r.created_at),
                started_at: r.started_at.map(Timestamp),
                finished_at: r.finished_at.map(Timestamp),
                message: message.lines().next().unwrap_or_default().to_owned(),
            });
        }
        Ok(by_plan)
    }

    /// A plan's revisions, newest first, one more than `limit` when there is a next page; `before` is a revision's number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn plan_revisions(&self, id: PlanId, before: Option<i64>, limit: u32) -> Result<Vec<RevisionView>> {
        let sql = "SELECT r.number, d.body, u.name, r.message, r.created_at FROM plan_revisions r \
             JOIN documents d ON d.digest = r.digest LEFT JOIN users u ON u.id = r.author_id \
             WHERE r.plan_id = $1 AND r.number < $2 ORDER BY r.number DESC LIMIT $3 + 0";
        let (before, limit) = (before.unwrap_or(i64::MAX), i64::from(limit) + 1);
        let rows: Vec<(i64, String, Option<String>, String, i64)> = on!(&self.db, p => {
            sqlx::query_as(sql).bind(id.0).bind(before).bind(limit).fetch_all(p).await?
        });
        let view = |(number, document, author, message, at)| RevisionView {
            number,
            document,
            author,
            message,
            created_at: Timestamp(at),
        };
        Ok(rows.into_iter().map(view).collect())
    }

    /// Whether there is such a plan, not archived.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_plan(&self, project: ProjectId, id: PlanId) -> Result<bool> {
        let sql = "SELECT id FROM plans WHERE id = $1 AND project_id = $2 AND archived_at IS NULL";
        let row: Option<(i64,)> =
            on!(&self.db, p => sqlx::query_as(sql).bind(id.0).bind(project.0).fetch_optional(p).await?);
        Ok(row.is_some())
    }
}

impl Store {
    /// The names of plans, archived ones too.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn plan_names(&self, plans: &[PlanId]) -> Result<HashMap<PlanId, String>> {
        if plans.is_empty() {
            return Ok(HashMap::new());
        }
        let ids = plans.iter().map(|p| p.0.to_string()).collect::<Vec<_>>().join(",");
        let sql = format!("SELECT id, name FROM plans WHERE id IN ({ids})");
        let rows: Vec<(i64, String)> = on!(&self.db, p => sqlx::query_as(AssertSqlSafe(sql)).fetch_all(p).await?);
        Ok(rows.into_iter().map(|(id, name)| (PlanId(id), name)).collect())
    }
}

/// `LIKE` for a text anywhere, with its own signs taken literally.
pub(super) fn pattern(text: &str) -> String {
    format!(
        "%{}%",
        text.to_lowercase()
            .replace('\\', "\\\\")
            .replace('%', "\\%")
            .replace('_', "\\_")
    )
}

impl Tx {
    /// A plan's name, archived or not.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn plan_name(&mut self, id: PlanId) -> Result<Option<String>> {
        let sql = "SELECT name FROM plans WHERE id = $1";
        Ok(on_tx!(self, c => sqlx::query_scalar(sql).bind(id.0).fetch_optional(c).await?))
    }

    /// The plan that has a name, if any.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn plan_named(&mut self, project: ProjectId, name: &str) -> Result<Option<PlanId>> {
        let sql = "SELECT id FROM plans WHERE project_id = $1 AND name = $2 AND archived_at IS NULL";
        let row: Option<(i64,)> =
            on_tx!(self, c => sqlx::query_as(sql).bind(project.0).bind(name).fetch_optional(c).await?);
        Ok(row.map(|r| PlanId(r.0)))
    }

    /// A plan as it stands; `None` when there is none or it is archived.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn plan_state(&mut self, project: ProjectId, id: PlanId) -> Result<Option<PlanState>> {
        let sql = "SELECT p.name, p.version, p.revision, r.digest, u.name AS author FROM plans p \
             JOIN plan_revisions r ON r.plan_id = p.id AND r.number = p.revision \
             LEFT JOIN users u ON u.id = r.author_id \
             WHERE p.id = $1 AND p.project_id = $2 AND p.archived_at IS NULL";
        Ok(on_tx!(self, c => sqlx::query_as(sql).bind(id.0).bind(project.0).fetch_optional(c).await?))
    }

    /// Makes a plan with its first revision.
    ///
    /// # Errors
    /// `Conflict` when the name is in use.
    pub async fn insert_plan(&mut self, project: ProjectId, plan: &PlanChange, now: Timestamp) -> Result<PlanId> {
        let sql = "INSERT INTO plans (project_id, name, description, enabled, revision, created_at, saved_at) \
             VALUES ($1,$2,$3,$4,1,$5,$5) RETURNING id";
        let (id,): (i64,) = on_tx!(self, c => {
            sqlx::query_as(sql)
                .bind(project.0)
                .bind(&plan.name)
                .bind(plan.description.as_deref().unwrap_or_default())
                .bind(plan.enabled.unwrap_or(true))
                .bind(now.0)
                .fetch_one(c)
                .await?
        });
        self.insert_revision(PlanId(id), 1, plan, now).await?;
        Ok(PlanId(id))
    }

    /// Saves a plan over the version it was read at; `revision` is the number it has afterwards, and a new one when it is
    /// not the present one. `false` when the version is stale.
    ///
    /// # Errors
    /// `Conflict` when the name is in use.
    pub async fn update_plan(
        &mut self,
        id: PlanId,
        version: i64,
        present: &PlanState,
        plan: &PlanChange,
        now: Timestamp,
    ) -> Result<bool> {
        let new = present.digest != plan.document.digest;
        let revision = present.revision + i64::from(new);
        let sql = "UPDATE plans SET name = $3, description = COALESCE($4, description), enabled = COALESCE($5, enabled), \
             revision = $6, saved_at = CASE WHEN revision = $6 THEN saved_at ELSE $7 END, version = version + 1 \
             WHERE id = $1 AND version = $2 AND archived_at IS NULL";
        let changed = on_tx!(self, c => {
            sqlx::query(sql)
                .bind(id.0)
                .bind(version)
                .bind(&plan.name)
                .bind(&plan.description)
                .bind(plan.enabled)
                .bind(revision)
                .bind(now.0)
                .execute(c)
                .await?
                .rows_affected()
        });
        if changed == 1 && new {
            self.insert_revision(id, revision, plan, now).await?;
        }
        Ok(changed == 1)
    }

    /// Keeps a document, once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn keep_document(&mut self, d: &Document) -> Result<()> {
        let document =
            "INSERT INTO documents (digest, body, resolved) VALUES ($1,$2,$3) ON CONFLICT (digest) DO NOTHING";
        on_tx!(self, c => {
            sqlx::query(document).bind(&d.digest).bind(&d.body).bind(&d.resolved).execute(c).await?;
        });
        Ok(())
    }

    async fn insert_revision(&mut self, id: PlanId, number: i64, plan: &PlanChange, now: Timestamp) -> Result<()> {
        let d = &plan.document;
        self.keep_document(d).await?;
        let revision = "INSERT INTO plan_revisions (plan_id, number, digest, author_id, message, created_at) \
             VALUES ($1,$2,$3,$4,$5,$6)";
        on_tx!(self, c => {
            sqlx::query(revision)
                .bind(id.0)
                .bind(number)
                .bind(&d.digest)
                .bind(plan.author.map(|u| u.0))
                .bind(&plan.message)
                .bind(now.0)
                .execute(c)
                .await?;
        });
        Ok(())
    }

    /// Takes a plan out of lists and frees its name. Its name, or `None` when there is no such plan.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn archive_plan(&mut self, project: ProjectId, id: PlanId, now: Timestamp) -> Result<Option<String>> {
        let sql = "UPDATE plans SET archived_at = $3, version = version + 1 \
             WHERE id = $1 AND project_id = $2 AND archived_at IS NULL RETURNING name";
        let row: Option<(String,)> =
            on_tx!(self, c => sqlx::query_as(sql).bind(id.0).bind(project.0).bind(now.0).fetch_optional(c).await?);
        Ok(row.map(|r| r.0))
    }
}
