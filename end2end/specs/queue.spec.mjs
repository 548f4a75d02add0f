// The queue: live without a reload, filters and pages in the address, the same without a script.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Gate } from '../harness/gate.mjs';
import { until } from '../harness/until.mjs';
import { hydrated, modes, settled, shoot, visit, world } from '../harness/world.mjs';

describe('a queue with two slots', () => {
  const the = world({ flags: ['--slots', '2'] });

  test('shows a task come, wait with its reason, run and end, without a reload', async () => {
    const page = await the.page(hydrated);
    await visit(page, '/');
    await page.evaluate(() => (globalThis.sameDocument = true));

    const gates = [1, 2].map(() => new Gate(the.server.data));
    for (const [n, gate] of gates.entries()) {
      await the.api.runPlan(await the.api.makePlan(`name: holds-${n}\nsteps: [{ run: '${gate.script}' }]\n`));
      await gate.reached();
    }
    await page.getByText('2 of 2').first().waitFor();

    const plan = await the.api.makePlan('name: comes\nsteps: [{ run: echo done }]\n');
    const task = await the.api.runPlan(plan);
    const waiting = page.getByRole('region', { name: 'Waiting' }).getByRole('row', { name: /comes/ });
    await waiting.waitFor();
    const { items } = await the.api.get('/queue');
    const { reason } = items.find((item) => item.task_id === task.id);
    assert.match(reason, /slot/, 'the reason names what is missing');
    await waiting.getByText(reason).waitFor();
    await shoot(page, 'queue-live', { fullPage: true });

    for (const gate of gates) await gate.open();
    await page.getByRole('region', { name: 'Tasks' }).getByRole('row', { name: new RegExp(`^passed comes #${task.id}`) }).waitFor();
    assert.equal(await page.evaluate(() => globalThis.sameDocument), true, 'the page was never loaded again');
  });

  for (const mode of modes) {
    test(`a task is aborted and run again from its row (${mode.name})`, async () => {
      const gate = new Gate(the.server.data);
      const plan = await the.api.makePlan(`name: row-${mode.scripts}\nsteps: [{ run: '${gate.script}' }]\n`);
      const task = await the.api.runPlan(plan);
      await gate.reached();
      const page = await the.page(mode);
      await visit(page, '/');
      await confirmed(page, new RegExp(`^Abort row-${mode.scripts} #${task.id}`), /^(Yes, )?Abort/);
      await the.api.task(task.id, 'aborted');

      await visit(page, '/');
      await page.getByRole('button', { name: `Rerun row-${mode.scripts} #${task.id}` }).click();
      const again = new Gate(the.server.data);
      again.name = gate.name; // the snapshot has the same gate
      await again.reached();
      await again.open();
      const { items } = await the.api.get(`/tasks?plan=${plan.id}`);
      assert.deepEqual([items[0].cause.kind, items[0].cause.rerun_of], ['rerun', task.id]);
      await the.api.task(items[0].id, 'passed');
    });
  }
});

describe('a long history', () => {
  const the = world({ prepare: fill });
  async function fill(the) {
    const [good, bad] = [
      await the.api.makePlan("name: good\nsteps: [{ command: ['true'] }]\n"),
      await the.api.makePlan("name: bad\nsteps: [{ command: ['false'] }]\n"),
    ];
    const tasks = [];
    for (let n = 0; n < 60; n++) tasks.push(await the.api.runPlan(n % 20 === 0 ? bad : good));
    for (const task of tasks) await the.api.task(task.id);
  }

  for (const mode of modes) {
    test(`is narrowed by status in the address (${mode.name})`, async () => {
      const page = await the.page(mode);
      await visit(page, '/');
      await page.getByText('Filter', { exact: true }).click();
      await page.getByLabel('Status').selectOption('failed');
      await page.getByRole('button', { name: 'Show', exact: true }).click();
      await page.waitForURL(/status=failed/);
      const rows = page.getByRole('region', { name: 'Tasks' }).getByRole('row', { name: /^failed bad/ });
      await until('the failed ones are listed', async () => (await rows.count()) === 3);
      await page.reload();
      await settled(page);
      await until('the address alone says it', async () => (await rows.count()) === 3);
      await page.getByRole('link', { name: /^Let go of/ }).click();
      await page.waitForURL((url) => !url.search.includes('failed'));
    });

    test(`is paged by address, older and back (${mode.name})`, async () => {
      const page = await the.page(mode);
      await visit(page, '/');
      const names = () => page.getByRole('region', { name: 'Tasks' }).getByRole('link', { name: /^(good|bad) #\d+$/ });
      const first = await names().allInnerTexts();
      await page.getByRole('link', { name: 'Older' }).click();
      await page.waitForURL(/cursor=/);
      await page.getByRole('link', { name: 'Newest' }).waitFor();
      // The page before stays until the next one is there.
      await until('the older page is there', async () => !(await names().allInnerTexts()).includes(first[0]));
      const second = await names().allInnerTexts();
      assert.equal(new Set([...first, ...second]).size, first.length + second.length, 'no task stands on both pages');
      await page.getByRole('link', { name: 'Newest' }).click();
      await page.waitForURL((url) => !url.search.includes('cursor'));
      await page.getByRole('link', { name: first[0], exact: true }).waitFor();
    });

    test(`is searched by number and name (${mode.name})`, async () => {
      const page = await the.page(mode);
      await visit(page, '/?q=bad');
      const tasks = page.getByRole('region', { name: 'Tasks' });
      assert.equal(await tasks.getByRole('link', { name: /^bad #\d+$/ }).count(), 3);
      assert.equal(await tasks.getByRole('link', { name: /^good #\d+$/ }).count(), 0);
      await shoot(page, `queue-search-${mode.scripts ? 'live' : 'plain'}`);
    });
  }
});

/** Presses what asks first, then what does it. */
async function confirmed(page, asks, does) {
  const opener = page.getByRole('button', { name: asks }).or(page.getByRole('group', { name: asks })).or(page.locator('summary', { hasText: 'Abort' }));
  await opener.first().click();
  const confirm = page.getByRole('button', { name: does });
  if (await confirm.first().isVisible()) await confirm.first().click();
}
