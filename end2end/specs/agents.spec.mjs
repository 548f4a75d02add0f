// Agents: what they are and do, live; pausing one holds its queue back with a reason.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '../harness/until.mjs';
import { Gate } from '../harness/gate.mjs';
import { hydrated, modes, visit, world } from '../harness/world.mjs';

const the = world({ flags: ['--slots', '3'] });

for (const mode of modes) {
  test(`the built-in agent shows its state and what it runs (${mode.name})`, async () => {
    const gate = new Gate(the.server.data);
    const plan = await the.api.makePlan(`name: busy-${mode.scripts}\nsteps: [{ run: '${gate.script}' }]\n`);
    const task = await the.api.runPlan(plan);
    await gate.reached();
    const page = await the.page(mode);
    await visit(page, '/agents');
    const row = page.getByRole('row', { name: /^builtin/ });
    await row.getByText('1 of 3').first().waitFor();
    await row.getByRole('link', { name: new RegExp(`busy-${mode.scripts}`) }).first().waitFor();
    await gate.open();
    await the.api.task(task.id, 'passed');
    if (!mode.scripts) await visit(page, '/agents');
    await row.getByText('0 of 3').first().waitFor();
  });

  test(`a paused agent takes nothing, and the queue says why (${mode.name})`, async () => {
    const page = await the.page(mode);
    await visit(page, '/agents');
    await page.locator('summary[aria-label="Pause builtin"]').click();
    await page.getByLabel('Note, shown on every job that waits for it').fill('moving house');
    await page.getByRole('button', { name: 'Pause it' }).click();
    await page.getByRole('button', { name: 'Resume builtin' }).waitFor();

    const task = await the.api.runPlan(await the.api.makePlan(`name: held-${mode.scripts}\nsteps: [{ run: echo at last }]\n`));
    const item = await until('the job waits with a reason', async () => {
      const { items } = await the.api.get('/queue');
      return items.find((item) => item.task_id === task.id && /paused/.test(item.reason));
    });
    assert.match(item.reason, /moving house/);
    await page.getByRole('button', { name: 'Resume builtin' }).click();
    await the.api.task(task.id, 'passed');
  });
}

test('what one has opened and written outlasts news', async () => {
  const { id } = await the.api.agentOnline('builtin');
  for (const path of ['/agents', `/agents/${id}`]) {
    const gate = new Gate(the.server.data);
    const plan = await the.api.makePlan(`name: news-${path.length}\nsteps: [{ run: '${gate.script}' }]\n`);
    const page = await the.page(hydrated);
    await visit(page, path);
    await page.locator('summary', path === '/agents' ? { has: page.locator('svg') } : { hasText: 'Pause' }).last().click();
    const note = page.getByLabel('Note, shown on every job that waits for it');
    await note.fill('half a no');
    const task = await the.api.runPlan(plan);
    await gate.reached();
    await page.getByText('1 of 3').first().waitFor();
    await gate.open();
    await the.api.task(task.id, 'passed');
    await page.getByText('0 of 3').first().waitFor();
    assert.equal(await note.isVisible(), true, path);
    assert.equal(await note.inputValue(), 'half a no', path);
  }
});
