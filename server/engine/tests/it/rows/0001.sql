-- A row of each table as version 0.1 writes it: what every later migration is run over. Both databases read this text.
INSERT INTO users (id, name, email, password_hash, authz_epoch, created_at) VALUES (1, 'Ana', 'ana@example.org', 'phc', 2, 1795000000000);
INSERT INTO teams (id, name) VALUES (1, 'release');
INSERT INTO team_members (team_id, user_id) VALUES (1, 1);
INSERT INTO grants (id, user_id, role) VALUES (1, 1, 'admin');
INSERT INTO grants (id, team_id, project_id, role) VALUES (2, 1, 1, 'editor');
INSERT INTO sessions (id_hash, user_id, authz_epoch, created_at, seen_at, idle_until, ends_at, ip, user_agent)
  VALUES ('0a', 1, 2, 1795000000000, 1795000000001, 1795000000002, 1795000000003, '::1', 'Browser');
INSERT INTO tokens (id, user_id, name, hash, scopes, created_at) VALUES (1, 1, 'ci', '0b', 'read run', 1795000000000);
INSERT INTO login_failures (key, count, last_at, blocked_until) VALUES ('0c', 3, 1795000000000, 1795000060000);
INSERT INTO documents (digest, body, resolved) VALUES ('0d', 'name: one', '{"name":"one","source":null,"env":{},"jobs":[]}');
INSERT INTO plans (id, project_id, name, description, revision, created_at, saved_at)
  VALUES (1, 1, 'one', 'About', 1, 1795000000000, 1795000000000);
INSERT INTO plans (id, project_id, name, revision, archived_at, created_at, saved_at)
  VALUES (2, 1, 'one', 1, 1795000000009, 1795000000000, 1795000000000);
INSERT INTO plan_revisions (id, plan_id, number, digest, author_id, message, created_at) VALUES (1, 1, 1, '0d', 1, 'first', 1795000000000);
INSERT INTO plan_revisions (id, plan_id, number, digest, created_at) VALUES (2, 2, 1, '0d', 1795000000000);
INSERT INTO tasks (id, project_id, plan_id, plan_revision, digest, status, build, revision, branch, message, author, cause_kind, cause,
    parameters, created_by, created_at, started_at, finished_at)
  VALUES (1, 1, 1, 1, '0d', 'passed', 'c0ffee', 'c0ffee', 'main', 'Żółć 漢字', 'Ana', 'api', '{"kind":"api","by":"Ana"}', '{"level":"quick"}',
    1, 1795000000000, 1795000000001, 1795000000002);
INSERT INTO tasks (id, project_id, plan_id, plan_revision, digest, status, reason_code, cause_kind, cause, rerun_of, created_at)
  VALUES (2, 1, 1, 1, '0d', 'pending', 'resolving', 'rerun', '{"kind":"rerun","by":"Ana","rerun_of":1}', 1, 1795000000003);
INSERT INTO jobs (id, task_id, key, name, ordinal, spec, status, started_at, finished_at)
  VALUES (1, 1, 'main', 'main', 0, '{}', 'passed', 1795000000001, 1795000000002);
INSERT INTO jobs (id, task_id, key, name, ordinal, spec, status, ready_at, not_before) VALUES (2, 2, 'a', 'a', 0, '{}', 'pending', 1795000000003, 1795000000004);
INSERT INTO jobs (id, task_id, key, name, ordinal, spec, status) VALUES (3, 2, 'b', 'b', 1, '{"needs":["a"]}', 'pending');
INSERT INTO job_needs (job_id, needs_id) VALUES (3, 2);
INSERT INTO agents (id, name, credential_hash, facts, labels_reported, slots, version_text, status, epoch, seen_at, created_at)
  VALUES (1, 'builtin', '0e', '{}', '{"os":"linux"}', 2, '0.1.0', 'online', 4, 1795000000000, 1795000000000);
INSERT INTO agent_tokens (id, hash, uses_left, ends_at, created_by) VALUES (1, '0f', 1, 1795000000000, 1);
INSERT INTO attempts (id, job_id, number, status, outcome, agent_id, epoch, lease_until, assigned_at, started_at, finished_at, executor,
    console_bytes, console_acked, console_digest)
  VALUES (1, 1, 1, 'ended', 'passed', 1, 1, 1795000600000, 1795000000001, 1795000000001, 1795000000002, 'process', 3, 3, '00');
INSERT INTO attempts (id, job_id, number, status) VALUES (2, 2, 1, 'waiting');
INSERT INTO attempts (id, job_id, number, status) VALUES (3, 3, 1, 'waiting');
INSERT INTO steps (id, attempt_id, kind, ordinal, name, status, exit_code, console_len, lines, started_at, finished_at)
  VALUES (1, 1, 'step', 0, 'run', 'passed', 0, 3, 1, 1795000000001, 1795000000002);
INSERT INTO steps (id, attempt_id, kind, ordinal, name, status) VALUES (2, 2, 'setup', 0, 'prepare', 'pending');
INSERT INTO events (seq, at, project_id, kind, subject, subject_id, task_id, actor, body)
  VALUES (1, 1795000000000, 1, 'task.created', 'task', 1, 1, 'Ana', '{"plan_id":1}');
INSERT INTO deliveries (id, event_seq, sink, key, payload, state, next_at) VALUES (1, 1, 'mail', '1/mail', '{}', 'waiting', 1795000000000);
INSERT INTO audit (seq, at, actor_kind, actor_id, actor_name, action, result, prev_hash, hash)
  VALUES (1, 1795000000000, 'user', 1, 'Ana', 'session.begin', 'ok', '', '10');
INSERT INTO servers (id, name, version, started_at, seen_at) VALUES (1, 'kiln', '0.1.0', 1795000000000, 1795000000000);
INSERT INTO leaders (name, server_id, epoch, until) VALUES ('clock', 1, 1, 1795000000000);
INSERT INTO settings (key, value) VALUES ('server.id', 'abc123');
INSERT INTO idempotency (user_id, key, path, body_hash, status, answer, ends_at) VALUES (1, 'k', 'POST /plans', '11', 201, '{}', 1795000000000);
