-- The core tables (DESIGN §5). Times are milliseconds since 1970 in UTC; ids are never reused.
CREATE TABLE projects (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, created_at BIGINT NOT NULL
);
INSERT INTO projects (name, created_at) VALUES ('default', 0);

CREATE TABLE users (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, email TEXT, password_hash TEXT, disabled_at BIGINT,
  authz_epoch BIGINT NOT NULL DEFAULT 0, created_at BIGINT NOT NULL, version BIGINT NOT NULL DEFAULT 1
);
CREATE TABLE teams (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE);
CREATE TABLE team_members (
  team_id BIGINT NOT NULL REFERENCES teams(id), user_id BIGINT NOT NULL REFERENCES users(id),
  PRIMARY KEY (team_id, user_id)
);
CREATE TABLE grants (
  id INTEGER PRIMARY KEY AUTOINCREMENT, user_id BIGINT REFERENCES users(id), team_id BIGINT REFERENCES teams(id),
  project_id BIGINT REFERENCES projects(id),
  role TEXT NOT NULL CHECK (role IN ('admin','editor','runner','viewer')),
  CHECK ((user_id IS NULL) <> (team_id IS NULL))
);
CREATE INDEX grants_user ON grants(user_id);
CREATE TABLE sessions (
  id_hash TEXT PRIMARY KEY, user_id BIGINT NOT NULL REFERENCES users(id), authz_epoch BIGINT NOT NULL,
  created_at BIGINT NOT NULL, seen_at BIGINT NOT NULL, idle_until BIGINT NOT NULL, ends_at BIGINT NOT NULL,
  ip TEXT, user_agent TEXT
);
CREATE INDEX sessions_user ON sessions(user_id);
CREATE TABLE tokens (
  id INTEGER PRIMARY KEY AUTOINCREMENT, user_id BIGINT NOT NULL REFERENCES users(id), name TEXT NOT NULL, hash TEXT NOT NULL UNIQUE,
  scopes TEXT NOT NULL, project_id BIGINT REFERENCES projects(id), created_at BIGINT NOT NULL,
  ends_at BIGINT, used_at BIGINT, revoked_at BIGINT
);
CREATE INDEX tokens_user ON tokens(user_id);
-- Failed log-ins by account and by address; survive a restart (reliability S3).
CREATE TABLE login_failures (
  key TEXT PRIMARY KEY, count BIGINT NOT NULL, last_at BIGINT NOT NULL, blocked_until BIGINT NOT NULL
);

