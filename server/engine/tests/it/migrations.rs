//! Migrations: on an empty database and on a filled one, again and again, alike on both databases.
//!
//! Rows of each table lie in `rows/0001.sql`. Whoever adds migration 0007 adds `rows/0007.sql` with rows of what is new,
//! and the tests here run each migration over the rows of all before it.

use crate::support::{Database, empty_database, on_both};
use engine::store::{Db, Location, Store};
use sqlx::migrate::{Migrate, MigrateDatabase, Migrator};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use std::path::{Path, PathBuf};

on_both!(rows_of_every_table_survive_opening_again, foreign_keys_hold);

fn folder(database: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../migrations")
        .join(database)
}

/// Rows to be put in after the migration of that number.
fn rows_after(version: i64) -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/rows/{version:04}.sql"));
    std::fs::read_to_string(path).ok()
}

/// The migrations of a folder, in order: number, file name, text.
fn files(database: &str) -> Vec<(i64, String, String)> {
    let mut found: Vec<_> = std::fs::read_dir(folder(database))
        .unwrap()
        .map(|f| f.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "sql"))
        .map(|p| {
            let name = p.file_name().unwrap().to_string_lossy().into_owned();
            (
                name.split('_').next().unwrap().parse().unwrap(),
                name,
                std::fs::read_to_string(&p).unwrap(),
            )
        })
        .collect();
    found.sort();
    found
}

async fn run(store: &Store, sql: String) -> Result<(), sqlx::Error> {
    match store.db() {
        Db::Postgres(p) => sqlx::raw_sql(AssertSqlSafe(sql)).execute(p).await.map(|_| ()),
        // Readers may not write: a connection of the test's own, and foreign keys on as in ours.
        Db::Sqlite(p) => {
            let options = p.options().clone().pragma("query_only", "off").foreign_keys(true);
            let mut c = SqliteConnection::connect_with(&options).await?;
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut c).await?;
            c.close().await
        }
    }
}

async fn tables(store: &Store) -> Vec<String> {
    let mut names: Vec<String> = match store.db() {
        Db::Sqlite(p) => {
            sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
                .fetch_all(&mut *p.take().await.unwrap())
                .await
        }
        Db::Postgres(p) => {
            sqlx::query_scalar("SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'")
                .fetch_all(p)
                .await
        }
    }
    .unwrap();
    names.retain(|n| !n.starts_with('_'));
    names.sort();
    names
}

async fn count(store: &Store, table: &str) -> i64 {
    let sql = AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
    match store.db() {
        Db::Sqlite(p) => sqlx::query_scalar(sql)
            .fetch_one(&mut *p.take().await.unwrap())
            .await
            .unwrap(),
        Db::Postgres(p) => sqlx::query_scalar(sql).fetch_one(p).await.unwrap(),
    }
}

async fn rows_of_every_table_survive_opening_again(database: Database) {
    let store = database.open().await;
    for (version, ..) in files("sqlite") {
        if let Some(rows) = rows_after(version) {
            run(&store, rows).await.unwrap();
        }
    }
    let before = tables(&store).await;
    let mut counts = Vec::new();
    for table in &before {
        counts.push(count(&store, table).await);
        assert!(
            counts.last() > Some(&0),
            "no row of `{table}` in tests/it/rows: add one"
        );
    }
    drop(store);
    // Opened again, all migrations have nothing to do.
    let store = database.open().await;
    assert_eq!(tables(&store).await, before);
    for (table, before) in before.iter().zip(counts) {
        assert_eq!(count(&store, table).await, before, "{table}");
    }
    // And the rows read as ours.
    let tasks = engine::store::tasks::list(&store, domain::ProjectId::DEFAULT, &Default::default())
        .await
        .unwrap();
    let ids: Vec<_> = tasks.iter().map(|t| t.id).collect();
    assert_eq!(
        engine::store::tasks::views(&store, &ids).await.unwrap().len(),
        ids.len()
    );
    assert_eq!(engine::store::agents::list(&store).await.unwrap().len(), 2);
    assert_eq!(store.users().await.unwrap().len(), 1);
    assert!(store.event_bounds().await.unwrap().0 > 0);
}

async fn foreign_keys_hold(database: Database) {
    let store = database.open().await;
    run(&store, rows_after(1).unwrap()).await.unwrap();
    for sql in [
        "DELETE FROM plans",
        "DELETE FROM users",
        "DELETE FROM jobs",
        "INSERT INTO steps (attempt_id, kind, ordinal, name, status) VALUES (99, 'step', 9, 'x', 'pending')",
        "INSERT INTO steps (attempt_id, kind, ordinal, name, status) VALUES (1, 'other', 9, 'x', 'pending')",
        "UPDATE attempts SET agent_id = 99",
    ] {
        assert!(run(&store, sql.to_owned()).await.is_err(), "{sql}");
    }
}

