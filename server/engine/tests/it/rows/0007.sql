INSERT INTO task_files (task_id, path, revision, body, problems)
  VALUES (1, '.caracal.yml', 'abc', 'stps: []', '[{"path":"stps","line":1,"column":1,"message":"no"}]');
INSERT INTO approved_revisions (plan_id, revision, task_id, approved_by, approved_at) VALUES (1, 'abc', 1, 1, 9);
