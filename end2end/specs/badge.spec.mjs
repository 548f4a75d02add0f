// A plan's badge: off until an editor makes its address, shown to everybody who has that, renewed, taken away.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { violations } from '../harness/axe.mjs';
import { until } from '../harness/until.mjs';
import { fillSignIn, hydrated, modes, shoot, visit, world } from '../harness/world.mjs';

const the = world();
const status = async (url) => (await fetch(url)).status;
const drawn = (page) => page.getByRole('img', { name: /^The badge of/ }).evaluate((image) => image.complete && image.naturalWidth > 20);

for (const mode of modes) {
  const word = mode.scripts ? 'live' : 'plain';

  test(`its address is made, copied, renewed and removed (${mode.name})`, async () => {
    const plan = await the.api.makePlan(`name: badge-${word}\nsteps: [{ run: echo one }]\n`);
    const task = await the.api.runPlan(plan);
    await the.api.task(task.id, 'passed');
    const page = await the.page(mode);
    await visit(page, `/plans/${plan.id}`);
    const section = page.locator('section', { has: page.getByRole('heading', { name: 'Badge', exact: true }) });
    await section.getByText('Only who is signed in sees it.').waitFor();
    await until('its picture is there', () => drawn(page));
    await section.getByRole('button', { name: 'Make an address' }).click();
    const address = section.locator('.field', { hasText: 'Address' }).locator('code');
    const first = await address.textContent();
    assert.match(first, new RegExp(`/plans/${plan.id}/badge\\.svg\\?key=bdg_[0-9A-Za-z]{43}$`));
    const picture = await fetch(first);
    assert.deepEqual([picture.status, picture.headers.get('content-type')], [200, 'image/svg+xml']);
    assert.match(await picture.text(), new RegExp(`badge-${word}: passed`));
    assert.equal(await section.locator('.field', { hasText: 'Markdown' }).locator('code').textContent(), `[![badge-${word}](${first})](${the.server.url}/plans/${plan.id})`);
    await section.getByText(`<img src="${first}" alt="badge-${word}">`, { exact: false }).waitFor();
    await until('its picture is there', () => drawn(page));
    await shoot(page, `badge-${word}`, { fullPage: true });

    await section.locator('summary', { hasText: 'Renew the key' }).click();
    await section.getByRole('button', { name: 'Renew it' }).click();
    await until('there is another', async () => (await address.textContent()) !== first);
    const second = await address.textContent();
    assert.deepEqual([await status(first), await status(second)], [404, 200]);
    await section.locator('summary', { hasText: 'Remove the key' }).click();
    await section.getByRole('button', { name: 'Remove it' }).click();
    await section.getByText('Only who is signed in sees it.').waitFor();
    assert.equal(await status(second), 404);
  });

  test(`who may only read is not offered it (${mode.name})`, async () => {
    const plan = await the.api.makePlan(`name: read-${word}\nsteps: [{ run: echo one }]\n`);
    await the.api.post(`/plans/${plan.id}/badge`, {});
    const name = `eve-${word}`;
    await the.server.cli(['user', 'add', name, '--role', 'viewer', '--password-stdin'], 'correct horse battery\n');
    const page = await the.page({ ...mode, signedIn: false });
    await visit(page, '/login');
    await fillSignIn(page, { name, password: 'correct horse battery' });
    await visit(page, `/plans/${plan.id}`);
    await page.getByRole('heading', { name: 'Document' }).waitFor();
    assert.equal(await page.getByRole('heading', { name: 'Badge', exact: true }).count(), 0);
    assert.equal((await page.content()).includes('bdg_'), false, 'the key is not for them');
  });
}

test('the section is accessible and good at any width, light and dark', async () => {
  const plan = await the.api.makePlan('name: a-plan-with-a-rather-long-name-that-has-to-go-somewhere\nsteps: [{ run: echo one }]\n');
  await the.api.post(`/plans/${plan.id}/badge`, {});
  const wrong = [];
  for (const scheme of ['light', 'dark']) {
    for (const [width, height] of [[1280, 900], [360, 740]]) {
      const page = await the.page({ ...hydrated, scheme, width, height });
      await visit(page, `/plans/${plan.id}`);
      await page.getByRole('heading', { name: 'Badge', exact: true }).scrollIntoViewIfNeeded();
      await until('its picture is there', () => drawn(page));
      await shoot(page, `badge-${scheme}-${width}`, { fullPage: true });
      wrong.push(...(await violations(page)).map((what) => `${scheme} ${width}: ${what}`));
      const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (over > 0) wrong.push(`it is ${over} px wider than ${width}`);
    }
  }
  assert.deepEqual(wrong, []);
});