/// Each migration is run over the rows of all before it, and a second time as a no-op.
#[tokio::test]
async fn each_migration_runs_over_a_filled_database() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}?mode=rwc", dir.path().join("filled.db").display());
    sqlx::Sqlite::create_database(&url).await.unwrap();
    let mut sqlite = SqliteConnection::connect(&url).await.unwrap();
    one_by_one(&mut sqlite, &folder("sqlite")).await;
    if let Some(Location::Postgres(url)) = empty_database().await {
        let mut postgres = PgConnection::connect(&url).await.unwrap();
        one_by_one(&mut postgres, &folder("postgres")).await;
        postgres.close().await.unwrap();
    }
}

async fn one_by_one<C>(c: &mut C, folder: &Path)
where
    C: Migrate + Connection,
    for<'c> &'c mut C: sqlx::Executor<'c, Database = C::Database>,
{
    let migrator = Migrator::new(folder).await.unwrap();
    c.ensure_migrations_table("_sqlx_migrations").await.unwrap();
    for migration in migrator.iter() {
        c.apply("_sqlx_migrations", migration)
            .await
            .unwrap_or_else(|e| panic!("{}: {e}", migration.version));
        if let Some(rows) = rows_after(migration.version) {
            let done = sqlx::Executor::execute(&mut *c, sqlx::raw_sql(AssertSqlSafe(rows))).await;
            done.map(|_| ())
                .unwrap_or_else(|e| panic!("rows after {}: {e}", migration.version));
        }
    }
    let applied = c.list_applied_migrations("_sqlx_migrations").await.unwrap();
    let want: Vec<i64> = migrator.iter().map(|m| m.version).collect();
    assert_eq!(applied.iter().map(|m| m.version).collect::<Vec<_>>(), want);
    migrator.run_direct(None, c, false).await.unwrap();
}

#[test]
fn both_databases_have_the_same_migrations_and_tables() {
    let names = |d| files(d).into_iter().map(|f| (f.0, f.1)).collect::<Vec<_>>();
    assert_eq!(names("sqlite"), names("postgres"));
    let [sqlite, postgres] = Store::migrations();
    assert_eq!(sqlite, postgres);
    assert_eq!(sqlite.len(), files("sqlite").len(), "the binary knows every file");
    // But for how ids are issued, both say the same.
    for ((_, name, s), (_, _, p)) in files("sqlite").into_iter().zip(files("postgres")) {
        let s = s.replace(
            "INTEGER PRIMARY KEY AUTOINCREMENT",
            "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
        );
        let differing: Vec<_> = s
            .lines()
            .zip(p.lines())
            .filter(|(a, b)| a != b && !a.starts_with("--"))
            .collect();
        assert!(
            differing.is_empty() && s.lines().count() == p.lines().count(),
            "{name}: {differing:#?}"
        );
    }
}

#[test]
fn later_migrations_add_no_column_that_filled_tables_cannot_take() {
    let later = files("sqlite")
        .into_iter()
        .chain(files("postgres"))
        .filter(|(version, ..)| *version > 1);
    for (_, name, text) in later {
        let refused = refused(&text);
        assert!(
            refused.is_empty(),
            "{name}: NOT NULL without DEFAULT on a table that has rows: {refused:?}"
        );
    }
    // The rule itself, shown to refuse and to let pass.
    for (sql, bad) in [
        ("ALTER TABLE tasks ADD COLUMN x TEXT NOT NULL;", true),
        ("alter table tasks\n  add x BIGINT\n  not null;", true),
        ("ALTER TABLE tasks ADD COLUMN x TEXT NOT NULL DEFAULT '';", false),
        ("ALTER TABLE tasks ADD COLUMN x TEXT;", false),
        ("CREATE TABLE y (id BIGINT NOT NULL);", false),
        ("-- ALTER TABLE tasks ADD COLUMN x TEXT NOT NULL;\n", false),
        ("ALTER TABLE tasks ALTER COLUMN x SET NOT NULL;", true),
    ] {
        assert_eq!(!refused(sql).is_empty(), bad, "{sql}");
    }
}

/// Statements that a table with rows cannot take.
fn refused(text: &str) -> Vec<String> {
    let code: String = text
        .lines()
        .map(|l| l.split("--").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join(" ");
    code.split(';')
        .map(|s| s.split_whitespace().collect::<Vec<_>>().join(" ").to_uppercase())
        .filter(|s| s.starts_with("ALTER TABLE") && s.contains("NOT NULL") && !s.contains(" DEFAULT "))
        .collect()
}
