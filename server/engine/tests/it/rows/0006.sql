UPDATE repositories SET health_since = 5 WHERE name = 'ledger';
UPDATE plans SET badge_key = 'bdg', badge_at = 6 WHERE id = 1;
INSERT INTO deliveries (id, event_seq, sink, sink_id, key, payload, state, tries, next_at, error, task_id, tried_at)
  VALUES (2, 1, 'status', 1, 'status:1:1:passed', '{}', 'failed', 1, NULL, 'no', 1, 9);
