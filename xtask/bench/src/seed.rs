//! History for W2b: finished tasks copied in the database itself, with their jobs, attempts, steps and events.
//!
//! **Invariant:** it works on a stopped server's file, with SQLite's own program, and learns the columns from the file.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Copies the newest task `copies` times.
pub fn copy_newest_task(database: &Path, copies: usize) -> Result<()> {
    let columns = |table: &str| {
        sqlite(
            database,
            &format!("SELECT group_concat(name) FROM pragma_table_info('{table}')"),
        )
    };
    // Table, the column that points at its owner, that owner's table.
    let tables = [
        ("tasks", None),
        ("jobs", Some(("task_id", "tasks"))),
        ("attempts", Some(("job_id", "jobs"))),
        ("steps", Some(("attempt_id", "attempts"))),
    ];
    let mut sql = String::from("PRAGMA foreign_keys=OFF; BEGIN;\n");
    sql += "CREATE TEMP TABLE old_tasks AS SELECT *, 0 AS nth FROM tasks ORDER BY id DESC LIMIT 1;\n";
    for (table, owner) in tables.iter().skip(1) {
        let (column, owner) = owner.context("a table without an owner")?;
        sql += &format!(
            "CREATE TEMP TABLE old_{table} AS SELECT *, row_number() OVER (ORDER BY id) - 1 AS nth FROM {table} WHERE {column} IN (SELECT id FROM old_{owner});\n"
        );
    }
    for (table, _) in tables {
        sql += &format!(
            "CREATE TEMP TABLE at_{table} AS SELECT (SELECT max(id) FROM {table}) AS top, (SELECT count(*) FROM old_{table}) AS size;\n"
        );
    }
    for (table, owner) in tables {
        // The i-th copy of the nth row gets the id top + (i - 1) × size + nth + 1, in every table alike.
        let id = |table: &str, nth: &str| format!("(SELECT top + (i - 1) * size + 1 FROM at_{table}) + {nth}");
        let columns = columns(table)?;
        let values: Vec<String> = columns
            .split(',')
            .map(|column| match (column, owner) {
                ("id", _) => id(table, "o.nth"),
                (column, Some((key, above))) if column == key => id(
                    above,
                    &format!("(SELECT p.nth FROM old_{above} p WHERE p.id = o.{key})"),
                ),
                ("created_at" | "started_at" | "finished_at", _) => format!("o.{column} + i"),
                (column, _) => format!("o.\"{column}\""),
            })
            .collect();
        let names: Vec<String> = columns.split(',').map(|column| format!("\"{column}\"")).collect();
        sql += &format!(
            "WITH RECURSIVE copies(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM copies WHERE i < {copies}) \
             INSERT INTO {table} ({}) SELECT {} FROM copies, old_{table} o;\n",
            names.join(", "),
            values.join(", ")
        );
    }
    // A task's events are the larger part of a history; pages look for the newest of them.
    sql += &format!(
        "CREATE TEMP TABLE old_events AS SELECT * FROM events WHERE task_id IN (SELECT id FROM old_tasks);\n\
         WITH RECURSIVE copies(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM copies WHERE i < {copies}) \
         INSERT INTO events (at, project_id, kind, subject, subject_id, task_id, actor, body) \
         SELECT o.at + i, o.project_id, o.kind, o.subject, o.subject_id, top + i, o.actor, o.body \
         FROM copies, old_events o, at_tasks;\n"
    );
    // No ANALYZE: the server runs none, and its planner shall know no more here than there.
    sql += "COMMIT;\n";
    let tasks = || -> Result<usize> { Ok(sqlite(database, "SELECT count(*) FROM tasks")?.parse()?) };
    let before = tasks()?;
    sqlite(database, &sql)?;
    let made = tasks()? - before;
    if made != copies {
        bail!("{made} of {copies} copies were made");
    }
    Ok(())
}

fn sqlite(database: &Path, sql: &str) -> Result<String> {
    let output = Command::new("sqlite3").arg("-bail").arg(database).arg(sql).output();
    let output = output.context("starting sqlite3 (Debian: sqlite3)")?;
    if !output.status.success() {
        bail!("sqlite3: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
