// The task page and its console: a plan on a real git repository in real containers, live, late, long, hostile, aborted.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Gate } from '../harness/gate.mjs';
import { Repository } from '../harness/repository.mjs';
import { until } from '../harness/until.mjs';
import { hydrated, modes, plain, settled, shoot, visit, world } from '../harness/world.mjs';

const the = world({ executor: 'docker', flags: ['--slots', '2'], prepare: history });
after(() => the.repository?.remove());

async function history(the) {
  assert.ok(process.env.DOCKER_HOST, 'these tests need a Docker engine: scripts/e2e starts one');
  the.repository = await Repository.make([
    { message: 'Greet', files: { greeting: 'hello\n', 'check.sh': '#!/bin/sh\ngrep -q hello greeting\n' } },
    { message: 'Greet the world', files: { greeting: 'hello, world\n' } },
    { message: 'Add a manual', files: { 'doc/manual.md': '# Manual\n' } },
  ]);
  the.head = await the.repository.git('rev-parse', 'HEAD');
}

const image = 'image: caracal-test:latest\n';
const source = () => `source: { git: "${the.repository.path}", branch: main }\n`;
const output = (page) => page.getByRole('log', { name: 'Output' });
/** The line of the console that says exactly `text`; its number and time stand beside it. */
const line = (page, text) => output(page).locator('.ln > span').filter({ hasText: new RegExp(`^${text}$`) });

/** Runs `document` until its gate; the task as it stands there. */
async function atGate(document, gate) {
  const plan = await the.api.makePlan(document);
  const task = await the.api.runPlan(plan);
  await gate.reached();
  return { plan, ...(await the.api.get(`/tasks/${task.id}`)) };
}

test('a plan on a git repository runs in containers, and its lines appear while the step still runs', async () => {
  const gate = new Gate(the.server.data);
  const task = await atGate(
    `name: live\n${source()}${image}steps:\n` +
      `  - name: look\n    run: |\n      cat greeting\n      echo "at $CARACAL_REVISION"\n      ${gate.script}\n      echo after the gate\n` +
      '  - name: check\n    run: ./check.sh && echo checked\n',
    gate,
  );
  const page = await the.page(hydrated);
  await visit(page, `/tasks/${task.id}`);
  await page.evaluate(() => (globalThis.sameDocument = true));
  await output(page).getByText('hello, world').waitFor();
  await output(page).getByText(`at ${the.head}`).waitFor();
  assert.equal(await output(page).getByText('after the gate').count(), 0);
  await page.waitForFunction(() => document.title.startsWith('running'));
  await shoot(page, 'task-running', { fullPage: true });

  // Whoever comes late sees it from the start.
  const late = await the.page({ ...hydrated, scheme: 'dark', width: 360, height: 740 });
  await visit(late, `/tasks/${task.id}`);
  await output(late).getByText('hello, world').waitFor();
  await shoot(late, 'task-running-360-dark');
  // And whoever has no script sees how far it is.
  const still = await the.page(plain);
  await visit(still, `/tasks/${task.id}`);
  await output(still).getByText('hello, world').waitFor();

  await gate.open();
  await page.waitForFunction(() => document.title.startsWith('passed'));
  const steps = page.getByRole('navigation', { name: 'Jobs and steps' });
  await steps.getByRole('link', { name: /look/ }).click();
  await output(page).getByText('after the gate').waitFor();
  await steps.getByRole('link', { name: /check\b/ }).click();
  await output(page).getByText('checked').waitFor();
  assert.equal(await page.evaluate(() => globalThis.sameDocument), true, 'the page was never loaded again');
  assert.equal((await the.api.get(`/tasks/${task.id}`)).revision, the.head);
  assert.equal(await the.api.console(task.id), `hello, world\nat ${the.head}\nafter the gate\nchecked\n`);
});

