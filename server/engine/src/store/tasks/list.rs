//! Which tasks a filter finds, newest first, by key and never by offset.
//!
//! **Invariant:** a page costs the same at a thousand and at a hundred thousand tasks: each part of a list follows an index
//! and stops when the page is full. Several plans, or several states, are as many parts, merged.

use crate::store::{Result, Store, on};
use domain::task::TaskQuery;
use domain::{ProjectId, TaskId};
use sqlx::{AssertSqlSafe, QueryBuilder, Row};
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// A task found by a filter: enough to know whether a view of it that was read before is still right.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its id.
    pub id: TaskId,
    /// Its version.
    pub version: i64,
    /// The plan's name, which may change after the task has ended.
    pub plan: String,
}

/// What one part of a list is narrowed to.
#[derive(Debug, Clone)]
struct Part {
    project: ProjectId,
    plan: Option<i64>,
    status: Vec<String>,
    before: Option<i64>,
    limit: i64,
}

/// A page of tasks, newest first, one more than asked for when there is a next page.
///
/// # Errors
/// `Refused` when limit or cursor are wrong; when the database fails.
pub async fn list(store: &Store, project: ProjectId, q: &TaskQuery) -> Result<Vec<Listed>> {
    let (limit, before) = (i64::from(q.page.limit()?) + 1, q.page.before()?);
    let word = |w: &String| {
        if w == "waiting" {
            "pending".to_owned()
        } else {
            w.clone()
        }
    };
    let status: BTreeSet<String> = q.status.iter().map(word).collect();
    let part = Part {
        project,
        plan: None,
        status: status.iter().cloned().collect(),
        before,
        limit,
    };
    let parts: Vec<Part> = if !q.plan.is_empty() {
        let plans = plans(store, project, &q.plan).await?;
        plans
            .into_iter()
            .map(|p| Part {
                plan: Some(p),
                ..part.clone()
            })
            .collect()
    } else if status.len() > 1 {
        status
            .into_iter()
            .map(|s| Part {
                status: vec![s],
                ..part.clone()
            })
            .collect()
    } else {
        vec![part]
    };
    let mut found = Vec::new();
    for part in &parts {
        found.extend(read(store, part, q).await?);
    }
    if parts.len() > 1 {
        found.sort_unstable_by_key(|l| Reverse(l.id));
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    Ok(found)
}

/// Ids of plans given by id or name, also of those that are archived.
async fn plans(store: &Store, project: ProjectId, wanted: &[String]) -> Result<BTreeSet<i64>> {
    let mut ids: BTreeSet<i64> = wanted.iter().filter_map(|w| w.parse().ok()).collect();
    let holes: Vec<String> = (0..wanted.len()).map(|i| format!("${}", i + 2)).collect();
    let sql = format!(
        "SELECT id FROM plans WHERE project_id = $1 AND name IN ({})",
        holes.join(",")
    );
    let named: Vec<i64> = on!(store.db(), p => {
        let mut query = sqlx::query_scalar(AssertSqlSafe(sql)).bind(project.0);
        for w in wanted {
            query = query.bind(w);
        }
        query.fetch_all(p).await?
    });
    ids.extend(named);
    Ok(ids)
}

async fn read(store: &Store, part: &Part, q: &TaskQuery) -> Result<Vec<Listed>> {
    macro_rules! build {
        ($p:expr) => {{
            let mut b = QueryBuilder::new(
                "SELECT t.id, t.version, p.name FROM tasks t JOIN plans p ON p.id = t.plan_id WHERE ",
            );
            if let Some(plan) = part.plan {
                b.push("t.plan_id = ").push_bind(plan).push(" AND ");
            }
            // A sum has no index: a plan's, or a build's, is narrower than the project's.
            let narrower = part.plan.is_some() || !q.build.is_empty();
            b.push(if narrower {
                "t.project_id + 0 = "
            } else {
                "t.project_id = "
            });
            b.push_bind(part.project.0);
            if let Some(before) = part.before {
                b.push(" AND t.id < ").push_bind(before);
            }
            any_of(&mut b, "t.status", &part.status);
            any_of(&mut b, "t.branch", &q.branch);
            any_of(&mut b, "t.build", &q.build);
            any_of(&mut b, "t.cause_kind", &q.cause);
            if !q.agent.is_empty() {
                let (ids, names) = ids_and_names(&q.agent);
                b.push(
                    " AND EXISTS (SELECT 1 FROM jobs j JOIN attempts a ON a.job_id = j.id AND a.number = j.attempt \
                     WHERE j.task_id = t.id AND (a.agent_id IN (SELECT id FROM agents WHERE name IN (",
                );
                push_all(&mut b, names);
                b.push(")) OR a.agent_id IN (");
                push_all(&mut b, ids);
                b.push(")))");
            }
            if let Some(text) = q.q.as_deref().map(str::trim).filter(|t| !t.is_empty()) {
                if let Ok(id) = text.trim_start_matches('#').parse::<i64>() {
                    b.push(" AND t.id = ").push_bind(id);
                } else {
                    let like = format!(
                        "%{}%",
                        text.to_lowercase()
                            .replace('\\', "\\\\")
                            .replace('%', "\\%")
                            .replace('_', "\\_")
                    );
                    b.push(" AND (");
                    for (i, column) in ["t.message", "t.author", "t.branch", "t.revision", "t.build"]
                        .iter()
                        .enumerate()
                    {
                        b.push(if i == 0 { "" } else { " OR " });
                        b.push(format!("LOWER({column}) LIKE "))
                            .push_bind(like.clone())
                            .push(" ESCAPE '\\'");
                    }
                    b.push(" OR t.plan_id IN (SELECT id FROM plans WHERE LOWER(name) LIKE ");
                    b.push_bind(like).push(" ESCAPE '\\'))");
                }
            }
            b.push(" ORDER BY t.id DESC LIMIT ").push_bind(part.limit).push(" + 0");
            let rows = b.build().fetch_all($p).await?;
            rows.iter()
                .map(|r| Listed {
                    id: TaskId(r.get(0)),
                    version: r.get(1),
                    plan: r.get(2),
                })
                .collect()
        }};
    }
    macro_rules! generic {
        ($db:ty) => {
            fn any_of(b: &mut QueryBuilder<$db>, column: &str, values: &[String]) {
                if !values.is_empty() {
                    b.push(format!(" AND {column} IN ("));
                    push_all(b, values.to_vec());
                    b.push(")");
                }
            }
            fn push_all<T: for<'q> sqlx::Encode<'q, $db> + sqlx::Type<$db> + Send + 'static>(
                b: &mut QueryBuilder<$db>,
                values: Vec<T>,
            ) {
                let mut s = b.separated(", ");
                for v in values {
                    s.push_bind(v);
                }
            }
        };
    }
    Ok(match store.db() {
        crate::store::Db::Sqlite(readers) => {
            generic!(sqlx::Sqlite);
            build!(&mut *readers.take().await?)
        }
        crate::store::Db::Postgres(p) => {
            generic!(sqlx::Postgres);
            build!(p)
        }
    })
}

/// A filter takes ids and names alike; an empty side matches nothing.
fn ids_and_names(values: &[String]) -> (Vec<i64>, Vec<String>) {
    let mut ids: Vec<i64> = values.iter().filter_map(|v| v.parse().ok()).collect();
    if ids.is_empty() {
        ids.push(-1);
    }
    (ids, values.to_vec())
}
