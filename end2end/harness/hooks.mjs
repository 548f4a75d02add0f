// Deliveries as a forge sends them: GitHub's payload of a push, signed over its bytes.

import { createHmac, randomUUID } from 'node:crypto';

export const secret = 'a secret of both sides';

/** A webhook trigger of GitHub's kind for `plan`; `wish` adds to it or replaces parts of it. */
export function makeTrigger(api, plan, wish = {}) {
  return api.post('/triggers', { kind: 'webhook', plan_id: plan.id, config: { provider: 'github', secret }, ...wish });
}

/** The payload of a push to a branch. */
export function push(branch, more = {}) {
  return {
    ref: `refs/heads/${branch}`, after: '4e81b02a77d94e81b02a77d94e81b02a77d94e81', repository: { full_name: 'money/ledger', private: true },
    pusher: { name: 'mei' }, sender: { login: 'mei' }, token: 'leaked-canary',
    head_commit: { message: 'Export the ledger as CSV', author: { username: 'mei' } },
    commits: [{ added: ['src/csv.rs'], modified: ['Cargo.lock'], removed: [] }], ...more,
  };
}

/** Delivers a payload to a trigger's address and answers status and body. */
export async function deliver(server, trigger, payload, { signedBy = secret, event = 'push' } = {}) {
  const body = JSON.stringify(payload);
  const response = await fetch(server.url + new URL(trigger.url).pathname, {
    method: 'POST',
    headers: {
      'content-type': 'application/json', 'user-agent': 'GitHub-Hookshot/1', 'x-github-event': event, 'x-github-delivery': randomUUID(),
      'x-hub-signature-256': `sha256=${createHmac('sha256', signedBy).update(body).digest('hex')}`,
    },
    body,
  });
  const text = await response.text();
  return { status: response.status, said: response.ok ? JSON.parse(text) : text };
}
