//! Users and their grants.
//!
//! **Invariant:** names are unique whatever their case; a user who is disabled is nobody's identity.

use super::{Error, Result, Store, Tx, on, on_tx};
use domain::auth::{Grant, Role};
use domain::ports::UserView;
use domain::{ProjectId, Timestamp, UserId};

/// A user as sign-in needs them.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Account {
    /// Their id.
    pub id: i64,
    /// Their name as written.
    pub name: String,
    /// PHC string; `None` when they sign in some other way.
    pub password_hash: Option<String>,
    /// Since when they may not sign in, milliseconds.
    pub disabled_at: Option<i64>,
    /// Rises whenever their rights change.
    pub authz_epoch: i64,
}

#[derive(sqlx::FromRow)]
struct UserRow {
    id: i64,
    name: String,
    disabled_at: Option<i64>,
    created_at: i64,
    roles: Option<String>,
}

impl UserRow {
    fn view(self) -> Result<UserView> {
        let roles = self.roles.as_deref().unwrap_or("").split(',').filter(|w| !w.is_empty());
        let roles = roles.map(role).collect::<Result<Vec<_>>>()?;
        Ok(UserView {
            id: UserId(self.id),
            name: self.name,
            role: roles.into_iter().max(),
            disabled_at: self.disabled_at.map(Timestamp),
            created_at: Timestamp(self.created_at),
        })
    }
}

pub(super) fn role(word: &str) -> Result<Role> {
    word.parse().map_err(|e: String| Error::corrupt("grants", e))
}

/// Rows of one user's grants as a list; the row of a user without any has neither.
pub(super) fn grants(rows: impl Iterator<Item = (Option<i64>, Option<String>)>) -> Result<Vec<Grant>> {
    rows.filter_map(|(project, word)| {
        word.map(|w| {
            Ok(Grant {
                project: project.map(ProjectId),
                role: role(&w)?,
            })
        })
    })
    .collect()
}

/// Which grants are a user's: their own and their teams'.
pub(super) const GRANTS_OF_U: &str = "LEFT JOIN grants g ON g.user_id = u.id \
     OR g.team_id IN (SELECT m.team_id FROM team_members m WHERE m.user_id = u.id)";

const LIST: &str = "SELECT u.id, u.name, u.disabled_at, u.created_at, \
     (SELECT string_agg(g.role, ',') FROM grants g WHERE g.user_id = u.id \
        OR g.team_id IN (SELECT m.team_id FROM team_members m WHERE m.user_id = u.id)) AS roles FROM users u";

impl Store {
    /// The account of that name, whatever its case.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn account(&self, name: &str) -> Result<Option<Account>> {
        let sql = "SELECT id, name, password_hash, disabled_at, authz_epoch FROM users WHERE lower(name) = lower($1)";
        Ok(on!(&self.db, p => sqlx::query_as(sql).bind(name).fetch_optional(p).await?))
    }

    /// Every user, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn users(&self) -> Result<Vec<UserView>> {
        let sql = sqlx::AssertSqlSafe(format!("{LIST} ORDER BY lower(u.name)"));
        let rows: Vec<UserRow> = on!(&self.db, p => sqlx::query_as(sql).fetch_all(p).await?);
        rows.into_iter().map(UserRow::view).collect()
    }

    /// One user.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user(&self, id: UserId) -> Result<Option<UserView>> {
        let sql = sqlx::AssertSqlSafe(format!("{LIST} WHERE u.id = $1"));
        let row: Option<UserRow> = on!(&self.db, p => sqlx::query_as(sql).bind(id.0).fetch_optional(p).await?);
        row.map(UserRow::view).transpose()
    }

    /// A user's epoch and grants; `None` when they are disabled or gone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rights(&self, id: UserId) -> Result<Option<(i64, Vec<Grant>)>> {
        let sql = sqlx::AssertSqlSafe(format!(
            "SELECT u.authz_epoch, g.project_id, g.role FROM users u {GRANTS_OF_U} WHERE u.id = $1 AND u.disabled_at IS NULL"
        ));
        let rows: Vec<(i64, Option<i64>, Option<String>)> =
            on!(&self.db, p => sqlx::query_as(sql).bind(id.0).fetch_all(p).await?);
        let Some(epoch) = rows.first().map(|r| r.0) else {
            return Ok(None);
        };
        Ok(Some((epoch, grants(rows.into_iter().map(|r| (r.1, r.2)))?)))
    }

    /// Whether anybody is an admin of everything.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_admin(&self) -> Result<bool> {
        let row: Option<(i64,)> = on!(&self.db, p => sqlx::query_as(ADMIN).fetch_optional(p).await?);
        Ok(row.is_some())
    }
}

const ADMIN: &str = "SELECT id FROM grants WHERE role = 'admin' AND project_id IS NULL LIMIT 1";

impl Tx {
    /// As `Store::has_admin`, inside the write.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_admin(&mut self) -> Result<bool> {
        let row: Option<(i64,)> = on_tx!(self, c => sqlx::query_as(ADMIN).fetch_optional(c).await?);
        Ok(row.is_some())
    }

    /// Makes a user with a role in every project.
    ///
    /// # Errors
    /// `Conflict` when the name is in use.
    pub async fn insert_user(&mut self, name: &str, password_hash: &str, role: Role, now: Timestamp) -> Result<UserId> {
        let taken: Option<(i64,)> = on_tx!(self, c => {
            sqlx::query_as("SELECT id FROM users WHERE lower(name) = lower($1)").bind(name).fetch_optional(c).await?
        });
        if taken.is_some() {
            return Err(Error::Refused(domain::Error::Conflict(format!(
                "There is a user `{name}` already."
            ))));
        }
        let (id,): (i64,) = on_tx!(self, c => {
            sqlx::query_as("INSERT INTO users (name, password_hash, created_at) VALUES ($1,$2,$3) RETURNING id")
                .bind(name).bind(password_hash).bind(now.0).fetch_one(c).await?
        });
        on_tx!(self, c => {
            sqlx::query("INSERT INTO grants (user_id, role) VALUES ($1,$2)").bind(id).bind(role.as_str()).execute(c).await?;
        });
        Ok(UserId(id))
    }

    /// Stores a hash made anew at today's cost; the password is the same, so sessions stay.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn renew_hash(&mut self, id: UserId, password_hash: &str) -> Result<()> {
        on_tx!(self, c => {
            sqlx::query("UPDATE users SET password_hash = $2 WHERE id = $1").bind(id.0).bind(password_hash).execute(c).await?;
        });
        Ok(())
    }
}
