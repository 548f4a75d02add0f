// Plans: written with mistakes, mended, saved, saved over somebody else's work, taken away.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../harness/until.mjs';
import { modes, settled, shoot, visit, world } from '../harness/world.mjs';

const the = world();

const wrong = `name: broken
steps:
  - name: first
    rum: echo hello
  - nome: second
    run: echo there
`;

for (const mode of modes) {
  const name = `mended-${mode.scripts ? 'live' : 'plain'}`;

  test(`all mistakes of a plan are shown with their places, the text is kept, and mended it is saved (${mode.name})`, async () => {
    const page = await the.page({ ...mode, allow: [/status of 422/] });
    await visit(page, '/plans/new');
    const text = page.getByRole('textbox', { name: 'Plan document' });
    await text.fill(wrong);
    await page.getByRole('button', { name: 'Save the plan' }).click();

    const problems = page.getByRole('alert').filter({ hasText: 'wrong' });
    await problems.getByText('Line 4, column 5').waitFor();
    await problems.getByText('Line 5, column 5').waitFor();
    assert.match(await problems.innerText(), /rum[^]*run/, 'the nearest right word is named');
    assert.equal(await text.inputValue(), wrong, 'the text stays as it was written');
    assert.equal((await the.api.get('/plans?limit=200')).items.some((plan) => plan.name === 'broken'), false, 'nothing is saved');
    await shoot(page, `plan-errors-${mode.scripts ? 'live' : 'plain'}`, { fullPage: true });

    await text.fill(wrong.replace('broken', name).replace('rum:', 'run:').replace('nome:', 'name:'));
    await page.getByRole('button', { name: 'Save the plan' }).click();
    await page.waitForURL(/\/plans\/\d+$/);
    await settled(page);
    await page.getByRole('heading', { name, level: 1 }).waitFor();
  });

  test(`a second save of an old text is refused and loses nothing (${mode.name})`, async () => {
    const plan = await the.api.makePlan(`name: stale-${mode.scripts}\nsteps: [{ run: echo one }]\n`);
    const page = await the.page({ ...mode, allow: [/status of 409/] });
    await visit(page, `/plans/${plan.id}/edit`);

    // Somebody else saves first.
    const theirs = plan.document.replace('echo one', 'echo theirs');
    await the.api.call('PUT', `/plans/${plan.id}`, { version: plan.version, document: theirs });

    const mine = plan.document.replace('echo one', 'echo mine');
    const text = page.getByRole('textbox', { name: 'Plan document' });
    await text.fill(mine);
    await page.getByRole('button', { name: /^Save revision/ }).click();
    await page.getByText('Your text stands below as you wrote it.').waitFor();
    assert.equal(await text.inputValue(), mine);
    assert.equal((await the.api.get(`/plans/${plan.id}`)).document, theirs, 'theirs still stands');

    await page.getByRole('button', { name: 'Save revision 3' }).click();
    await page.waitForURL(new RegExp(`/plans/${plan.id}$`));
    assert.equal((await the.api.get(`/plans/${plan.id}`)).document, mine, 'saved knowingly, on top of theirs');
  });

  test(`a plan is taken away only after a question, and its name is free again (${mode.name})`, async () => {
    const document = `name: short-lived-${mode.scripts}\nsteps: [{ run: echo one }]\n`;
    const plan = await the.api.makePlan(document);
    const page = await the.page(mode);
    await visit(page, `/plans/${plan.id}`);
    await page.getByRole('link', { name: 'Delete' }).click();
    await page.getByRole('heading', { name: `Delete ${plan.name}?` }).waitFor();
    await page.getByRole('link', { name: 'Keep it' }).click();
    await page.getByRole('heading', { name: plan.name, level: 1 }).waitFor();

    await page.getByRole('link', { name: 'Delete' }).click();
    await page.getByRole('button', { name: `Delete ${plan.name}` }).click();
    await page.waitForURL(/\/plans$/);
    await page.getByRole('heading', { name: 'Plans', level: 1 }).waitFor();
    await until('the plan is gone from the list', async () => (await page.getByRole('link', { name: plan.name, exact: true }).count()) === 0);
    await visit(page, `/plans/${plan.id}`, { status: 404 });
    await the.api.makePlan(document);
  });

  test(`the list is searched by a form, and the search stays in the address (${mode.name})`, async () => {
    await the.api.makePlan(`name: needle-${mode.scripts}\nsteps: [{ run: echo one }]\n`);
    const page = await the.page(mode);
    await visit(page, '/plans');
    const search = page.getByRole('searchbox', { name: 'Search plans' });
    await search.fill(`needle-${mode.scripts}`);
    await search.press('Enter');
    await page.waitForURL(/q=needle/);
    await page.getByRole('link', { name: `needle-${mode.scripts}`, exact: true }).waitFor();
    await until('only what was searched is listed', async () => (await page.getByRole('main').getByRole('button', { name: /^Run / }).count()) === 1);
    await page.reload();
    await settled(page);
    assert.equal(await search.inputValue(), `needle-${mode.scripts}`);
  });
}

test('a plan that is edited while one looks on changes before one\'s eyes', async () => {
  const plan = await the.api.makePlan('name: watched\nsteps: [{ run: echo one }]\n');
  const page = await the.page();
  await visit(page, `/plans/${plan.id}`);
  await the.api.call('PUT', `/plans/${plan.id}`, { version: plan.version, document: plan.document.replace('one', 'two') });
  await page.getByRole('link', { name: 'Revision 2' }).waitFor();
});
