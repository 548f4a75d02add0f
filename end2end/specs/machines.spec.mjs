// Two agents in two network namespaces, at work through the pages: one is killed in mid-run and comes again, one is drained,
// one is cut off. Consoles are whole, to the byte.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Gate } from '../harness/gate.mjs';
import { Machines } from '../harness/machines.mjs';
import { until } from '../harness/until.mjs';
import { hydrated, shoot, visit, world } from '../harness/world.mjs';

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

/** Runs a plan that counts on one of them until its gate is opened. */
async function counting(name, what) {
  const gate = new Gate(on[name].data);
  const run = `touch ${gate.name}.here; n=0; while [ ! -e ${gate.name}.open ]; do n=$((n+1)); echo line $n; sleep 0.05; done; echo the end`;
  const plan = await the.api.makePlan(`name: ${what}\nruns_on: ["agent == ${name}"]\nsteps: [{ name: count, run: '${run}' }]\n`);
  return { ...(await the.api.runPlan(plan)), gate };
}

const lines = async (task) => (await the.api.console(task.id)).split('\n').length - 1;

/** Waits until so many more lines are stored. */
async function grows(task, more) {
  const before = await lines(task);
  await until(`${more} more lines behind ${before}`, async () => (await lines(task)) >= before + more);
}

/** Lets it end; every line must be there once, in order. */
async function ends(task) {
  await task.gate.open();
  assert.equal((await the.api.task(task.id)).status, 'passed');
  const all = (await the.api.console(task.id)).split('\n');
  assert.deepEqual(all.splice(-2), ['the end', '']);
  assert.deepEqual(all, all.map((_, n) => `line ${n + 1}`));
}

/** The task's page, once it shows lines. */
async function watched(task) {
  const page = await the.page({ ...hydrated, width: 1440, height: 900 });
  await visit(page, `/tasks/${task.id}`);
  await page.getByText(/^line \d+$/).first().waitFor();
  return page;
}

test('an agent that is killed in mid-run takes up its step again, and the page goes on', async () => {
  const task = await counting('east', 'killed');
  const beside = await counting('west', 'beside');
  const page = await watched(task);
  await Promise.all([task.gate.reached(), beside.gate.reached()]);
  await on.east.kill();
  const agents = await the.page({ ...hydrated, width: 1440, height: 900 });
  await visit(agents, '/agents');
  await agents.getByRole('row', { name: /^east/ }).getByText('unreachable').first().waitFor();
  await agents.getByRole('row', { name: /^west/ }).getByText('1 of 1').first().waitFor();
  await shoot(agents, 'machines-killed', { fullPage: true });
  on.east.agent();
  await the.api.agentOnline('east');
  await grows(task, 20);
  await ends(task);
  await ends(beside);
  await page.getByText(/^the end$/).first().waitFor();
  await shoot(page, 'machines-killed-task');
  const ended = await the.api.get(`/tasks/${task.id}`);
  assert.equal(ended.jobs[0].attempt, 1, 'it never started again');
});

test('a drained agent ends what runs and takes nothing new', async () => {
  const task = await counting('west', 'drained');
  const page = await the.page({ ...hydrated, width: 1440, height: 900 });
  await visit(page, `/agents/${on.west.id}`);
  await page.getByText('1 of 1').first().waitFor();
  await page.getByRole('button', { name: 'Drain' }).click();
  await page.getByText('Drained by ada.').waitFor();
  const next = await counting('west', 'after');
  await ends(task);
  const why = await until('the next one waits with a reason', async () => {
    const { items } = await the.api.get('/queue');
    return items.find((item) => item.task_id === next.id)?.reason;
  });
  assert.match(why, /west/);
  await shoot(page, 'machines-drained', { fullPage: true });
  await page.getByRole('button', { name: 'Resume west' }).click();
  await ends(next);
});

test('an agent whose cable is pulled works on, and all of it comes when the cable is back', async () => {
  const task = await counting('west', 'cut off');
  const page = await watched(task);
  await task.gate.reached();
  on.west.cable('down');
  const agents = await the.page({ ...hydrated, width: 360, height: 780, scheme: 'dark' });
  await visit(agents, `/agents/${on.west.id}`);
  await agents.getByText('unreachable').first().waitFor();
  await shoot(agents, 'machines-cut-dark-360', { fullPage: true });
  assert.equal((await the.api.get(`/tasks/${task.id}`)).status, 'running');
  on.west.cable('up');
  await the.api.agentOnline('west');
  await grows(task, 20);
  await ends(task);
  await page.getByText(/^the end$/).first().waitFor();
});
