// Triggers: what each does and did, why nothing was started, and what one can do with it; live and without a script.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { deliver, makeTrigger, push } from '../harness/hooks.mjs';
import { Repository } from '../harness/repository.mjs';
import { until } from '../harness/until.mjs';
import { hydrated, modes, settled, shoot, visit, world } from '../harness/world.mjs';

const the = world();

/** A plan and a trigger for pushes to main, both of this name. */
async function set(name, wish = {}) {
  const plan = await the.api.makePlan(`name: ${name}\nsteps: [{ run: echo hello }]\n`);
  const trigger = await makeTrigger(the.api, plan, { name, rules: ['event == push', 'branch == main'], ...wish });
  return { plan, trigger };
}

const row = (page, trigger) => page.locator(`#trigger-${trigger.id}`);
const firing = (delivered) => delivered.said.firings[0];

for (const mode of modes) {
  test(`before the first trigger the page says what one is for (${mode.name})`, async () => {
    const page = await the.page(mode);
    await visit(page, '/triggers');
    await page.getByRole('heading', { name: 'No triggers yet' }).waitFor();
    assert.equal(await page.getByRole('link', { name: 'Make the first trigger' }).getAttribute('href'), '/triggers/new');
    await visit(page, '/firings');
    await page.getByRole('heading', { name: 'Nothing has fired yet' }).waitFor();
  });
}

