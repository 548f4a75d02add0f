// Repositories: made, tested, edited, removed; how each is since when; what opens one is never shown; what its forge was told.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { violations } from '../harness/axe.mjs';
import { Repository } from '../harness/repository.mjs';
import { until } from '../harness/until.mjs';
import { fillSignIn, hydrated, modes, settled, shoot, visit, world } from '../harness/world.mjs';

const the = world();
const canary = 'hunter2-canary-88d1';
const hostile = `odd <b>"name"</b> '&amp;'`;
let source, forge;

/** A forge that takes statuses of `money/ledger`, refuses others, and answers git with nothing. */
async function startForge() {
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      const taken = request.url.includes('/money/ledger/statuses/');
      response.writeHead(taken ? 201 : 403, { 'content-type': 'application/json' });
      response.end(taken ? '{}' : '{"message":"no <i>write</i> there"}');
    });
  }).listen(0, '127.0.0.1');
  await new Promise((listening) => server.once('listening', listening));
  return { url: `http://127.0.0.1:${server.address().port}`, stop: () => server.close() };
}

before(async () => {
  source = await Repository.make([{ message: 'one', files: { 'a.txt': 'a' } }]);
  await source.git('tag', 'v1');
  forge = await startForge();
});
after(async () => {
  await source?.remove();
  forge?.stop();
});

const everything = (page) =>
  page.evaluate(() => document.documentElement.outerHTML + [...document.querySelectorAll('input, textarea')].map((f) => f.value).join('\n'));
const one = async (name) => (await the.api.get('/repositories?limit=200')).items.find((r) => r.name === name);

test('an empty list says what repositories are for and offers the first', async () => {
  for (const mode of modes) {
    const page = await the.page(mode);
    await visit(page, '/admin/repositories');
    await page.getByRole('heading', { name: 'No repositories yet' }).waitFor();
    await page.getByRole('link', { name: 'Add the first repository' }).click();
    await page.getByRole('heading', { name: 'New repository', level: 1 }).waitFor();
  }
});

