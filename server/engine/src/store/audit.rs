//! The audit log: who did what from where, each row chained to the one before by a hash.
//!
//! **Invariant:** rows are only ever added, in the transaction of what they tell; a changed or missing row breaks the chain
//! at its place. No secret value is in them.

use super::batch::Each;
use super::{Batch, Result, Store, Tx, on, on_tx};
use domain::Timestamp;
use domain::auth::{Via, Viewer};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// An entry to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// `user`, `token`, `cli`, `agent` or `nobody`.
    pub actor_kind: &'static str,
    /// Their id, if known.
    pub actor_id: Option<i64>,
    /// Their name, if known.
    pub actor_name: Option<String>,
    /// Where from, if known.
    pub ip: Option<String>,
    /// What, as `session.begin`, `token.create`, `user.create`.
    pub action: &'static str,
    /// The kind of thing it was done to.
    pub object: Option<&'static str>,
    /// Its id.
    pub object_id: Option<i64>,
    /// What it became, in few words.
    pub after: Option<String>,
    /// `ok`, or why not in a word.
    pub result: &'static str,
}

impl Entry {
    /// An entry for something a viewer did.
    #[must_use]
    pub fn by(viewer: &Viewer, at: Timestamp, action: &'static str) -> Self {
        let actor_kind = match viewer.via {
            Via::Session => "user",
            Via::Token => "token",
            Via::Cli => "cli",
        };
        let actor_id = (viewer.via != Via::Cli).then_some(viewer.user.0);
        Self {
            at,
            actor_kind,
            actor_id,
            actor_name: Some(viewer.name.clone()),
            action,
            result: "ok",
            ..Self::default()
        }
    }

    /// The same about a thing: what it is, its id, and its name.
    #[must_use]
    pub fn about(self, object: &'static str, id: i64, name: impl Into<String>) -> Self {
        Self {
            object: Some(object),
            object_id: Some(id),
            after: Some(name.into()),
            ..self
        }
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    seq: i64,
    at: i64,
    actor_kind: String,
    actor_id: Option<i64>,
    actor_name: Option<String>,
    ip: Option<String>,
    action: String,
    object: Option<String>,
    object_id: Option<i64>,
    after: Option<String>,
    result: String,
    prev_hash: String,
    hash: String,
}

const ENTRY: Each = Each {
    order: 20,
    sqlite: "INSERT INTO audit (at, actor_kind, actor_id, actor_name, ip, action, object, object_id, after, result, prev_hash, hash) \
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, \
        value ->> 8, value ->> 9, value ->> 10, value ->> 11 FROM json_each($1)",
    postgres: "INSERT INTO audit (at, actor_kind, actor_id, actor_name, ip, action, object, object_id, after, result, prev_hash, hash) \
        VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12)",
    key: None,
};

/// The hash of a row: of everything in it, unambiguously, and the hash before.
fn chained(r: &Row) -> String {
    let fields = (
        &r.prev_hash,
        r.at,
        &r.actor_kind,
        r.actor_id,
        &r.actor_name,
        &r.ip,
        &r.action,
        (&r.object, r.object_id, &r.after, &r.result),
    );
    let text = serde_json::to_string(&fields).unwrap_or_default();
    Sha256::digest(text.as_bytes())
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

impl Tx {
    /// Adds an entry to the chain.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit(&mut self, e: Entry) -> Result<()> {
        let last = match self.kept_audit() {
            Some(hash) => hash,
            None => {
                let found: Option<String> = on_tx!(self, c => sqlx::query_scalar("SELECT hash FROM audit ORDER BY seq DESC LIMIT 1")
                    .fetch_optional(c).await?);
                found.unwrap_or_default()
            }
        };
        let mut row = Row {
            seq: 0,
            at: e.at.0,
            actor_kind: e.actor_kind.into(),
            actor_id: e.actor_id,
            actor_name: e.actor_name,
            ip: e.ip,
            action: e.action.into(),
            object: e.object.map(Into::into),
            object_id: e.object_id,
            after: e.after,
            result: e.result.into(),
            prev_hash: last,
            hash: String::new(),
        };
        row.hash = chained(&row);
        self.keep_audit(&row.hash);
        let mut batch = Batch::default();
        let values = [
            row.at.into(),
            row.actor_kind.into(),
            row.actor_id.into(),
            row.actor_name.into(),
            row.ip.into(),
            row.action.into(),
            row.object.into(),
            row.object_id.into(),
            row.after.into(),
            row.result.into(),
            row.prev_hash.into(),
            row.hash.into(),
        ];
        batch.each(&ENTRY, values);
        self.later(batch);
        Ok(())
    }
}

impl Store {
    /// Walks the chain; answers the number of the first row that does not fit, and how many rows there are.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_check(&self) -> Result<(u64, Option<i64>)> {
        let sql = "SELECT seq, at, actor_kind, actor_id, actor_name, ip, action, object, object_id, after, result, prev_hash, hash \
                   FROM audit WHERE seq > $1 ORDER BY seq LIMIT 1000";
        let (mut prev, mut after, mut count) = (String::new(), 0, 0);
        loop {
            let rows: Vec<Row> = on!(&self.db, p => sqlx::query_as(sql).bind(after).fetch_all(p).await?);
            if rows.is_empty() {
                return Ok((count, None));
            }
            for row in rows {
                if row.prev_hash != prev || chained(&row) != row.hash {
                    return Ok((count, Some(row.seq)));
                }
                (prev, after) = (row.hash, row.seq);
                count += 1;
            }
        }
    }
}
