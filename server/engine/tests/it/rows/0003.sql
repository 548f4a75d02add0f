-- A job that is tried again, with an attempt whose output has a gap.
INSERT INTO jobs (id, task_id, key, name, ordinal, spec, status, retry) VALUES (1003, 2, 'c', 'c', 2, '{}', 'pending', '{"limit":2,"on":["agent_lost","exit 75"]}');
INSERT INTO attempts (id, job_id, number, status, outcome, gap_bytes, gaps, finished_at) VALUES (1003, 1003, 1, 'ended', 'lost', 4096, 1, 1795000000002);
INSERT INTO attempts (id, job_id, number, status) VALUES (1004, 1003, 2, 'waiting');
UPDATE jobs SET attempt = 2 WHERE id = 1003;
