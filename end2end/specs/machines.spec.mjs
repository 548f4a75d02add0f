// Two agents in two network namespaces, at work through the pages: one is killed in mid-run and comes again, one is drained,
// one is cut off. Consoles are whole, to the byte.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Machines } from '../harness/machines.mjs';
import { until } from '../harness/until.mjs';
import { hydrated, shoot, visit, world } from '../harness/world.mjs';

const LINES = 400;
/** Counts to `lines`, thirty a second or so. */
const count = (lines) => `n=1; while [ $n -le ${lines} ]; do echo line $n of ${lines}; sleep 0.03; n=$((n+1)); done`;
const counted = (lines) => Array.from({ length: lines }, (_, n) => `line ${n + 1} of ${lines}\n`).join('');

let machines;
const on = {};
const the = world({ flags: ['--no-agent'], prepare });
after(() => machines?.stop());

async function prepare({ api, server }) {
  machines = await Machines.start(server);
  const token = await server.cli(['agent-token', 'create', '--uses', '2']);
  for (const name of ['east', 'west']) {
    on[name] = await machines.add(name);
    on[name].agent(token);
  }
  for (const name of ['east', 'west']) on[name].id = (await api.agentOnline(name)).id;
}

/** Runs a plan that counts on one of them. */
async function counting(name, what, lines = LINES) {
  const plan = await the.api.makePlan(`name: ${what}\nruns_on: ["agent == ${name}"]\nsteps: [{ name: count, run: '${count(lines)}' }]\n`);
  return the.api.runPlan(plan);
}

/** The task's page, once it shows that line. */
async function watched(task, line) {
  const page = await the.page({ ...hydrated, width: 1440, height: 900 });
  await visit(page, `/tasks/${task.id}`);
  await page.getByText(`line ${line} of`).first().waitFor();
  return page;
}

test('an agent that is killed in mid-run takes up its step again, and the page goes on', async () => {
  const task = await counting('east', 'killed');
  const beside = await counting('west', 'beside');
  const page = await watched(task, 30);
  await on.east.kill();
  const before = await the.api.console(task.id);
  assert.ok(before.length < counted(LINES).length, 'it died in mid-run');
  const agents = await the.page({ ...hydrated, width: 1440, height: 900 });
  await visit(agents, '/agents');
  await agents.getByRole('row', { name: /^east/ }).getByText('unreachable').first().waitFor();
  await agents.getByRole('row', { name: /^west/ }).getByText('1 of 1').first().waitFor();
  await shoot(agents, 'machines-killed', { fullPage: true });
  on.east.agent();
  await the.api.agentOnline('east');
  assert.equal((await the.api.task(task.id)).status, 'passed');
  assert.equal((await the.api.task(beside.id)).status, 'passed');
  await page.getByText(`line ${LINES} of`).first().waitFor();
  await shoot(page, 'machines-killed-task');
  assert.equal(await the.api.console(task.id), counted(LINES));
  assert.equal(await the.api.console(beside.id), counted(LINES));
  const ended = await the.api.get(`/tasks/${task.id}`);
  assert.equal(ended.jobs[0].attempt, 1, 'it never started again');
});

test('a drained agent ends what runs and takes nothing new', async () => {
  const task = await counting('west', 'drained', 100);
  const page = await the.page({ ...hydrated, width: 1440, height: 900 });
  await visit(page, `/agents/${on.west.id}`);
  await page.getByText('1 of 1').first().waitFor();
  await page.getByRole('button', { name: 'Drain' }).click();
  await page.getByText('Drained by ada.').waitFor();
  const next = await counting('west', 'after', 5);
  assert.equal((await the.api.task(task.id)).status, 'passed');
  assert.equal(await the.api.console(task.id), counted(100));
  const why = await until('the next one waits with a reason', async () => {
    const { items } = await the.api.get('/queue');
    return items.find((item) => item.task_id === next.id)?.reason;
  });
  assert.match(why, /west/);
  await shoot(page, 'machines-drained', { fullPage: true });
  await page.getByRole('button', { name: 'Resume west' }).click();
  assert.equal((await the.api.task(next.id)).status, 'passed');
});

test('an agent whose cable is pulled works on, and all of it comes when the cable is back', async () => {
  const task = await counting('west', 'cut off', 1200);
  const page = await watched(task, 20);
  on.west.cable('down');
  const agents = await the.page({ ...hydrated, width: 360, height: 780, scheme: 'dark' });
  await visit(agents, `/agents/${on.west.id}`);
  await agents.getByText('unreachable').first().waitFor();
  await shoot(agents, 'machines-cut-dark-360', { fullPage: true });
  const cut = await the.api.get(`/tasks/${task.id}`);
  assert.equal(cut.status, 'running');
  on.west.cable('up');
  await the.api.agentOnline('west');
  assert.equal((await the.api.task(task.id)).status, 'passed');
  await page.getByText('line 1200 of').first().waitFor();
  assert.equal(await the.api.console(task.id), counted(1200));
});
