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
    // A field that no delivery had is a doubt, no mistake; programs are told the same.
    await page.getByLabel('Start a task when all of these are true').fill('event == push && labels.team == red');
    await page.getByText('Rule 1, column 18: No delivery of this hook ever had `labels.team`.').waitFor();
    const { items } = await the.api.get('/triggers?kind=webhook');
    const asked = { rules: ['payload.pusher.logn == mei'], trigger_id: items.find((t) => t.name === `push-${word}`).id };
    const { problems, warnings } = await the.api.post('/triggers/rules', asked);
    assert.deepEqual([problems.length, warnings[0].path, warnings[0].column], [0, 'rules[0]', 1]);
    assert.equal(warnings[0].hint, 'Did you mean `payload.pusher.login`?');
    await page.getByLabel('Start a task when all of these are true').fill('event == push\nbranch == main');
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

/** A promise of the editor's module is there: it has been loaded. */
const judging = (page) => page.waitForFunction(() => globalThis.caracalEditor?.then((module) => Boolean(module.cron)));

const cron = (name, plan, expression, zone) =>
  the.api.post('/triggers', { name, kind: 'cron', plan_id: plan.id, config: { cron: expression, zone } });

test('an expression is judged on the spot by the module, which only pages with an editor load', async () => {
  const plan = await the.api.makePlan("name: judged\nsteps: [{ run: 'true' }]\n");
  const others = [await cron('nightly', plan, '17 3 * * *', 'Europe/Berlin'), await cron('backup', plan, '17 3 * * *', 'Europe/Paris')];
  const page = await the.page();
  const asked = [];
  page.on('request', (request) => asked.push(new URL(request.url()).pathname));
  const loaded = [];
  page.on('response', (response) => loaded.push(response));
  const module = () => asked.filter((path) => path.startsWith('/pkg/editor'));
  await visit(page, '/triggers');
  assert.deepEqual(module(), [], 'the list has no editor');
  await page.getByRole('link', { name: 'New trigger' }).click();
  await page.getByText('Cron', { exact: true }).click();
  await judging(page);
  assert.equal(new Set(module()).size, 3, 'loader, script, module');
  // The rule that a webhook begins with would never be true of a cron.
  assert.equal(await page.getByLabel('Start a task when all of these are true').inputValue(), '');
  const cached = Object.fromEntries(loaded.filter((r) => r.url().includes('/pkg/editor')).map((r) => [r.url().split('.').pop(), r.headers()['cache-control']]));
  assert.match(cached.wasm, /immutable/);

  asked.length = 0;
  await page.getByLabel('Cron expression').fill('17 3 * * 1-5');
  await page.getByLabel('Time zone').fill('Europe/Berlin');
  await page.getByText('At 03:17 on weekdays.').waitFor();
  const next = page.getByRole('region', { name: 'Next ten firings' });
  assert.equal(await next.locator('tbody tr').count(), 10);
  await page.getByText(/^At 03:17 two other triggers fire: (nightly and backup|backup and nightly)\. So it is at each of the next ten times/).waitFor();
  await page.getByRole('img', { name: 'It fires 5 times in the next seven days, on Mon, Tue, Wed, Thu, Fri.' }).waitFor();
  await shoot(page, 'trigger-cron-live', { fullPage: true });
  // The last Sunday of March, when clocks in Berlin jump from two to three.
  await page.getByLabel('Cron expression').fill('30 2 * 3 0L');
  await next.getByText('clocks jump forward over the time meant').first().waitFor();
  assert.equal(await next.getByText('clocks jump forward over the time meant').count(), 10);
  await page.getByLabel('Cron expression').fill('0  25 * * FOO');
  await page.getByText('Column 4: `25` is no hour.').waitFor();
  await page.getByText('Column 11: `FOO` is no day of the week.').waitFor();
  assert.deepEqual(asked.filter((path) => path.startsWith('/ui/')), [], 'nothing was asked of the server');
  for (const { id } of others) await the.api.call('DELETE', `/triggers/${id}`);
});

test('rules are judged on the spot: mistakes and doubts stand at their columns', async () => {
  const page = await the.page();
  await visit(page, '/triggers/new');
  await judging(page);
  const asked = [];
  page.on('request', (request) => asked.push(new URL(request.url()).pathname));
  const rules = page.getByLabel('Start a task when all of these are true');
  await rules.fill('\n branch = main\n\nevent == push && brunch == x');
  const wrong = page.getByRole('button', { name: /^Rule 1, column 8: / });
  await wrong.waitFor();
  await page.getByRole('button', { name: 'Rule 2, column 18: No event has `brunch`. Did you mean `branch`?' }).waitFor();
  assert.equal(await rules.getAttribute('aria-invalid'), 'true');
  await wrong.click();
  assert.equal(await rules.evaluate((area) => area.selectionStart), 9, 'it leads to its place');
  assert.deepEqual(await violations(page), []);
  await shoot(page, 'trigger-rules-live');
  await rules.fill('event == push');
  await wrong.waitFor({ state: 'detached' });
  assert.equal(await rules.getAttribute('aria-invalid'), null);
  assert.deepEqual(asked.filter((path) => path.startsWith('/ui/')), [], 'nothing was asked of the server');
});

test('without the module the server judges', async () => {
  const page = await the.page({ allow: [/editor\.js/, /ERR_FAILED/] });
  await page.route('**/pkg/editor.js', (route) => route.abort());
  await visit(page, '/triggers/new?kind=cron');
  const answer = page.waitForResponse((r) => r.url().includes('/ui/triggers/cron') && r.url().includes('1-5'));
  await page.getByLabel('Cron expression').fill('30 2 * * 1-5');
  await answer;
  await page.getByText('At 02:30 on weekdays.').waitFor();
  await page.getByLabel('Start a task when all of these are true').fill('branch = main');
  await page.getByText(/^Rule 1, column 8: /).waitFor();
});

for (const mode of modes) {
  test(`of a poll only the fields of the chosen sort show (${mode.name})`, async () => {
    const page = await the.page(mode);
    await visit(page, '/triggers/new?kind=poll');
    const [branches, pointer] = [page.getByLabel('Branches'), page.getByLabel('Where in its JSON')];
    await branches.waitFor();
    assert.equal(await pointer.isVisible(), false);
    await page.getByLabel('Any URL').check();
    await pointer.waitFor();
    assert.equal(await branches.isVisible(), false);
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