for (const mode of modes) {
  const word = mode.scripts ? 'live' : 'plain';

  test(`one is made, and what opens it is on no page (${mode.name})`, async () => {
    const page = await the.page({ ...mode, allow: [/status of 422/] });
    const fill = async (name, url) => {
      await page.getByLabel('Name', { exact: true }).fill(name);
      await page.getByLabel('URL').fill(url);
      await page.getByLabel('Or with something new').fill(canary);
      await page.getByRole('button', { name: 'Add the repository' }).click();
    };
    await visit(page, '/admin/repositories/new');
    await fill(`${hostile} ${word}`, 'https://user:password@git.example/a/b.git');
    await page.locator('[id="draft[url]-error"]').waitFor();
    assert.equal(await page.getByLabel('Name', { exact: true }).inputValue(), `${hostile} ${word}`, 'what was typed is there');
    if (!mode.scripts) assert.equal((await everything(page)).includes(canary), false, 'but not what opens it');

    await fill(`${hostile} ${word}`, source.path);
    await page.waitForURL(/\/admin\/repositories\/\d+$/);
    await page.getByRole('heading', { name: `${hostile} ${word}`, level: 1 }).waitFor();
    await settled(page);
    await page.getByText('not asked yet').waitFor();
    assert.equal((await everything(page)).includes(canary), false);
    const made = await one(`${hostile} ${word}`);
    assert.ok(made.secret_id > 0);
    await page.getByRole('main').getByRole('link', { name: /^REPOSITORY_ODD/ }).click();
    await page.getByRole('heading', { name: 'Used by' }).waitFor();
    await page.getByRole('link', { name: `${hostile} ${word}` }).waitFor();
    await page.getByText('is opened with it').waitFor();
  });

  test(`the connection is tested, and what git said is there (${mode.name})`, async () => {
    const good = await the.api.post('/repositories', { name: `good ${word}`, url: source.path });
    const bad = await the.api.post('/repositories', { name: `bad ${word}`, url: '/nowhere/<script>/at-all.git' });
    const page = await the.page(mode);
    await visit(page, `/admin/repositories/${good.id}`);
    await page.getByRole('button', { name: 'Test the connection' }).click();
    const said = page.getByRole('status');
    await said.getByText('It was read: 1 branch and 1 tag.').waitFor();
    await said.getByText('Its default branch is main.').waitFor();
    await until('its health is told', () => page.getByText('healthy', { exact: true }).isVisible());

    await visit(page, `/admin/repositories/${bad.id}`);
    await page.getByRole('button', { name: 'Test the connection' }).click();
    await said.getByText('Missing.').waitFor();
    await said.getByText('could not be read').waitFor();
    await shoot(page, `repository-tested-${word}`);
    await visit(page, '/admin/repositories');
    const row = page.getByRole('row', { name: new RegExp(`^bad ${word}`) });
    await row.getByText('missing', { exact: true }).waitFor();
    await row.getByText('since').waitFor();
    await row.getByText('could not be read').waitFor();
  });

  test(`it is edited over the version that is shown, and gets another secret (${mode.name})`, async () => {
    const made = await the.api.post('/repositories', { name: `edited ${word}`, url: 'https://git.example/a/b.git', secret: 'first' });
    const page = await the.page({ ...mode, allow: [/status of 409/] });
    await visit(page, `/admin/repositories/${made.id}/edit`);
    await the.api.call('PUT', `/repositories/${made.id}`, { version: 1, url: 'https://git.example/a/theirs.git' });
    await page.getByLabel('URL').fill('https://git.example/a/mine.git');
    await page.getByRole('button', { name: 'Save it' }).click();
    await page.getByRole('alert').getByText('was changed meanwhile').waitFor();
    await page.getByText('takes the place of what was saved meanwhile').waitFor();
    assert.equal(await page.getByLabel('URL').inputValue(), 'https://git.example/a/mine.git');
    assert.equal((await one(`edited ${word}`)).url, 'https://git.example/a/theirs.git');
    if (mode.scripts) await until('it is read again', async () => (await page.locator('[name="draft[version]"]').inputValue()) === '2');
    await page.getByLabel('Or with something new').fill(canary);
    await page.getByRole('button', { name: 'Save it' }).click();
    await page.waitForURL(/\/admin\/repositories\/\d+$/);
    await settled(page);
    const now = await one(`edited ${word}`);
    assert.deepEqual([now.url, now.version, now.secret_id], ['https://git.example/a/mine.git', 3, made.secret_id]);
    assert.equal((await the.api.get(`/secrets/${now.secret_id}`)).version, 2, 'the same secret, set anew');
    assert.equal((await everything(page)).includes(canary), false);
  });

  test(`it is removed after a question, and not while something names it (${mode.name})`, async () => {
    const made = await the.api.post('/repositories', { name: `doomed ${word}`, url: source.path });
    const plan = await the.api.makePlan(`name: looks-${word}\nsteps: [{ run: echo one }]\n`);
    const trigger = await the.api.post('/triggers', { name: `look ${word}`, kind: 'poll', plan_id: plan.id, enabled: false, config: { repository_id: made.id } });
    const page = await the.page(mode.scripts ? mode : { ...mode, width: 360, height: 740 });
    await visit(page, `/admin/repositories/${made.id}`);
    await page.getByRole('link', { name: `look ${word}` }).waitFor();
    await page.getByRole('link', { name: 'Remove' }).click();
    await page.getByText('It is in use.').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Remove it' }).count(), 0);
    await the.api.call('DELETE', `/triggers/${trigger.id}`);
    await visit(page, `/admin/repositories/${made.id}/remove`);
    await page.getByRole('button', { name: 'Remove it' }).click();
    await page.waitForURL(/\/admin\/repositories$/);
    await until('it is gone from the list', async () => (await page.getByRole('link', { name: `doomed ${word}` }).count()) === 0);
    assert.equal(await one(`doomed ${word}`), undefined);
  });

  test(`what its forge was told stands at the repository and at the task (${mode.name})`, async () => {
    const told = {};
    for (const [name, sending] of [['ledger', 'taken'], ['billing', 'refused']]) {
      const url = `${forge.url}/${word === 'live' ? 'money' : 'MONEY'}/${name}.git`;
      const wish = { name: `${name} ${word}`, url, provider: 'gitea', api: `${forge.url}/api/v1`, secret: 'tok' };
      const repository = (await one(wish.name)) ?? (await the.api.post('/repositories', { ...wish, url: url.replace('MONEY', 'money') }));
      const plan = await the.api.makePlan(`name: ${name}-${word}\nsource: { git: '${repository.url}' }\nsteps: [{ run: echo one }]\n`);
      const task = await the.api.post(`/plans/${plan.id}/tasks`, { revision: '4e81b02a77d94e81b02a77d94e81b02a77d94e81' });
      await the.api.task(task.id);
      const newest = await until(`the forge was told of ${name}`, async () => {
        const { items } = await the.api.get(`/tasks/${task.id}/statuses`);
        return items.find((s) => s.repository_id === repository.id && s.state === 'failure' && s.sending === sending);
      });
      told[name] = { repository, task, newest };
    }
    const page = await the.page(mode);
    await visit(page, `/tasks/${told.ledger.task.id}`);
    const line = (name) => page.locator('p.facts', { has: page.getByRole('link', { name: `${name} ${word}` }) });
    await line('ledger').getByText('taken', { exact: true }).waitFor();
    await line('ledger').getByText('failure: Failed').waitFor();
    await visit(page, `/tasks/${told.billing.task.id}`);
    await line('billing').getByText('refused', { exact: true }).waitFor();
    await line('billing').getByText('no <i>write</i> there').waitFor();
    await shoot(page, `task-told-${word}`);
    await line('billing').getByRole('link').click();
    const row = page.getByRole('row', { name: /^refused/ }).filter({ hasText: `#${told.billing.task.id}` }).first();
    await row.getByText('no <i>write</i> there').waitFor();
    await page.getByRole('main').getByRole('link', { name: `billing-${word}` }).waitFor();
  });

  test(`who may only read sees how they are without acts (${mode.name})`, async () => {
    const made = await the.api.post('/repositories', { name: `seen ${word}`, url: source.path });
    const name = `eve-${word}`;
    await the.server.cli(['user', 'add', name, '--role', 'viewer', '--password-stdin'], 'correct horse battery\n');
    const page = await the.page({ ...mode, signedIn: false });
    await visit(page, '/login');
    await fillSignIn(page, { name, password: 'correct horse battery' });
    for (const path of ['/admin/repositories', `/admin/repositories/${made.id}`, `/admin/repositories/${made.id}/remove`]) {
      await visit(page, path);
      await page.getByText(`seen ${word}`).first().waitFor();
      assert.equal(await page.getByRole('main').locator('form').count(), 0, path);
    }
    await visit(page, '/admin/repositories/new', { status: 403 });
    await visit(page, `/admin/repositories/${made.id}/edit`, { status: 403 });
  });
}

