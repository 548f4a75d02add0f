// Trying a trigger on a payload that was edited or pasted: live where there are scripts, by a form where there are none.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { violations } from '../harness/axe.mjs';
import { modes, shoot, visit, world } from '../harness/world.mjs';

const secret = 'a secret of no use';
const the = world();

const push = (branch) => ({
  ref: `refs/heads/${branch}`,
  after: '4e81b02a77d94e81b02a77d94e81b02a77d94e81',
  repository: { full_name: 'money/ledger' },
  pusher: { login: 'mei' },
  deploy_token: 'hunter2hunter2',
});

/** A webhook trigger to which this branch was pushed; it starts at `main` alone. */
async function pushed(name, branch) {
  const plan = await the.api.makePlan(`name: ${name}\nsteps: [{ run: 'true' }]\n`);
  const wish = { name, kind: 'webhook', plan_id: plan.id, config: { provider: 'gitea', secret }, rules: ['branch == main'], parameters: { who: '${{ payload.pusher.login }}' } };
  const trigger = await the.api.post('/triggers', wish);
  const body = JSON.stringify(push(branch));
  const signature = createHmac('sha256', secret).update(body).digest('hex');
  const headers = { 'content-type': 'application/json', 'x-gitea-event': 'push', 'x-gitea-delivery': `${name}-1`, 'x-gitea-signature': signature };
  const answer = await fetch(trigger.url, { method: 'POST', headers, body });
  assert.equal(answer.status, 202);
  const { items } = await the.api.get(`/triggers/${trigger.id}/firings`);
  return { trigger, firing: items[0].id };
}

for (const mode of modes) {
  const word = mode.scripts ? 'live' : 'plain';

  test(`a firing is tried again with its payload changed (${mode.name})`, async () => {
    const { trigger, firing } = await pushed(`tried-${word}`, 'feature/x');
    const page = await the.page({ ...mode, allow: [/status of 422/] });
    const asked = [];
    page.on('request', (request) => asked.push(new URL(request.url()).pathname));
    await visit(page, `/firings/${firing}`);
    await page.getByRole('link', { name: 'Edit and try' }).click();
    await page.waitForURL(/\/try\?firing=/);
    const payload = page.getByLabel('Payload, as JSON');
    const answer = page.getByRole('region', { name: 'What would happen' });
    await payload.waitFor();
    const shown = await payload.inputValue();
    assert.ok(shown.includes('(taken out)') && !shown.includes('hunter2'), 'secrets are not shown');
    // Live it is judged as it stands; without scripts it waits for the button.
    const ask = async () => {
      if (!mode.scripts) await page.getByRole('button', { name: 'Try it' }).click();
    };
    await ask();
    await answer.getByText('Nothing was started, because branch `feature/x` is not `main`.').waitFor();
    await payload.fill(shown.replace('feature/x', 'main'));
    await ask();
    await answer.getByText('would start a task').waitFor();
    assert.equal(await answer.locator('dl').innerText().then((t) => /who\s+mei/.test(t)), true, 'what its task would be given');
    if (mode.scripts) assert.deepEqual(await violations(page), []);
    await shoot(page, `trigger-try-${word}`, { fullPage: true });

    await page.getByLabel('When all of these are true').fill('branch == main\npayload.deploy_token == x && labels.team == red');
    await ask();
    await answer.getByText('payload.deploy_token `(taken out)` is not `x`').first().waitFor();
    await answer.getByText('Rule 2, column 30: No delivery of this hook ever had `labels.team`.').waitFor();
    await answer.getByText(/^What this looks at is taken out of payloads/).waitFor();
    await page.getByLabel('When all of these are true').fill('branch = main');
    await payload.fill('{\n  "ref": x\n}');
    await ask();
    await answer.getByText('Payload, line 2, column 10: This is no JSON: expected value.').waitFor();
    await answer.getByText(/^Rule 1, column 8: /).waitFor();
    assert.equal(await payload.inputValue(), '{\n  "ref": x\n}', 'what was written stays');
    await shoot(page, `trigger-try-wrong-${word}`);
    if (mode.scripts) assert.deepEqual(await violations(page), []);
    if (mode.scripts) assert.deepEqual(asked.filter((path) => path.includes('/ui/triggers/try-payload')), [], 'judged in the browser');
    // Programs are not told either what was taken out, however they guess.
    const { delivery_id } = await the.api.get(`/firings/${firing}`);
    const guess = (rule) => the.api.post('/triggers/try', { delivery_id, trigger_id: trigger.id, rules: ['branch == feature/x', rule] });
    assert.equal((await guess('payload.pusher.login == mei')).verdict, 'started');
    for (const rule of ['payload.deploy_token == hunter2hunter2', 'payload.deploy_token =~ ^h']) {
      const said = await guess(rule);
      assert.equal(said.verdict, 'nothing');
      assert.deepEqual([said.evaluation.rules[1].found, said.warnings.length], [['(taken out)'], 1], JSON.stringify(said));
    }
    // Nothing was started by all that.
    const { items } = await the.api.get(`/triggers/${trigger.id}/firings`);
    assert.equal(items.length, 1);
  });
}

test('the page of a try is good at 360 px and in the dark', async () => {
  const { trigger } = await pushed('narrow', 'main');
  for (const [width, scheme] of [[360, 'light'], [360, 'dark'], [1280, 'dark']]) {
    const page = await the.page({ width, scheme });
    await visit(page, `/triggers/${trigger.id}/try`);
    await page.getByText('would start a task').waitFor();
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), `at ${width}`);
    await shoot(page, `trigger-try-${width}-${scheme}`, { fullPage: true });
    assert.deepEqual(await violations(page), [], `at ${width}`);
  }
});
