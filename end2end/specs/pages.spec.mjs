// What holds on every page: the right status, no fault, accessible in light and dark, good on a phone, the theme kept.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { violations } from '../harness/axe.mjs';
import { deliver, makeTrigger, push } from '../harness/hooks.mjs';
import { hydrated, modes, plain, shoot, visit, world } from '../harness/world.mjs';

const pages = { queue: '/', finished: '/?is=finished', plans: '/plans', 'new plan': '/plans/new', agents: '/agents', me: '/me' };

const the = world({ prepare: fill });

async function fill(the) {
  const good = await the.api.makePlan(
    'name: builds-and-tests\nsteps:\n  - name: build\n    run: |\n      printf "\\033[32mgreen\\033[0m and plain\\n"\n      for i in $(seq 1 40); do echo "line $i"; done\n',
  );
  const bad = await the.api.makePlan('name: deploys\nsteps:\n  - { name: prepare, run: echo ready }\n  - { name: roll out, run: "echo no such host >&2; exit 7" }\n');
  const passed = await the.api.task((await the.api.runPlan(good)).id);
  const failed = await the.api.task((await the.api.runPlan(bad)).id);
  Object.assign(pages, {
    plan: `/plans/${good.id}`, edit: `/plans/${good.id}/edit`, 'delete': `/plans/${good.id}/delete`,
    agent: `/agents/${(await the.api.agentOnline('builtin')).id}`, 'new agent': '/agents/new',
    ...(await triggers(the, good, bad)),
    'task passed': `/tasks/${passed.id}`, 'task failed': `/tasks/${failed.id}`,
  });
}

/** A trigger of each kind, one of them well, one unwell, one off, and what they decided. */
async function triggers(the, good, bad) {
  const main = ['event == push', 'branch == main'];
  const well = await makeTrigger(the.api, good, { name: 'main-push', rules: main, parameters: {}, priority: 10 });
  const unwell = await makeTrigger(the.api, bad, { name: 'release-push', rules: ['event == push', 'branch == release/*', 'path == src/**'] });
  const cron = (name, config) => the.api.post('/triggers', { name, kind: 'cron', plan_id: good.id, config });
  await cron('nightly', { cron: '30 2 * * *', zone: 'Europe/Berlin' });
  const off = await cron('load-test', { cron: '0 23 * * FRI' });
  await the.api.call('PUT', `/triggers/${off.id}/disable`);
  await the.api.post('/triggers', { name: 'deploy-after-build', kind: 'upstream', plan_id: bad.id, config: { plans: [good.id], branch: 'main' } });
  const started = await deliver(the.server, well, push('main'));
  await the.api.task(started.said.firings[0].tasks[0]);
  const nothing = await deliver(the.server, unwell, push('feature/csv-export'));
  await deliver(the.server, unwell, push('release/3.14'), { signedBy: 'the wrong secret' });
  return {
    triggers: '/triggers', 'new trigger': '/triggers/new', 'edit trigger': `/triggers/${well.id}/edit`, trigger: `/triggers/${well.id}`, 'try trigger': `/triggers/${well.id}/try`, 'trigger unwell': `/triggers/${unwell.id}`, 'remove trigger': `/triggers/${well.id}/remove`,
    firings: '/firings', 'firing started': `/firings/${started.said.firings[0].firing}`, 'firing nothing': `/firings/${nothing.said.firings[0].firing}`,
  };
}

for (const scheme of ['light', 'dark']) {
  test(`every page is accessible (${scheme})`, async () => {
    const found = {};
    for (const [name, path] of Object.entries(pages)) {
      const page = await the.page({ ...hydrated, scheme, width: 1440, height: 900 });
      await visit(page, path);
      await shoot(page, `${name.replaceAll(' ', '-')}-${scheme}`);
      found[name] = await violations(page);
    }
    for (const path of ['/login', '/nowhere']) {
      const page = await the.page({ ...hydrated, scheme, signedIn: path !== '/login' });
      await visit(page, path, { status: path === '/login' ? 200 : 404 });
      await shoot(page, `${path.slice(1)}-${scheme}`);
      found[path] = await violations(page);
    }
    const bad = Object.entries(found).filter(([, all]) => all.length > 0).map(([name, all]) => `${name}:\n  ${all.join('\n  ')}`);
    assert.equal(bad.join('\n'), '');
  });
}

for (const mode of modes) {
  test(`no page is wider than a phone (${mode.name})`, async () => {
    const wide = [];
    const page = await the.page({ ...mode, width: 360, height: 740 });
    for (const [name, path] of Object.entries(pages)) {
      await visit(page, path);
      await shoot(page, `${name.replaceAll(' ', '-')}-360-${mode.scripts ? 'live' : 'plain'}`);
      const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (over > 0) wide.push(`${name} by ${over} px`);
    }
    assert.deepEqual(wide, []);
  });
}

test('pages that are not there say 404 and the way on, on the server already', async () => {
  for (const path of ['/nowhere', '/plans/4711', '/tasks/4711', '/plans/4711/edit', '/plans/4711/delete', '/agents/4711', '/agents/4711/remove', '/triggers/4711', '/triggers/4711/remove', '/triggers/4711/try', '/firings/4711', '/firings/x']) {
    const page = await the.page(plain);
    await visit(page, path, { status: 404 });
    await page.getByRole('heading', { name: 'Not found', level: 1 }).waitFor();
    await page.getByRole('link', { name: 'Open the queue' }).waitFor();
  }
});

for (const mode of modes) {
  test(`a chosen theme is there from the first byte on (${mode.name})`, async () => {
    const page = await the.page({ ...mode, scheme: 'light' });
    await visit(page, '/me');
    const theme = () => page.locator('html').getAttribute('data-theme');
    assert.equal(await theme(), null, 'the system decides at first');
    const saved = page.waitForResponse((response) => response.request().method() === 'POST');
    await page.getByRole('main').getByRole('button', { name: 'Ink' }).click();
    await saved;
    await visit(page, '/');
    assert.equal(await theme(), 'ink');
    assert.match(await (await page.request.get('/')).text(), /<html[^>]*data-theme="ink"/, 'and in the HTML itself');
  });
}

test('one moves by keyboard: skip link, main region, menu', async () => {
  const page = await the.page(hydrated);
  await visit(page, '/');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement?.textContent), 'Skip to content');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement?.id), 'main');
});

test('a link is followed without loading the document again', async () => {
  const page = await the.page(hydrated);
  await visit(page, '/');
  await page.evaluate(() => (globalThis.sameDocument = true));
  for (const [link, heading] of [['Plans', 'Plans'], ['Triggers', 'Triggers'], ['Agents', 'Agents'], ['Queue', 'Queue']]) {
    await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: link }).click();
    await page.getByRole('heading', { name: heading, level: 1 }).waitFor();
  }
  assert.equal(await page.evaluate(() => globalThis.sameDocument), true);
});
