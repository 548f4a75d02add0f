-- What starts tasks by itself: repositories, hooks with what they were sent, triggers, firings.
CREATE TABLE repositories (
  id INTEGER PRIMARY KEY AUTOINCREMENT, project_id BIGINT NOT NULL REFERENCES projects(id), name TEXT NOT NULL, url TEXT NOT NULL,
  provider TEXT NOT NULL, api TEXT, secret_id BIGINT REFERENCES secrets(id), health TEXT NOT NULL DEFAULT 'unknown', health_said TEXT,
  health_at BIGINT, created_at BIGINT NOT NULL, version BIGINT NOT NULL DEFAULT 1, UNIQUE (project_id, name)
);
CREATE INDEX repositories_secret ON repositories(secret_id) WHERE secret_id IS NOT NULL;
-- `token` is an address, no secret. While a secret is changed, the old one is believed too.
CREATE TABLE hooks (
  id INTEGER PRIMARY KEY AUTOINCREMENT, project_id BIGINT NOT NULL REFERENCES projects(id), name TEXT NOT NULL, token TEXT NOT NULL UNIQUE,
  provider TEXT NOT NULL, signing TEXT NOT NULL, repository_id BIGINT REFERENCES repositories(id),
  secret_id BIGINT REFERENCES secrets(id), old_secret_id BIGINT REFERENCES secrets(id), rotating_since BIGINT,
  own BOOLEAN NOT NULL DEFAULT FALSE, accepted BIGINT NOT NULL DEFAULT 0, refused BIGINT NOT NULL DEFAULT 0, refused_at BIGINT, seen_at BIGINT,
  created_at BIGINT NOT NULL, version BIGINT NOT NULL DEFAULT 1, UNIQUE (project_id, name)
);
CREATE INDEX hooks_secret ON hooks(secret_id) WHERE secret_id IS NOT NULL;
CREATE INDEX hooks_old_secret ON hooks(old_secret_id) WHERE old_secret_id IS NOT NULL;
-- What was taken; the body goes before the row does.
CREATE TABLE hook_deliveries (
  id INTEGER PRIMARY KEY AUTOINCREMENT, hook_id BIGINT NOT NULL REFERENCES hooks(id) ON DELETE CASCADE, key TEXT NOT NULL,
  received_at BIGINT NOT NULL, sender TEXT NOT NULL, event TEXT, headers TEXT NOT NULL, proof TEXT NOT NULL, size BIGINT NOT NULL,
  body TEXT, UNIQUE (hook_id, key)
);
CREATE INDEX hook_deliveries_age ON hook_deliveries(received_at);
-- What was not: the last twenty of each hook, and nothing of the body.
CREATE TABLE hook_refusals (
  id INTEGER PRIMARY KEY AUTOINCREMENT, hook_id BIGINT NOT NULL REFERENCES hooks(id) ON DELETE CASCADE, at BIGINT NOT NULL,
  sender TEXT NOT NULL, reason TEXT NOT NULL, header_names TEXT NOT NULL, size BIGINT NOT NULL
);
CREATE INDEX hook_refusals_hook ON hook_refusals(hook_id, id);
-- `cursor` is what a poll saw last, or the time up to which a cron has fired.
CREATE TABLE triggers (
  id INTEGER PRIMARY KEY AUTOINCREMENT, project_id BIGINT NOT NULL REFERENCES projects(id), plan_id BIGINT NOT NULL REFERENCES plans(id),
  name TEXT NOT NULL, kind TEXT NOT NULL CHECK (kind IN ('poll','cron','webhook','upstream')),
  hook_id BIGINT REFERENCES hooks(id), repository_id BIGINT REFERENCES repositories(id), enabled BOOLEAN NOT NULL DEFAULT TRUE,
  config TEXT NOT NULL, rules TEXT NOT NULL DEFAULT '[]', parameters TEXT NOT NULL DEFAULT '{}', branch TEXT, revision TEXT,
  priority BIGINT NOT NULL DEFAULT 0, cursor TEXT, next_at BIGINT, health TEXT NOT NULL DEFAULT 'waiting', health_said TEXT,
  health_since BIGINT, looked_at BIGINT, created_by BIGINT REFERENCES users(id), created_at BIGINT NOT NULL,
  version BIGINT NOT NULL DEFAULT 1, UNIQUE (project_id, name)
);
CREATE INDEX triggers_due ON triggers(kind, next_at) WHERE enabled AND next_at IS NOT NULL;
CREATE INDEX triggers_hook ON triggers(hook_id) WHERE hook_id IS NOT NULL;
CREATE INDEX triggers_plan ON triggers(plan_id);
-- Tasks of a plan at a revision, for triggers that wait for several plans.
CREATE INDEX tasks_revision ON tasks(plan_id, revision) WHERE revision IS NOT NULL;
-- Exactly once: `key` is the delivery, the instant, the revision or the task that it is about.
CREATE TABLE firings (
  id INTEGER PRIMARY KEY AUTOINCREMENT, trigger_id BIGINT NOT NULL REFERENCES triggers(id) ON DELETE CASCADE, key TEXT NOT NULL,
  at BIGINT NOT NULL, scheduled_for BIGINT, delivery_id BIGINT, cause TEXT NOT NULL,
  verdict TEXT NOT NULL CHECK (verdict IN ('started','held','nothing','error')), reason TEXT, evaluation TEXT NOT NULL, start TEXT,
  replay_of BIGINT, UNIQUE (trigger_id, key)
);
CREATE INDEX firings_new ON firings(trigger_id, id);
CREATE INDEX firings_delivery ON firings(delivery_id) WHERE delivery_id IS NOT NULL;
CREATE INDEX firings_held ON firings(trigger_id, id) WHERE verdict = 'held';
CREATE INDEX firings_age ON firings(at);