for (const mode of modes) {
  test(`a running task is aborted, and one that waits too (${mode.name})`, async () => {
    const name = `stops-${mode.scripts}`;
    const gates = [1, 2].map(() => new Gate(the.server.data));
    const running = [];
    for (const [n, gate] of gates.entries()) {
      running.push(await atGate(`name: ${name}-${n}\n${image}steps: [{ run: 'echo begun; ${gate.script}' }]\n`, gate));
    }
    const waiting = await the.api.runPlan(await the.api.makePlan(`name: ${name}-waits\n${image}steps: [{ run: echo never }]\n`));
    const page = await the.page(mode);
    for (const task of [waiting, ...running]) {
      await visit(page, `/tasks/${task.id}`);
      await page.locator(`summary[aria-label^="Abort"]`).click();
      await page.getByRole('button', { name: 'Abort it' }).click();
      await the.api.task(task.id, 'aborted');
      if (mode.scripts) await page.waitForFunction(() => document.title.startsWith('aborted'));
    }
    assert.equal(await the.api.console(waiting.id), '', 'what waited never ran');
    await visit(page, `/tasks/${running[0].id}`);
    await output(page).getByText('begun').waitFor();
    await shoot(page, `task-aborted-${mode.scripts ? 'live' : 'plain'}`, { fullPage: true });
  });

  test(`a failed task says what broke; run again it takes the same commit (${mode.name})`, async () => {
    const plan = await the.api.makePlan(
      `name: fails-${mode.scripts}\n${source()}${image}steps:\n  - { name: prepare, run: cat greeting }\n` +
        '  - name: test\n    run: |\n      for i in $(seq 1 60); do echo "test $i ok"; done\n      echo "error: the world is not greeted"\n      exit 7\n' +
        '  - { name: publish, run: echo never }\n',
    );
    const failed = await the.api.task((await the.api.runPlan(plan)).id, 'failed');
    const page = await the.page(mode);
    await visit(page, `/tasks/${failed.id}`);
    const card = page.getByRole('region', { name: /test.*exit code 7/ });
    await card.getByText('error: the world is not greeted').waitFor();
    assert.equal(failed.jobs[0].steps.find((step) => step.name === 'publish').status, 'skipped');
    await shoot(page, `task-failed-${mode.scripts ? 'live' : 'plain'}`, { fullPage: true });
    await card.getByRole('link', { name: /^Go to line/ }).click();
    await page.waitForURL(/#L61$/);
    await output(page).getByText('error: the world is not greeted').waitFor();

    const next = await the.repository.commit({ message: `Go on (${mode.name})`, files: { [`more-${mode.scripts}`]: 'more\n' } });
    await page.getByRole('main').getByRole('button', { name: 'Rerun', exact: true }).click();
    await page.waitForURL((url) => url.pathname !== `/tasks/${failed.id}`);
    const again = await the.api.task(Number(new URL(page.url()).pathname.split('/').pop()));
    assert.notEqual(next, failed.revision);
    assert.deepEqual([again.revision, again.cause.kind, again.cause.rerun_of], [failed.revision, 'rerun', failed.id]);
  });

  test(`what could not begin says why: image and clone (${mode.name})`, async () => {
    const page = await the.page(mode);
    for (const [name, document] of [
      ['image', 'image: no-such-image:latest\nsteps: [{ run: echo never }]\n'],
      ['clone', `source: { git: "${the.repository.path}-gone", branch: main }\n${image}steps: [{ run: echo never }]\n`],
    ]) {
      const plan = await the.api.makePlan(`name: cannot-${name}-${mode.scripts}\n${document}`);
      const task = await the.api.task((await the.api.runPlan(plan)).id, 'failed');
      assert.match(task.reason, /\S \S/, 'a sentence');
      await visit(page, `/tasks/${task.id}`);
      assert.equal(await page.getByRole('main').getByText(name === 'image' ? /no-such-image/ : /-gone/).first().isVisible(), true);
    }
  });
}

test('follow stays at the end until the reader scrolls, then leaves the reader alone', async () => {
  const [first, second] = [new Gate(the.server.data), new Gate(the.server.data)];
  const task = await atGate(
    `name: follows\n${image}steps:\n  - run: |\n      for i in $(seq 1 300); do echo "early $i"; done\n      ${first.script}\n` +
      `      for i in $(seq 1 200); do echo "late $i"; done\n      ${second.script}\n      echo the end\n`,
    first,
  );
  const page = await the.page(hydrated);
  await visit(page, `/tasks/${task.id}`);
  await line(page, 'early 300').waitFor();
  const seen = line(page, 'early 100');
  await output(page).evaluate((body) => (body.scrollTop = 0));
  await line(page, 'early 1').waitFor();
  const away = page.getByRole('button', { name: /Jump to the end|new line/ });
  await away.waitFor();

  await first.open();
  await second.reached();
  await page.getByRole('button', { name: /^200 new lines/ }).waitFor();
  assert.equal(await output(page).evaluate((body) => body.scrollTop), 0, 'nothing moved under the reader');
  await away.click();
  await line(page, 'late 200').waitFor();
  await until('only what is in sight is in the document', async () => (await seen.count()) === 0);
  await second.open();
  await line(page, 'the end').waitFor();
});

test('colours are shown, markup stays text, a carriage return resolves in its line', async () => {
  const plan = await the.api.makePlan(
    `name: hostile\n${image}steps:\n  - run: |\n` +
      `      printf '\\033[31mred\\033[0m and plain\\n'\n      echo '<img src=x onerror="document.title=1"><script>document.title=1</script>'\n` +
      `      printf '10%%\\r55%%\\r100%% done\\n'\n`,
  );
  const task = await the.api.task((await the.api.runPlan(plan)).id, 'passed');
  for (const mode of modes) {
    const page = await the.page(mode);
    await visit(page, `/tasks/${task.id}`);
    await output(page).getByText('<script>document.title=1</script>').waitFor();
    const red = output(page).locator('span', { hasText: /^red$/ }).last();
    const ink = (element) => element.evaluate((node) => getComputedStyle(node).color);
    assert.notEqual(await ink(red), await ink(output(page)), 'red is another colour');
    await line(page, '100% done').waitFor();
    assert.equal(await output(page).getByText('55%').count(), 0);
    assert.doesNotMatch(await page.title(), /^1/);
  }
});

test('a console of 200,000 lines opens at its end, goes to its start and to any line, in a small document', async () => {
  const plan = await the.api.makePlan(`name: long\n${image}steps: [{ run: seq 1 200000 }]\n`);
  const task = await the.api.task((await the.api.runPlan(plan)).id, 'passed');
  const page = await the.page(hydrated);
  await visit(page, `/tasks/${task.id}`);
  await line(page, '200000').waitFor();
  await output(page).evaluate((body) => (body.scrollTop = 0));
  await line(page, '1').waitFor();
  await until('the document is small', async () => (await output(page).locator('.ln').count()) < 1000);
  const step = task.jobs[0].steps[0].id;
  await visit(page, `/tasks/${task.id}?step=${step}&from=123440#L123456`);
  await line(page, '123456').waitFor();

  const still = await the.page(plain);
  await visit(still, `/tasks/${task.id}`);
  await line(still, '200000').waitFor();
  await still.getByRole('link', { name: /earlier lines$/ }).click();
  await line(still, '199800').waitFor();
  const bytes = await still.request.get(`/api/v1/steps/${step}/console`, { headers: { range: 'bytes=-7' } });
  assert.deepEqual([bytes.status(), await bytes.text()], [206, '200000\n']);
});

test('tabs are addresses: plan, events, steps', async () => {
  const { items } = await the.api.get('/tasks?limit=1');
  for (const mode of modes) {
    const page = await the.page(mode);
    await visit(page, `/tasks/${items[0].id}`);
    for (const tab of ['Plan', 'Events', 'Steps']) {
      await page.getByRole('navigation', { name: 'Parts of the task' }).getByRole('link', { name: tab }).click();
      await page.waitForURL(tab === 'Steps' ? (url) => !url.search.includes('tab=') : new RegExp(`tab=${tab.toLowerCase()}`));
      await settled(page);
    }
  }
});
