-- What migration 2 added.
INSERT INTO agent_tokens (id, hash, uses, uses_left, ends_at, created_by, created_at, revoked_at, labels)
  VALUES (2, '1f', 5, 3, 1795003600000, 1, 1795000000000, 1795000000007, '{"pool":"fast"}');
INSERT INTO agents (id, name, credential_hash, labels_set, slots, slots_set, token_id, leaving, clock_off_ms, availability, paused_by,
    paused_until, note, created_at)
  VALUES (2, 'kiln', '2e', '{"pool":"fast"}', 2, 4, 2, FALSE, 90000, 'paused', 1, 1795003600000, 'disk swap', 1795000000000);
INSERT INTO events (seq, at, project_id, kind, subject, subject_id, actor, body)
  VALUES (2, 1795000000000, 1, 'agent.registered', 'agent', 2, NULL, '{"agent_id":2}');
