// The form of a trigger: made, told what is wrong where, waiting for its first delivery, rules tried on it.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { violations } from '../harness/axe.mjs';
import { modes, settled, shoot, visit, world } from '../harness/world.mjs';

const the = world();

const push = (branch) =>
  JSON.stringify({
    ref: `refs/heads/${branch}`,
    after: '4e81b02a77d94e81b02a77d94e81b02a77d94e81',
    repository: { full_name: 'money/ledger' },
    pusher: { login: 'mei' },
    commits: [{ added: ['src/a.rs'], modified: [], removed: [], message: 'Export' }],
    head_commit: { message: 'Export' },
  });

/** Delivers as Forgejo does; the answer. */
const deliver = async (url, secret, id, body) => {
  const signature = createHmac('sha256', secret).update(body).digest('hex');
  const headers = { 'content-type': 'application/json', 'x-forgejo-event': 'push', 'x-forgejo-delivery': id, 'x-forgejo-signature': signature };
  const answer = await fetch(url, { method: 'POST', headers, body });
  return { status: answer.status, body: await answer.json() };
};

for (const mode of modes) {
  const word = mode.scripts ? 'live' : 'plain';

  test(`a webhook is made, shows its secret once and hears its first delivery (${mode.name})`, async () => {
    const plan = await the.api.makePlan(`name: hooked-${word}\nsteps: [{ run: 'true' }]\n`);
    const page = await the.page(mode);
    await visit(page, `/triggers/new?plan=${plan.id}`);
    assert.equal(await page.getByLabel('Plan it starts').inputValue(), String(plan.id));
    await page.getByLabel('Name', { exact: true }).fill(`push-${word}`);
    await page.getByLabel('Sent by').selectOption('gitea');
    await page.getByLabel('Start a task when all of these are true').fill('event == push\nbranch == main');
    await page.getByRole('button', { name: 'Save trigger' }).click();
    await page.waitForURL(/\/triggers\/\d+\/edit\?made=/);
    await settled(page);
    const url = (await page.locator('code[aria-labelledby=address]').textContent()).trim();
    const secret = (await page.locator('code[aria-labelledby=fresh-secret]').textContent()).trim();
    assert.match(secret, /^[0-9a-f]{64}$/);
    await page.getByText('Waiting for the first delivery').waitFor();
    await shoot(page, `trigger-waiting-${word}`);

    const wrong = await deliver(url, 'another', 'd-0', push('main'));
    assert.equal(wrong.status, 404);
    const first = await deliver(url, secret, 'd-1', push('release/2'));
    assert.equal(first.status, 202);
    assert.equal(first.body.firings[0].reason, 'Nothing was started, because branch `release/2` is not `main`.');
    if (!mode.scripts) await visit(page, new URL(page.url()).pathname);
    await page.getByText('its signature matches').waitFor();
    if (!mode.scripts) {
      assert.equal(await page.locator('code[aria-labelledby=fresh-secret]').count(), 0, 'shown once');
      return;
    }
    // The rules are tried on it as one writes; a field becomes a rule by a click.
    await page.getByText('branch `release/2` is not `main`', { exact: false }).first().waitFor();
    await page.getByLabel('Start a task when all of these are true').fill('event == push');
    await page.getByText('would start a task').first().waitFor();
    await page.getByRole('button', { name: 'Make a rule of payload.pusher.login' }).click();
    assert.equal(await page.getByLabel('Start a task when all of these are true').inputValue(), 'event == push\npayload.pusher.login == mei');
    await page.getByText('payload.pusher.login `mei` is `mei`').waitFor();
    await shoot(page, 'trigger-tried');
    assert.deepEqual(await violations(page), []);
    await page.getByRole('button', { name: 'Save trigger' }).click();
    await page.waitForURL(/\/triggers\/\d+$/);
    const second = await deliver(url, secret, 'd-2', push('any'));
    assert.equal(second.body.firings[0].verdict, 'started');
    await the.api.task(second.body.firings[0].tasks[0], 'passed');
  });

  test(`what is wrong is told at its field, and what was typed stays (${mode.name})`, async () => {
    const plan = await the.api.makePlan(`name: wrong-${word}\nsteps: [{ run: 'true' }]\n`);
    const page = await the.page({ ...mode, allow: [/status of 422/] });
    await visit(page, `/triggers/new?kind=cron&plan=${plan.id}`);
    await page.getByLabel('Name', { exact: true }).fill(`nightly-${word}`);
    await page.getByLabel('Cron expression').fill('61 2 * * *');
    await page.getByLabel('Time zone').fill('Mars/Base');
    await page.getByLabel('Start a task when all of these are true').fill('branch = main');
    await page.getByRole('button', { name: 'Save trigger' }).click();
    await page.getByText('There is no time zone `Mars/Base`.').first().waitFor();
    await page.getByText(/^Rule 1, column 8: /).waitFor();
    assert.equal(await page.getByLabel('Cron expression').inputValue(), '61 2 * * *');
    assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), `nightly-${word}`);
    await shoot(page, `trigger-wrong-${word}`);
    await page.getByLabel('Cron expression').fill('30 2 * * 1-5');
    await page.getByLabel('Time zone').fill('Europe/Berlin');
    await page.getByLabel('Start a task when all of these are true').fill('');
    if (mode.scripts) {
      await page.getByText(/^At 02:30/).waitFor();
      assert.equal(await page.getByRole('region', { name: 'Next ten firings' }).locator('tbody tr').count(), 10);
    }
    await page.getByRole('button', { name: 'Save trigger' }).click();
    await page.waitForURL(/\/triggers\/\d+$/);
    const { items } = await the.api.get('/triggers?kind=cron');
    const made = items.find((t) => t.name === `nightly-${word}`);
    assert.equal(made.config.zone, 'Europe/Berlin');
    assert.equal(made.config.cron, '30 2 * * 1-5');
    assert.match(made.next_fire_at, /T0[01]:30:00/);
  });
}

test('the form is good at 360 px and in the dark, whichever kind', async () => {
  const plan = await the.api.makePlan("name: shown\nsteps: [{ run: 'true' }]\n");
  for (const kind of ['poll', 'cron', 'webhook', 'upstream']) {
    for (const [width, scheme] of [[360, 'light'], [1440, 'dark']]) {
      const page = await the.page({ width, scheme });
      await visit(page, `/triggers/new?kind=${kind}&plan=${plan.id}`);
      await settled(page);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), `${kind} at ${width}`);
      await shoot(page, `trigger-new-${kind}-${width}-${scheme}`);
      assert.deepEqual(await violations(page), [], `${kind} at ${width}`);
    }
  }
});
