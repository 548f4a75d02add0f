-- Secrets, sealed (`engine::auth::vault`); `n` rises each time one is set. Bytes are hex.
CREATE TABLE secrets (
  id INTEGER PRIMARY KEY AUTOINCREMENT, project_id BIGINT NOT NULL REFERENCES projects(id), plan_id BIGINT REFERENCES plans(id),
  name TEXT NOT NULL, n BIGINT NOT NULL, key_id TEXT NOT NULL, wrapped_key TEXT NOT NULL, nonce TEXT NOT NULL, ciphertext TEXT NOT NULL,
  set_by BIGINT REFERENCES users(id), set_at BIGINT NOT NULL, used_at BIGINT
);
CREATE UNIQUE INDEX secrets_plan ON secrets(plan_id, name) WHERE plan_id IS NOT NULL;
CREATE UNIQUE INDEX secrets_project ON secrets(project_id, name) WHERE plan_id IS NULL;