test('every page of repositories is accessible and good at any width, light and dark', async () => {
  const name = 'a-repository-with-a-rather-long-name-that-has-to-go-somewhere-or-be-cut';
  const url = `https://git.example.org/${'a-rather-long-group/'.repeat(6)}${name}.git`;
  const long = await the.api.post('/repositories', { name, url, provider: 'gitlab', secret: 'x' });
  const told = (await the.api.get('/repositories?limit=200')).items.find((r) => r.name.startsWith('billing'));
  const at = (id) => `/admin/repositories/${id}`;
  const pages = { list: '/admin/repositories', new: '/admin/repositories/new', one: at(long.id), told: at(told.id), edit: `${at(long.id)}/edit`, remove: `${at(long.id)}/remove` };
  const wrong = [];
  for (const scheme of ['light', 'dark']) {
    for (const [width, height] of [[1280, 900], [800, 900], [360, 740]]) {
      const page = await the.page({ ...hydrated, scheme, width, height });
      for (const [name, path] of Object.entries(pages)) {
        await visit(page, path);
        await shoot(page, `repositories-${name}-${scheme}-${width}`, { fullPage: true });
        wrong.push(...(await violations(page)).map((what) => `${name} ${scheme} ${width}: ${what}`));
        const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        if (over > 0) wrong.push(`${name} is ${over} px wider than ${width}`);
      }
    }
  }
  assert.deepEqual(wrong, []);
});

test('a phone reaches the lists of administration by tabs', async () => {
  const page = await the.page({ ...hydrated, width: 360, height: 740 });
  await visit(page, '/admin/secrets');
  const tabs = page.getByRole('navigation', { name: 'Administration' });
  await tabs.getByRole('link', { name: 'Repositories' }).click();
  await page.getByRole('heading', { name: 'Repositories', level: 1 }).waitFor();
  await tabs.getByRole('link', { name: 'Hooks' }).click();
  await page.getByRole('heading', { name: 'Hooks', level: 1 }).waitFor();
});
