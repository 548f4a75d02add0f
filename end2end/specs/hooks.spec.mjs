// Hooks: the address, who listens, what came and what was refused, a secret that is exchanged without losing a delivery.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { violations } from '../harness/axe.mjs';
import { deliver, makeTrigger, push, secret } from '../harness/hooks.mjs';
import { until } from '../harness/until.mjs';
import { fillSignIn, hydrated, modes, settled, shoot, visit, world } from '../harness/world.mjs';

const the = world();
const hostile = `odd <b>"hook"</b> '&amp;'`;

const one = async (name) => (await the.api.get('/hooks?limit=200')).items.find((h) => h.name === name);
const planOf = (name) => the.api.makePlan(`name: ${name}\nsteps: [{ run: echo one }]\n`);
/** A delivery to a hook's address, as to a trigger's. */
const to = (hook) => ({ url: hook.url });

test('an empty list says what hooks are for and offers the first', async () => {
  for (const mode of modes) {
    const page = await the.page(mode);
    await visit(page, '/admin/hooks');
    await page.getByRole('heading', { name: 'No hooks yet' }).waitFor();
    await page.getByRole('link', { name: 'Make the first hook' }).click();
    await page.getByRole('heading', { name: 'New hook', level: 1 }).waitFor();
  }
});

for (const mode of modes) {
  const word = mode.scripts ? 'live' : 'plain';

  test(`one is made, its secret is shown once, and a sender that has it is believed (${mode.name})`, async () => {
    const page = await the.page({ ...mode, allow: [/status of 422/] });
    await visit(page, '/admin/hooks/new');
    await page.getByLabel('Name', { exact: true }).fill(' ');
    await page.getByRole('button', { name: 'Make the hook' }).click();
    await page.getByText('A name is missing.').first().waitFor();
    await page.getByLabel('Name', { exact: true }).fill(`${hostile} ${word}`);
    await page.getByRole('button', { name: 'Make the hook' }).click();
    await page.waitForURL(/\/admin\/hooks\/\d+\?made=\d+$/);
    await settled(page);
    await page.getByRole('heading', { name: `${hostile} ${word}`, level: 1 }).waitFor();
    const shown = page.getByRole('status').locator('code');
    const made = await shown.textContent();
    assert.match(made, /^[0-9a-f]{64}$/);
    const hook = await one(`${hostile} ${word}`);
    await page.getByText(hook.url, { exact: true }).waitFor();
    await page.getByText('It waits for its first delivery.').waitFor();
    await page.getByText('GitHub sends a ping at once').waitFor();
    await shoot(page, `hook-made-${word}`, { fullPage: true });

    assert.equal((await deliver(the.server, to(hook), push('main'), { signedBy: made })).status, 202);
    if (mode.scripts) await page.getByText('no trigger listens').waitFor();
    if (mode.scripts) assert.equal(await shown.textContent(), made, 'news do not take it away');
    await visit(page, page.url());
    assert.equal(await shown.count(), 0, 'shown once');
    await page.getByText('no trigger listens').waitFor();
  });

  test(`what came and what was refused stand there, as text (${mode.name})`, async () => {
    const plan = await planOf(`heard-${word}`);
    const trigger = await makeTrigger(the.api, plan, { name: `main ${word}`, rules: ['branch == main'] });
    await makeTrigger(the.api, plan, { name: `all ${word}`, config: { hook_id: trigger.config.hook_id } });
    assert.equal((await deliver(the.server, trigger, push('main'))).status, 202);
    assert.equal((await deliver(the.server, trigger, push('other'))).status, 202);
    assert.equal((await deliver(the.server, trigger, push('secret-branch'), { signedBy: 'not it at all' })).status, 404);
    const page = await the.page(mode);
    await visit(page, '/admin/hooks');
    const row = page.getByRole('row', { name: new RegExp(`^main ${word}`) });
    await row.getByText(`main ${word}, all ${word}`).waitFor();
    await row.getByText('1, the newest too').waitFor();
    await row.getByRole('link').click();
    await page.getByRole('heading', { name: `main ${word}`, level: 1 }).waitFor();
    await settled(page);
    const deliveries = page.locator('section', { has: page.getByRole('heading', { name: 'Deliveries' }) });
    await until('both are there', async () => (await deliveries.locator('ol.rows > li').count()) === 2);
    await deliveries.getByText('started nothing').waitFor();
    await page.locator('summary', { hasText: 'Refused deliveries' }).click();
    const refused = page.getByRole('region', { name: 'Refused deliveries' });
    await refused.getByText('x-github-delivery', { exact: false }).waitFor();
    assert.equal((await page.content()).includes('secret-branch'), false, 'no byte of its body');
    await shoot(page, `hook-heard-${word}`, { fullPage: true });
    if (mode.scripts) {
      await deliver(the.server, trigger, push('third'));
      await until('the third shows by itself', async () => (await deliveries.locator('ol.rows > li').count()) === 3);
    }
    await page.getByRole('link', { name: 'Remove' }).click();
    await page.getByText('These triggers listen to it.').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Remove it' }).count(), 0);
  });

  test(`its secret is exchanged: both are believed until the old one is ended (${mode.name})`, async () => {
    const hook = await the.api.post('/hooks', { name: `rotated ${word}`, provider: 'github', secret });
    const page = await the.page(mode);
    await visit(page, `/admin/hooks/${hook.id}`);
    await page.locator('summary', { hasText: 'Give it another secret' }).click();
    await page.getByRole('button', { name: 'Set the new secret' }).click();
    await page.waitForURL(/\?made=\d+$/);
    await settled(page);
    const fresh = await page.getByRole('status').locator('code').textContent();
    assert.notEqual(fresh, secret);
    for (const signedBy of [secret, fresh]) {
      assert.equal((await deliver(the.server, to(hook), push('main'), { signedBy })).status, 202, 'both are believed');
    }
    await page.getByText('end that one when the sender has the new').waitFor();
    await page.getByRole('button', { name: 'End the old secret' }).click();
    await until('the old one is ended', async () => (await one(`rotated ${word}`)).rotating_since === null);
    await until('the page says so', async () => (await page.getByRole('button', { name: 'End the old secret' }).count()) === 0);
    assert.equal((await deliver(the.server, to(hook), push('main'), { signedBy: secret })).status, 404);
    assert.equal((await deliver(the.server, to(hook), push('main'), { signedBy: fresh })).status, 202);
  });

  test(`it is renamed and removed (${mode.name})`, async () => {
    const hook = await the.api.post('/hooks', { name: `named ${word}`, provider: 'gitlab', secret });
    await the.api.post('/hooks', { name: `taken ${word}`, provider: 'gitlab', secret });
    const page = await the.page({ ...mode, allow: [/status of 409/] });
    await visit(page, `/admin/hooks/${hook.id}`);
    await page.getByLabel('What people call it').fill(`taken ${word}`);
    await page.getByRole('button', { name: 'Rename it' }).click();
    await page.getByRole('alert').getByText('already').waitFor();
    await page.getByLabel('What people call it').fill(`renamed ${word}`);
    await page.getByRole('button', { name: 'Rename it' }).click();
    await page.getByRole('heading', { name: `renamed ${word}`, level: 1 }).waitFor();
    await page.getByRole('link', { name: 'Remove' }).click();
    await page.getByText('answered like an address that never was').waitFor();
    await page.getByRole('button', { name: 'Remove it' }).click();
    await page.waitForURL(/\/admin\/hooks$/);
    await until('it is gone from the list', async () => (await page.getByRole('link', { name: `renamed ${word}` }).count()) === 0);
    assert.equal(await one(`renamed ${word}`), undefined);
  });

  test(`who may only read sees them without acts (${mode.name})`, async () => {
    const hook = await the.api.post('/hooks', { name: `seen ${word}`, provider: 'github', secret });
    const name = `eve-${word}`;
    await the.server.cli(['user', 'add', name, '--role', 'viewer', '--password-stdin'], 'correct horse battery\n');
    const page = await the.page({ ...mode, signedIn: false });
    await visit(page, '/login');
    await fillSignIn(page, { name, password: 'correct horse battery' });
    for (const path of ['/admin/hooks', `/admin/hooks/${hook.id}`, `/admin/hooks/${hook.id}/remove`]) {
      await visit(page, path);
      await page.getByText(`seen ${word}`).first().waitFor();
      assert.equal(await page.getByRole('main').locator('form').count(), 0, path);
    }
    await visit(page, '/admin/hooks/new', { status: 403 });
  });
}