for (const mode of modes) {
  const word = mode.scripts ? 'live' : 'plain';

  test(`a push starts a task, and task and firing lead to each other (${mode.name})`, async () => {
    const { trigger } = await set(`pushed-${word}`);
    const delivered = await deliver(the.server, trigger, push('main'));
    assert.equal(delivered.status, 202);
    const task = await the.api.task(firing(delivered).tasks[0], 'passed');
    const page = await the.page(mode);
    await visit(page, '/triggers');
    const line = row(page, trigger);
    await line.getByText('at the next delivery').waitFor();
    await line.getByText('last delivery').waitFor();
    await line.getByRole('link', { name: `#${task.id} passed` }).click();
    await page.waitForURL(new RegExp(`/tasks/${task.id}$`));
    await settled(page);
    await page.getByRole('link', { name: `webhook, pushed-${word}` }).click();
    await page.waitForURL(/\/firings\/\d+$/);
    await settled(page);
    await page.getByRole('heading', { name: 'Push to main', level: 2 }).waitFor();
    await page.getByRole('heading', { name: 'Signature matches' }).waitFor();
    await page.getByRole('heading', { name: 'All 2 rules are true' }).waitFor();
    const text = await page.getByRole('main').innerText();
    assert.doesNotMatch(text, /leaked-canary|sha256=/, 'nothing that sounds like a secret is shown');
    assert.match(text, /"full_name": "money\/ledger"/);
    await page.getByRole('link', { name: `pushed-${word} #${task.id} passed` }).first().click();
    await page.waitForURL(new RegExp(`/tasks/${task.id}$`));
  });

  test(`what started nothing says why, with the rule and what it saw, and is replayed (${mode.name})`, async () => {
    const { trigger } = await set(`silent-${word}`);
    const delivered = await deliver(the.server, trigger, push('feature/csv-export'));
    const page = await the.page(mode);
    await visit(page, '/triggers');
    await row(page, trigger).getByText('branch feature/csv-export is not main').waitFor();
    await row(page, trigger).getByRole('link', { name: 'started nothing' }).click();
    await page.waitForURL(new RegExp(`/firings/${firing(delivered).firing}$`));
    await settled(page);
    await page.getByText('This is as configured; nothing is broken.').waitFor();
    await page.getByRole('heading', { name: 'Rules: 2 asked, 1 false' }).waitFor();
    const rule = page.getByRole('row', { name: /false branch == main/ });
    assert.match(await rule.innerText(), /feature\/csv-export/);
    await shoot(page, `firing-nothing-${word}`, { fullPage: true });

    await the.api.call('PUT', `/triggers/${trigger.id}`, { version: trigger.version, rules: ['branch == feature/*'] });
    await page.getByRole('button', { name: 'Replay' }).click();
    await page.waitForURL((url) => /\/firings\/\d+$/.test(url.pathname) && !url.pathname.endsWith(`/${firing(delivered).firing}`));
    await settled(page);
    await page.getByRole('heading', { name: 'The rule is true' }).waitFor();
    await page.getByRole('link', { name: `replay of firing ${firing(delivered).firing}` }).waitFor();
    assert.equal((await the.api.get(`/triggers/${trigger.id}/firings?verdict=started`)).items.length, 1);
  });

  test(`a wrong secret is explained where the address stands, and counts as unwell (${mode.name})`, async () => {
    const { trigger } = await set(`refused-${word}`);
    const refused = await deliver(the.server, trigger, push('main'), { signedBy: 'another secret' });
    assert.equal(refused.status, 404);
    const page = await the.page(mode);
    await visit(page, '/triggers?is=unwell');
    await row(page, trigger).getByText('last delivery refused').waitFor();
    assert.ok(Number(await page.getByRole('link', { name: /^Unwell/ }).locator('.n-bad').innerText()) >= 1);
    await visit(page, `/triggers/${trigger.id}`);
    await page.getByRole('alert').or(page.locator('.note-st')).getByText('last delivery refused').waitFor();
    assert.equal(await page.locator('.cmd code').innerText(), trigger.url);
    await page.locator('summary').filter({ hasText: 'Refused deliveries' }).click();
    await page.getByText('does not match').waitFor();
    await shoot(page, `trigger-refused-${word}`, { fullPage: true });
  });

  test(`a trigger is switched off and on, fired by hand and removed (${mode.name})`, async () => {
    const { trigger } = await set(`switched-${word}`);
    const page = await the.page(mode);
    await visit(page, '/triggers');
    const line = row(page, trigger);
    await line.getByRole('switch', { name: `switched-${word} is on` }).click();
    await line.getByRole('switch', { name: `switched-${word} is off` }).waitFor();
    assert.equal((await the.api.get(`/triggers/${trigger.id}`)).enabled, false);
    await line.getByRole('switch').click();
    await line.getByRole('switch', { name: `switched-${word} is on` }).waitFor();

    await settled(page);
    await line.locator('summary').click();
    assert.equal(await line.getByRole('link', { name: 'Edit' }).getAttribute('href'), `/triggers/${trigger.id}/edit`);
    assert.equal(await line.getByRole('link', { name: 'Duplicate' }).getAttribute('href'), `/triggers/new?from=${trigger.id}`);
    await line.getByRole('button', { name: 'Fire now' }).click();
    await page.waitForURL(/\/firings\/\d+$/);
    await settled(page);
    await page.getByRole('heading', { name: 'Fired by hand', level: 2 }).waitFor();
    await page.getByText('By ada, without asking the rules.').waitFor();

    await visit(page, `/triggers/${trigger.id}`);
    await page.getByRole('link', { name: 'Remove' }).click();
    await page.getByRole('heading', { name: `Remove switched-${word}?` }).waitFor();
    await page.getByRole('button', { name: 'Remove it' }).click();
    await page.waitForURL(/\/triggers$/);
    await visit(page, `/triggers/${trigger.id}`, { status: 404 });
  });

  test(`triggers are found by kind and words, firings by what came of them, all in the address (${mode.name})`, async () => {
    const { plan, trigger } = await set(`found-${word}`);
    const cron = await the.api.post('/triggers', {
      name: `nightly-${word}`, kind: 'cron', plan_id: plan.id, config: { cron: '30 2 * * *', zone: 'Europe/Berlin' },
    });
    const after = await the.api.post('/triggers', {
      name: `after-${word}`, kind: 'upstream', plan_id: (await set(`target-${word}`)).plan.id, config: { plans: [plan.id] },
    });
    await deliver(the.server, trigger, push('main'));
    await deliver(the.server, trigger, push('other'));
    const page = await the.page(mode);
    await visit(page, '/triggers');
    await page.getByRole('link', { name: /^Cron/ }).click();
    await page.waitForURL(/is=cron/);
    await row(page, cron).getByText(/, 02:30, Europe\/Berlin/).waitFor();
    await until('no other kind is listed', async () => (await row(page, trigger).count()) === 0);
    const search = page.getByRole('searchbox', { name: 'Search triggers' });
    await search.fill(`nightly-${word}`);
    await search.press('Enter');
    await page.waitForURL(/q=nightly/);
    await settled(page);
    assert.match(page.url(), /is=cron/);
    await until('one is listed', async () => (await page.locator('tbody tr').count()) === 1);

    await visit(page, '/triggers?is=upstream');
    await row(page, after).getByRole('link', { name: `found-${word}`, exact: true }).waitFor();

    await visit(page, `/plans/${plan.id}`);
    await row(page, cron).getByText(/02:30/).first().waitFor();
    assert.equal(await page.getByRole('link', { name: 'Add a trigger' }).getAttribute('href'), `/triggers/new?plan=${plan.id}`);

    await visit(page, `/triggers/${trigger.id}?verdict=nothing`);
    await page.getByRole('row', { name: /started nothing/ }).waitFor();
    assert.equal(await page.locator('tbody tr').count(), 1);
    await visit(page, '/firings');
    await page.getByRole('link', { name: 'Started', exact: true }).click();
    await page.waitForURL(/verdict=started/);
    await page.locator('a.alink', { hasText: `found-${word} #` }).first().waitFor();
    await until('no other verdict is listed', async () => (await page.getByText('started nothing', { exact: true }).count()) === 0);
  });
}