CREATE TABLE documents (digest TEXT PRIMARY KEY, body TEXT NOT NULL, resolved TEXT NOT NULL);
CREATE TABLE plans (
  id INTEGER PRIMARY KEY AUTOINCREMENT, project_id BIGINT NOT NULL REFERENCES projects(id), name TEXT NOT NULL, description TEXT NOT NULL DEFAULT '',
  enabled BOOLEAN NOT NULL DEFAULT TRUE, priority BIGINT NOT NULL DEFAULT 0, priority_max BIGINT,
  repository_id BIGINT, path TEXT, revision BIGINT NOT NULL, archived_at BIGINT,
  created_at BIGINT NOT NULL, saved_at BIGINT NOT NULL, version BIGINT NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX plans_name ON plans(project_id, name) WHERE archived_at IS NULL;
CREATE TABLE plan_revisions (
  id INTEGER PRIMARY KEY AUTOINCREMENT, plan_id BIGINT NOT NULL REFERENCES plans(id), number BIGINT NOT NULL,
  digest TEXT NOT NULL REFERENCES documents(digest), author_id BIGINT REFERENCES users(id),
  message TEXT NOT NULL DEFAULT '', created_at BIGINT NOT NULL, UNIQUE (plan_id, number)
);

CREATE TABLE tasks (
  id INTEGER PRIMARY KEY AUTOINCREMENT, project_id BIGINT NOT NULL REFERENCES projects(id), plan_id BIGINT NOT NULL REFERENCES plans(id),
  plan_revision BIGINT NOT NULL, digest TEXT REFERENCES documents(digest), status TEXT NOT NULL,
  desired TEXT NOT NULL DEFAULT 'run', reason_code TEXT, reason TEXT, priority BIGINT NOT NULL DEFAULT 0,
  build TEXT, revision TEXT, branch TEXT, message TEXT, author TEXT,
  cause_kind TEXT NOT NULL, cause TEXT NOT NULL, firing_id BIGINT, firing_n BIGINT, rerun_of BIGINT REFERENCES tasks(id),
  parameters TEXT NOT NULL DEFAULT '{}', created_by BIGINT REFERENCES users(id), created_at BIGINT NOT NULL,
  started_at BIGINT, finished_at BIGINT, keep BOOLEAN NOT NULL DEFAULT FALSE, version BIGINT NOT NULL DEFAULT 1,
  UNIQUE (firing_id, firing_n)
);
CREATE INDEX tasks_new ON tasks(project_id, id);
CREATE INDEX tasks_plan ON tasks(plan_id, id);
CREATE INDEX tasks_status ON tasks(project_id, status, id);
CREATE INDEX tasks_resolving ON tasks(id) WHERE reason_code = 'resolving';
CREATE INDEX tasks_build ON tasks(build, id);
CREATE INDEX tasks_rerun ON tasks(rerun_of) WHERE rerun_of IS NOT NULL;

CREATE TABLE jobs (
  id INTEGER PRIMARY KEY AUTOINCREMENT, task_id BIGINT NOT NULL REFERENCES tasks(id), key TEXT NOT NULL, name TEXT NOT NULL, matrix TEXT,
  ordinal BIGINT NOT NULL, spec TEXT NOT NULL, status TEXT NOT NULL, desired TEXT NOT NULL DEFAULT 'run',
  reason_code TEXT, reason TEXT, blocker_kind TEXT, blocker_id BIGINT, requirements TEXT NOT NULL DEFAULT '[]',
  group_key TEXT, group_limit BIGINT, priority BIGINT NOT NULL DEFAULT 0, ready_at BIGINT,
  estimate_from BIGINT, estimate_to BIGINT, attempt BIGINT NOT NULL DEFAULT 1, not_before BIGINT, timeout_ms BIGINT,
  started_at BIGINT, finished_at BIGINT, version BIGINT NOT NULL DEFAULT 1, UNIQUE (task_id, key)
);
-- What can be handed out, in the order it is; all that waits, as pages show it; what waits for its time.
CREATE INDEX jobs_waiting ON jobs(priority DESC, ready_at, id) WHERE status = 'pending' AND ready_at IS NOT NULL;
CREATE INDEX jobs_pending ON jobs((ready_at IS NULL), priority DESC, ready_at, id) WHERE status = 'pending';
CREATE INDEX jobs_held ON jobs(not_before) WHERE status = 'pending' AND not_before IS NOT NULL;
CREATE TABLE job_needs (
  job_id BIGINT NOT NULL REFERENCES jobs(id), needs_id BIGINT NOT NULL REFERENCES jobs(id), PRIMARY KEY (job_id, needs_id)
);

CREATE TABLE agents (
  id INTEGER PRIMARY KEY AUTOINCREMENT, project_id BIGINT REFERENCES projects(id), name TEXT NOT NULL, credential_hash TEXT, public_key TEXT,
  facts TEXT NOT NULL DEFAULT '{}', labels_reported TEXT NOT NULL DEFAULT '{}', labels_set TEXT NOT NULL DEFAULT '{}',
  slots BIGINT NOT NULL DEFAULT 1, version_text TEXT, availability TEXT NOT NULL DEFAULT 'active',
  paused_by BIGINT REFERENCES users(id), paused_until BIGINT, note TEXT, status TEXT NOT NULL DEFAULT 'offline',
  server_id BIGINT, epoch BIGINT NOT NULL DEFAULT 0, seen_at BIGINT, created_at BIGINT NOT NULL, removed_at BIGINT,
  version BIGINT NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX agents_name ON agents(name) WHERE removed_at IS NULL;
CREATE TABLE agent_tokens (
  id INTEGER PRIMARY KEY AUTOINCREMENT, hash TEXT NOT NULL UNIQUE, project_id BIGINT REFERENCES projects(id), labels TEXT NOT NULL DEFAULT '{}',
  uses_left BIGINT NOT NULL, ends_at BIGINT NOT NULL, created_by BIGINT REFERENCES users(id)
);

CREATE TABLE attempts (
  id INTEGER PRIMARY KEY AUTOINCREMENT, job_id BIGINT NOT NULL REFERENCES jobs(id), number BIGINT NOT NULL, status TEXT NOT NULL, outcome TEXT,
  reason TEXT, agent_id BIGINT REFERENCES agents(id), epoch BIGINT NOT NULL DEFAULT 0, lease_until BIGINT,
  deadline_at BIGINT, assigned_at BIGINT, started_at BIGINT, finished_at BIGINT, executor TEXT, handle TEXT,
  console_server_id BIGINT, console_tier TEXT NOT NULL DEFAULT 'file', console_bytes BIGINT NOT NULL DEFAULT 0,
  console_acked BIGINT NOT NULL DEFAULT 0, console_digest TEXT, gap_bytes BIGINT NOT NULL DEFAULT 0,
  UNIQUE (job_id, number)
);
-- One live attempt per job: invariant I2, held by the database itself.
CREATE UNIQUE INDEX attempts_one_live ON attempts(job_id) WHERE finished_at IS NULL;
-- Held attempts only: as long as the fleet is wide, however long the queue. Leases and deadlines are looked for in it.
CREATE INDEX attempts_agent ON attempts(agent_id) WHERE finished_at IS NULL AND agent_id IS NOT NULL;
CREATE TABLE steps (
  id INTEGER PRIMARY KEY AUTOINCREMENT, attempt_id BIGINT NOT NULL REFERENCES attempts(id),
  kind TEXT NOT NULL CHECK (kind IN ('setup','step','service','cleanup')), ordinal BIGINT NOT NULL, name TEXT NOT NULL,
  allow_failure BOOLEAN NOT NULL DEFAULT FALSE, status TEXT NOT NULL, exit_code BIGINT, signal BIGINT, error TEXT,
  console_from BIGINT NOT NULL DEFAULT 0, console_len BIGINT NOT NULL DEFAULT 0, first_line BIGINT,
  lines BIGINT, console_bytes BIGINT, console_acked BIGINT, console_digest TEXT, gap_bytes BIGINT,
  started_at BIGINT, finished_at BIGINT, UNIQUE (attempt_id, kind, ordinal)
);

CREATE TABLE events (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, at BIGINT NOT NULL, project_id BIGINT, kind TEXT NOT NULL, subject TEXT NOT NULL, subject_id BIGINT NOT NULL,
  task_id BIGINT, actor TEXT, body TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX events_task ON events(task_id, seq);
CREATE TABLE deliveries (
  id INTEGER PRIMARY KEY AUTOINCREMENT, event_seq BIGINT NOT NULL, sink TEXT NOT NULL, sink_id BIGINT, key TEXT NOT NULL UNIQUE, payload TEXT NOT NULL,
  state TEXT NOT NULL, tries BIGINT NOT NULL DEFAULT 0, next_at BIGINT, leased_by BIGINT, leased_until BIGINT, error TEXT
);
CREATE INDEX deliveries_due ON deliveries(next_at) WHERE state = 'waiting';
CREATE TABLE audit (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, at BIGINT NOT NULL, actor_kind TEXT NOT NULL, actor_id BIGINT, actor_name TEXT, ip TEXT, action TEXT NOT NULL,
  project_id BIGINT, object TEXT, object_id BIGINT, before TEXT, after TEXT, result TEXT NOT NULL,
  prev_hash TEXT NOT NULL, hash TEXT NOT NULL
);
CREATE TABLE servers (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, version TEXT NOT NULL, started_at BIGINT NOT NULL, seen_at BIGINT NOT NULL);
CREATE TABLE leaders (name TEXT PRIMARY KEY, server_id BIGINT NOT NULL, epoch BIGINT NOT NULL, until BIGINT NOT NULL);
CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL, version BIGINT NOT NULL DEFAULT 1);
CREATE TABLE idempotency (
  user_id BIGINT NOT NULL, key TEXT NOT NULL, path TEXT NOT NULL, body_hash TEXT NOT NULL, status BIGINT NOT NULL,
  answer TEXT NOT NULL, ends_at BIGINT NOT NULL, PRIMARY KEY (user_id, key)
);
CREATE INDEX idempotency_ends ON idempotency(ends_at);
