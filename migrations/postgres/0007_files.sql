-- Plans that are kept in their repository, and strangers' changes, which a member approves.
-- What was found in a file that could not become a task's jobs: its text as far as it could be read, and what is wrong.
CREATE TABLE task_files (
  task_id BIGINT PRIMARY KEY REFERENCES tasks(id) ON DELETE CASCADE, path TEXT NOT NULL, revision TEXT, body TEXT, problems TEXT NOT NULL
);
CREATE TABLE approved_revisions (
  plan_id BIGINT NOT NULL REFERENCES plans(id), revision TEXT NOT NULL, task_id BIGINT NOT NULL REFERENCES tasks(id),
  approved_by BIGINT REFERENCES users(id), approved_at BIGINT NOT NULL, PRIMARY KEY (plan_id, revision)
);
CREATE INDEX tasks_approval ON tasks(id) WHERE reason_code = 'approval';