for (const mode of modes) {
  test(`a poll looks when one asks it to, and what it found starts a task (${mode.name})`, async () => {
    const name = `polled-${mode.scripts ? 'live' : 'plain'}`;
    const repository = await Repository.make([{ message: 'First', files: { a: 'a' } }]);
    try {
      const plan = await the.api.makePlan(`name: ${name}\nsource: { git: "${repository.path}" }\nsteps: [{ run: cat a }]\n`);
      const trigger = await the.api.post('/triggers', { name, kind: 'poll', plan_id: plan.id, config: { git: repository.path, every: '1h' } });
      await until('it has looked once', async () => (await the.api.get(`/triggers/${trigger.id}`)).health.state === 'well');
      const revision = await repository.commit({ message: 'Second', files: { a: 'b' } });
      const page = await the.page(mode);
      await visit(page, `/triggers/${trigger.id}`);
      await page.getByText('every hour').first().waitFor();
      await page.getByRole('button', { name: 'Check now' }).click();
      if (mode.scripts) await page.getByRole('status').filter({ hasText: 'Checked: ' }).getByRole('link', { name: /^Firing \d+/ }).waitFor();
      await page.locator('a.alink', { hasText: `${name} #` }).first().waitFor();
      const [fired] = (await the.api.get(`/triggers/${trigger.id}/firings`)).items;
      const task = await the.api.task(fired.tasks[0].id, 'passed');
      assert.equal(task.revision, revision);
      await visit(page, `/firings/${fired.id}`);
      await page.getByRole('heading', { name: 'Something new was found' }).waitFor();
    } finally {
      await repository.remove();
    }
  });
}

