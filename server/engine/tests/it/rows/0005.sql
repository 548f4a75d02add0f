INSERT INTO repositories (project_id, name, url, provider, api, secret_id, health, health_said, health_at, created_at)
  VALUES (1, 'ledger', 'https://git.example/money/ledger.git', 'gitea', NULL, 1, 'healthy', NULL, 5, 4);
INSERT INTO hooks (project_id, name, token, provider, signing, repository_id, secret_id, old_secret_id, rotating_since, accepted, refused,
  refused_at, seen_at, created_at) VALUES (1, 'ledger', 'hk_abc', 'gitea', '"standard"', 1, 1, 2, 7, 3, 1, 8, 9, 4);
INSERT INTO hook_deliveries (hook_id, key, received_at, sender, event, headers, proof, size, body)
  VALUES (1, 'd-1', 9, '127.0.0.1', 'push', '[]', 'x-gitea-signature', 2, '{}');
INSERT INTO hook_refusals (hook_id, at, sender, reason, header_names, size) VALUES (1, 8, '127.0.0.1', 'unsigned', '[]', 12);
INSERT INTO triggers (project_id, plan_id, name, kind, hook_id, repository_id, config, cursor, next_at, created_by, created_at)
  VALUES (1, 1, 'push', 'webhook', 1, 1, '{}', NULL, 10, 1, 4);
INSERT INTO firings (trigger_id, key, at, scheduled_for, delivery_id, cause, verdict, reason, evaluation, start, replay_of)
  VALUES (1, 'delivery:1', 9, NULL, 1, '{"title":"Push"}', 'nothing', 'no', '{"rules":[],"set":[],"took_us":1}', NULL, NULL);
