// Agents on other machines: added with a command that is shown once, looked at, changed, removed.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fillSignIn, modes, settled, shoot, visit, world } from '../harness/world.mjs';

const binary = process.env.CARACAL_BIN ?? new URL('../../target/debug/caracal', import.meta.url).pathname;
const the = world({ flags: ['--no-agent'] });
const started = new Map();

after(async () => {
  for (const { child, data } of started.values()) {
    child.kill('SIGKILL');
    await rm(data, { recursive: true, force: true });
  }
});

/** Starts an agent as its page says, with a data folder and a name of its own; `ended` answers its exit code. */
async function agent(command, name, ...more) {
  const data = await mkdtemp(join(tmpdir(), 'caracal-e2e-agent-'));
  const token = command.match(/--token (\S+)/)[1];
  const args = ['agent', '--server', the.server.url, '--token', token, '--executor', 'process', '--slots', '2', '--name', name];
  const child = spawn(binary, [...args, ...more, '--data', data], { stdio: 'ignore' });
  const ended = new Promise((end) => child.once('close', end));
  started.set(name, { child, data, ended });
  return { ended };
}

const ids = async () => Object.fromEntries((await the.api.get('/agents')).items.map((a) => [a.name, a.id]));

for (const mode of modes) {
  const kind = mode.scripts ? 'live' : 'plain';

  test(`an agent is added by a command that is shown once (${mode.name})`, async () => {
    const page = await the.page({ ...mode, width: 1440, height: 900, allow: [/status of 422/] });
    await visit(page, '/agents');
    await page.getByRole('link', { name: 'Add an agent' }).click();
    await page.waitForURL(/\/agents\/new$/);
    await settled(page);
    await page.getByLabel('Labels set on each of them').fill('fast');
    await page.getByRole('button', { name: 'Make the command' }).click();
    await page.getByText('is not a label').first().waitFor();

    await page.getByLabel('Labels set on each of them').fill('pool=fast\ngpu=yes');
    await page.getByRole('button', { name: 'Make the command' }).click();
    const code = page.locator('.cmd code');
    await code.waitFor();
    const command = await code.textContent();
    assert.match(command, /caracal agent --server http:\S+ \\\n {2}--token agt_\w{49} \\\n/);
    await page.getByText('Waiting for the agent to call.').waitFor();
    await shoot(page, `agent-new-${kind}`, { fullPage: true });

    const name = `kiln-${kind}`;
    await agent(command, name);
    if (!mode.scripts) {
      // Without a script one looks again; the token itself is gone from the page then.
      await the.api.agentOnline(name);
      await page.getByRole('link', { name: 'Look again' }).click();
      await page.getByText('the token is used up').waitFor();
      assert.equal((await page.content()).includes('agt_'), false);
    }
    await page.getByText(`${name} is connected: processes`).waitFor();
    if (mode.scripts) assert.equal(await code.textContent(), command, 'the command stays as long as the page does');
    await shoot(page, `agent-called-${kind}`, { fullPage: true });
    await page.getByRole('link', { name, exact: true }).click();
    await page.getByRole('heading', { name, level: 1 }).waitFor();
    await page.getByText('pool=fast').first().waitFor();
    await page.getByText('Connected for the first time').waitFor();
  });

  test(`one pauses, resumes and changes an agent on its page (${mode.name})`, async () => {
    const name = `kiln-${kind}`;
    const id = (await ids())[name];
    const page = await the.page({ ...mode, width: 1440, height: 900, allow: [/status of 4(22|09)/] });
    await visit(page, `/agents/${id}`);
    const plan = await the.api.makePlan(`name: on-${kind}\nruns_on: ["agent == ${name}"]\nsteps: [{ run: echo here }]\n`);
    const task = await the.api.runPlan(plan);
    await the.api.task(task.id, 'passed');
    if (!mode.scripts) await visit(page, `/agents/${id}`);
    await page.getByRole('link', { name: new RegExp(`on-${kind}`) }).first().waitFor();

    await page.locator('summary', { hasText: 'Pause' }).click();
    await page.getByLabel('Note, shown on every job that waits for it').fill('disk swap');
    await page.getByLabel('Ends').selectOption('in 4 hours');
    await page.getByRole('button', { name: 'Pause it' }).click();
    await page.getByText(/by ada until .*: “disk swap”/).first().waitFor();
    await page.getByText(/Paused by ada until .*: “disk swap”/).waitFor();
    await shoot(page, `agent-paused-${kind}`, { fullPage: true });
    await page.getByRole('button', { name: `Resume ${name}` }).click();
    await page.getByText('Takes jobs again, resumed by ada.').waitFor();

    await page.getByRole('button', { name: 'Drain' }).click();
    await page.getByText('Drained by ada.').waitFor();
    await page.getByRole('button', { name: `Resume ${name}` }).click();
    await page.getByRole('button', { name: 'Drain' }).waitFor();

    await page.getByLabel('Labels over those it reports').fill('pool slow');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('is not a label').first().waitFor();
    await page.getByLabel('Labels over those it reports').fill('pool=slow\n');
    await page.getByRole('textbox', { name: 'Slots' }).fill('5');
    await page.getByLabel('Name', { exact: true }).fill(`forge-${kind}`);
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('heading', { name: `forge-${kind}`, level: 1 }).waitFor();
    await page.getByText('0 of 5').first().waitFor();
    const changed = await the.api.get(`/agents/${id}`);
    assert.deepEqual([changed.labels.pool, changed.labels_set, changed.slots], ['slow', { pool: 'slow' }, 5]);
  });

  test(`a removed agent goes, and its program ends (${mode.name})`, async () => {
    const name = `forge-${kind}`;
    const id = (await ids())[name];
    const page = await the.page({ ...mode, width: 1440, height: 900 });
    await visit(page, `/agents/${id}`);
    await page.getByRole('link', { name: 'Remove' }).click();
    await page.getByRole('heading', { name: `Remove ${name}?` }).waitFor();
    await settled(page);
    await page.getByRole('button', { name: 'Remove it' }).click();
    await page.waitForURL(/\/agents$/);
    await page.getByRole('heading', { name: 'Agents', level: 1 }).waitFor();
    assert.equal((await ids())[name], undefined);
    assert.equal(await started.get(`kiln-${kind}`).ended, 6, 'its program has ended and says why by its code');
  });

  test(`who may only read sees agents and no acts (${mode.name})`, async () => {
    const token = await the.server.cli(['agent-token', 'create']);
    const { ended } = await agent(`--token ${token}`, `seen-${kind}`);
    const id = (await the.api.agentOnline(`seen-${kind}`)).id;
    await the.server.cli(['user', 'add', `eve-${kind}`, '--role', 'viewer', '--password-stdin'], 'correct horse battery\n');
    const page = await the.page({ ...mode, signedIn: false });
    await page.goto('/login');
    await settled(page);
    await fillSignIn(page, { name: `eve-${kind}`, password: 'correct horse battery' });
    await visit(page, '/agents');
    await page.getByRole('link', { name: `seen-${kind}` }).waitFor();
    assert.equal(await page.getByText('Add an agent').count(), 0);
    await visit(page, `/agents/${id}`);
    for (const act of ['Pause', 'Drain', 'Remove', 'Settings']) assert.equal(await page.getByText(act, { exact: true }).count(), 0, act);
    await visit(page, '/agents/new', { status: 403 });
    await the.api.call('DELETE', `/agents/${id}`);
    assert.equal(await ended, 6);
  });
}
