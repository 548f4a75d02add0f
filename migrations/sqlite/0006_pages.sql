-- Since when a repository is as it is; the end of a badge's address, no secret; what a commit status was about, and when it was last sent.
ALTER TABLE repositories ADD COLUMN health_since BIGINT;
ALTER TABLE plans ADD COLUMN badge_key TEXT;
ALTER TABLE plans ADD COLUMN badge_at BIGINT;
ALTER TABLE deliveries ADD COLUMN task_id BIGINT;
ALTER TABLE deliveries ADD COLUMN tried_at BIGINT;
CREATE INDEX deliveries_task ON deliveries(task_id, id) WHERE task_id IS NOT NULL;
CREATE INDEX deliveries_to ON deliveries(sink, sink_id, id) WHERE sink_id IS NOT NULL;
CREATE INDEX hook_deliveries_new ON hook_deliveries(hook_id, id);
-- The newest task of a branch, for its badge.
CREATE INDEX tasks_branch ON tasks(plan_id, branch, id) WHERE branch IS NOT NULL;
