// Secrets: added, set anew over what stands there, removed; never shown again, and no more than a list to who may only read.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { violations } from '../harness/axe.mjs';
import { fillSignIn, hydrated, modes, settled, shoot, visit, world } from '../harness/world.mjs';

const the = world();
const canary = 'hunter2-canary-51c9';

/** What the page is made of, and what stands in its fields. */
const everything = (page) =>
  page.evaluate(() => document.documentElement.outerHTML + [...document.querySelectorAll('input, textarea')].map((f) => f.value).join('\n'));

const secretOf = async (name) => (await the.api.get('/secrets?limit=200')).items.find((secret) => secret.name === name);

test('an empty list says what secrets are for and offers the first', async () => {
  for (const mode of modes) {
    const page = await the.page(mode);
    await visit(page, '/admin/secrets');
    await page.getByRole('heading', { name: 'No secrets yet' }).waitFor();
    await shoot(page, `secrets-empty-${mode.scripts ? 'live' : 'plain'}`);
    await page.getByRole('link', { name: 'Add the first secret' }).click();
    await page.getByRole('heading', { name: 'New secret', level: 1 }).waitFor();
  }
});

for (const mode of modes) {
  const word = mode.scripts ? 'LIVE' : 'PLAIN';

  test(`a secret is added, and its value is on no page again (${mode.name})`, async () => {
    const plan = await the.api.makePlan(`name: deploys-${word.toLowerCase()}\nsteps: [{ run: echo one }]\n`);
    const page = await the.page({ ...mode, allow: [/status of 422/, /status of 409/] });
    await visit(page, '/admin/secrets/new');
    await page.getByLabel('Name', { exact: true }).fill(`deploy ${word}`);
    await page.getByLabel('For').selectOption(`plan ${plan.name}`);
    await page.getByLabel('Value').fill(canary);
    await page.getByRole('button', { name: 'Add the secret' }).click();
    await page.getByText('has capital letters, digits and').waitFor();
    if (!mode.scripts) assert.equal((await everything(page)).includes(canary), false, 'refused, the value does not come back');
    assert.equal(page.url().includes('hunter2'), false);

    await page.getByLabel('Name', { exact: true }).fill(`DEPLOY_${word}`);
    await page.getByLabel('For').selectOption(`plan ${plan.name}`);
    await page.getByLabel('Value').fill(`${canary}\nsecond line\n`);
    await page.getByRole('button', { name: 'Add the secret' }).click();
    await page.waitForURL(/\/admin\/secrets$/);
    await settled(page);
    const row = page.getByRole('row', { name: new RegExp(`^DEPLOY_${word}`) });
    await row.getByRole('link', { name: plan.name }).waitFor();
    await row.getByText('by ada').waitFor();
    assert.equal((await everything(page)).includes(canary), false);
    assert.equal((await secretOf(`DEPLOY_${word}`)).plan.id, plan.id);

    // The same name again, for the same plan.
    await visit(page, '/admin/secrets/new');
    await page.getByLabel('Name', { exact: true }).fill(`DEPLOY_${word}`);
    await page.getByLabel('For').selectOption(`plan ${plan.name}`);
    await page.getByLabel('Value').fill(canary);
    await page.getByRole('button', { name: 'Add the secret' }).click();
    await page.getByRole('alert').getByText(`There is a secret \`DEPLOY_${word}\` already.`).waitFor();
  });

  test(`it is set over the version that is shown, and who set it meanwhile is named (${mode.name})`, async () => {
    const made = await the.api.post('/secrets', { name: `STALE_${word}`, value: 'one' });
    const page = await the.page({ ...mode, allow: [/status of 409/] });
    await visit(page, '/admin/secrets');
    await page.getByRole('link', { name: `Set anew STALE_${word}` }).click();
    await page.getByRole('heading', { name: `STALE_${word}`, level: 1 }).waitFor();
    await settled(page);

    await the.api.call('PUT', `/secrets/${made.id}`, { version: 1, value: 'theirs' });
    await page.getByLabel('New value').fill(canary);
    await page.getByRole('button', { name: 'Set version 2' }).click();
    await page.getByRole('alert').getByText(`STALE_${word} was set by ada meanwhile and is at version 2 now.`).waitFor();
    await shoot(page, `secret-stale-${mode.scripts ? 'live' : 'plain'}`);
    assert.equal((await secretOf(`STALE_${word}`)).version, 2, 'theirs still stands');
    if (!mode.scripts) assert.equal((await everything(page)).includes(canary), false, 'the value does not come back');

    await page.getByLabel('New value').fill(canary);
    await page.getByRole('button', { name: 'Set version 3' }).click();
    await page.waitForURL(/\/admin\/secrets$/);
    await settled(page);
    assert.equal((await secretOf(`STALE_${word}`)).version, 3);
    assert.equal((await everything(page)).includes(canary), false);
  });

  test(`it is removed after a question (${mode.name})`, async () => {
    await the.api.post('/secrets', { name: `DOOMED_${word}`, value: 'x' });
    const page = await the.page(mode.scripts ? mode : { ...mode, width: 360, height: 740 });
    await visit(page, '/admin/secrets');
    const row = page.getByRole('row', { name: new RegExp(`^DOOMED_${word}`) });
    await row.locator('summary').focus();
    await page.keyboard.press('Enter');
    await row.getByText('It cannot be brought back.').waitFor();
    await shoot(page, `secret-remove-${mode.scripts ? 'live' : 'plain'}`);
    assert.notEqual(await secretOf(`DOOMED_${word}`), undefined, 'asking removes nothing');
    await row.getByRole('button', { name: 'Remove it' }).click();
    await row.waitFor({ state: 'detached' });
    assert.equal(await secretOf(`DOOMED_${word}`), undefined);
  });

  test(`who may only read sees the list without acts, and no way there (${mode.name})`, async () => {
    const name = `eve-${word.toLowerCase()}`;
    const made = await the.api.post('/secrets', { name: `SEEN_${word}`, value: 'x' });
    await the.server.cli(['user', 'add', name, '--role', 'viewer', '--password-stdin'], 'correct horse battery\n');
    const page = await the.page({ ...mode, signedIn: false });
    await visit(page, '/login');
    await fillSignIn(page, { name, password: 'correct horse battery' });
    await visit(page, '/admin/secrets');
    await page.getByRole('row', { name: new RegExp(`^SEEN_${word}`) }).waitFor();
    const acts = () => page.getByRole('main').locator('form, summary, a[href^="/admin/secrets/"]').count();
    assert.equal(await acts(), 0);
    assert.equal(await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Secrets' }).count(), 0);
    await visit(page, `/admin/secrets/${made.id}`);
    await page.getByText('the whole project').waitFor();
    assert.equal(await page.getByRole('main').locator('form').count(), 0);
    await visit(page, '/admin/secrets/new', { status: 403 });
  });
}

test('every page of secrets is accessible and good at any width, light and dark', async () => {
  const plan = await the.api.makePlan('name: a-plan-with-a-rather-long-name-that-has-to-go-somewhere\nsteps: [{ run: echo one }]\n');
  await the.api.post('/secrets', { name: 'A_RATHER_LONG_NAME_OF_A_TOKEN_THAT_REPORTS_RESULTS_TO_A_FORGE', plan_id: plan.id, value: 'x' });
  const made = await the.api.post('/secrets', { name: 'REGISTRY_TOKEN', value: 'x' });
  const pages = { list: '/admin/secrets', new: '/admin/secrets/new', one: `/admin/secrets/${made.id}` };
  const wrong = [];
  for (const scheme of ['light', 'dark']) {
    for (const [width, height] of [[1440, 900], [800, 900], [360, 740]]) {
      const page = await the.page({ ...hydrated, scheme, width, height });
      for (const [name, path] of Object.entries(pages)) {
        await visit(page, path);
        await shoot(page, `secrets-${name}-${scheme}-${width}`, { fullPage: true });
        wrong.push(...(await violations(page)).map((what) => `${name} ${scheme} ${width}: ${what}`));
        const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        if (over > 0) wrong.push(`${name} is ${over} px wider than ${width}`);
      }
    }
  }
  assert.deepEqual(wrong, []);
});

test('the rail leads there without loading the document again', async () => {
  const page = await the.page(hydrated);
  await visit(page, '/plans');
  await page.evaluate(() => (globalThis.sameDocument = true));
  const link = page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Secrets' });
  await link.click();
  await page.getByRole('heading', { name: 'Secrets', level: 1 }).waitFor();
  assert.equal(await link.getAttribute('aria-current'), 'page');
  assert.equal(await page.evaluate(() => globalThis.sameDocument), true);
});