test('a delivery changes list, trigger and firings before one\'s eyes, and an open menu stays open', async () => {
  const { trigger } = await set('watched');
  const [list, one, all] = [await the.page(hydrated), await the.page(hydrated), await the.page(hydrated)];
  await visit(list, '/triggers');
  await visit(one, `/triggers/${trigger.id}`);
  await visit(all, '/firings');
  await one.getByText('It waits for its first delivery.').waitFor();
  await row(list, trigger).locator('summary').click();
  const delivered = await deliver(the.server, trigger, push('main'));
  const task = firing(delivered).tasks[0];
  await row(list, trigger).getByRole('link', { name: `#${task} passed` }).waitFor();
  assert.equal(await row(list, trigger).getByRole('button', { name: 'Fire now' }).isVisible(), true);
  await one.getByRole('link', { name: `watched #${task} passed` }).waitFor();
  await one.getByText('It waits for its first delivery.').waitFor({ state: 'detached' });
  await all.getByRole('link', { name: `watched #${task} passed` }).waitFor();
});

test('what another implementation of Standard Webhooks signs is believed, and only while it is fresh and whole', async () => {
  const plan = await the.api.makePlan('name: signed-elsewhere\nsteps: [{ run: echo hello }]\n');
  const key = `whsec_${Buffer.from('twenty-four bytes, or so').toString('base64')}`;
  const config = { provider: 'generic', signing: 'standard', secret: key };
  const trigger = await the.api.post('/triggers', { name: 'signed-elsewhere', kind: 'webhook', plan_id: plan.id, config });
  const signer = new Webhook(key);
  const send = async ({ at = new Date(), body = JSON.stringify({ event: 'built' }), altered = body, by = signer } = {}) => {
    const id = `msg_${randomUUID()}`;
    const headers = {
      'content-type': 'application/json', 'webhook-id': id, 'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
      'webhook-signature': by.sign(id, at, body),
    };
    return fetch(the.server.url + new URL(trigger.url).pathname, { method: 'POST', headers, body: altered });
  };
  const taken = await send();
  assert.equal(taken.status, 202);
  assert.equal((await taken.json()).firings[0].verdict, 'started');
  const unknown = await fetch(`${the.server.url}/hooks/nobody`, { method: 'POST', body: '{}' });
  const refused = [
    { altered: JSON.stringify({ event: 'other' }) }, { at: new Date(Date.now() - 3_600_000) }, { by: new Webhook(`whsec_${Buffer.from('another').toString('base64')}`) },
  ];
  for (const what of refused) assert.equal((await send(what)).status, unknown.status, JSON.stringify(what));
});

test('what fires all day long is a line with its words among the next 24 hours, not a wall of bars', async () => {
  const plan = await the.api.makePlan("name: busy\nsteps: [{ run: 'true' }]\n");
  // From six hours on, for thirteen: nothing of it fires while this test runs.
  const hours = Array.from({ length: 13 }, (_, i) => (new Date().getUTCHours() + 6 + i) % 24).sort((a, b) => a - b);
  const cron = (name, expression) => the.api.post('/triggers', { name, kind: 'cron', plan_id: plan.id, config: { cron: expression } });
  const beat = await cron('heartbeat', `*/10 ${hours} * * *`);
  const nightly = await cron('once-a-day', `30 ${hours.at(-1)} * * *`);
  const page = await the.page({ ...hydrated });
  await visit(page, '/triggers');
  const soon = page.getByRole('region', { name: 'Next 24 hours' });
  const often = soon.getByRole('list', { name: 'All day long' });
  assert.match(await often.innerText(), /heartbeat\s+every 10 minutes/);
  const bars = await soon.locator('svg').first().locator('rect').count();
  // Of the other one, of what earlier tests left, and at most two lines for the thirteen hours.
  assert.ok(bars < 13, `${bars} bars`);
  await shoot(page, 'triggers-busy');
  assert.equal(await often.getByRole('link', { name: 'heartbeat' }).getAttribute('href'), `/triggers/${beat.id}`);
  await page.goto('about:blank');
  for (const { id } of [beat, nightly]) await the.api.call('DELETE', `/triggers/${id}`);
});
