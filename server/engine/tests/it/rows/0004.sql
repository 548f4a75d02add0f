INSERT INTO secrets (project_id, plan_id, name, n, key_id, wrapped_key, nonce, ciphertext, set_by, set_at, used_at)
  VALUES (1, NULL, 'DEPLOY_KEY', 1, 'k1', 'aa', 'bb', 'cc', 1, 5, NULL), (1, 1, 'DEPLOY_KEY', 2, 'k1', 'aa', 'bb', 'cc', NULL, 6, 7);