test('every page of hooks is accessible and good at any width, light and dark', async () => {
  const plan = await planOf('a-plan-with-a-rather-long-name-that-has-to-go-somewhere');
  const trigger = await makeTrigger(the.api, plan, { name: 'a trigger with a rather long name that has to go somewhere or be cut' });
  await makeTrigger(the.api, plan, { name: 'another that listens', config: { hook_id: trigger.config.hook_id } });
  await deliver(the.server, trigger, push('main'));
  await deliver(the.server, trigger, push('main'), { signedBy: 'not it at all' });
  const hook = trigger.config.hook_id;
  await the.api.call('PUT', `/hooks/${hook}`, { version: 1, fresh_secret: true });
  const pages = { list: '/admin/hooks', new: '/admin/hooks/new', one: `/admin/hooks/${hook}`, remove: `/admin/hooks/${hook}/remove` };
  const wrong = [];
  for (const scheme of ['light', 'dark']) {
    for (const [width, height] of [[1280, 900], [800, 900], [360, 740]]) {
      const page = await the.page({ ...hydrated, scheme, width, height });
      for (const [name, path] of Object.entries(pages)) {
        await visit(page, path);
        if (name === 'one') for (const summary of await page.locator('main summary').all()) await summary.click();
        await shoot(page, `hooks-${name}-${scheme}-${width}`, { fullPage: true });
        wrong.push(...(await violations(page)).map((what) => `${name} ${scheme} ${width}: ${what}`));
        const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        if (over > 0) wrong.push(`${name} is ${over} px wider than ${width}`);
      }
    }
  }
  assert.deepEqual(wrong, []);
});
