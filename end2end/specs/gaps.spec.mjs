// Output that is not whole: the row that says so stands in its place and can be read on every screen.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { modes, shoot, visit, world } from '../harness/world.mjs';

const folder = await mkdtemp(join(tmpdir(), 'caracal-e2e-gaps-'));
await writeFile(join(folder, 'caracal.toml'), 'console_limit = 4096\n');
after(() => rm(folder, { recursive: true }));

const the = world({ flags: ['--config', join(folder, 'caracal.toml')], prepare: long });

/** A task whose output, in lines wider than any screen, is ten times what is kept. */
async function long(the) {
  const plan = await the.api.makePlan("name: long\nsteps:\n  - { name: much, run: 'for n in $(seq 200); do printf %0200d\\\\n $n; done' }\n");
  the.task = await the.api.runPlan(plan);
  await the.api.task(the.task.id);
}

for (const mode of modes) {
  for (const [scheme, width, height] of [
    ['light', 1280, 800],
    ['dark', 360, 740],
  ]) {
    test(`how much is missing, and why, is in sight beside lines that are not (${mode.name}, ${width} px)`, async () => {
      const page = await the.page({ ...mode, scheme, width, height });
      await visit(page, `/tasks/${the.task.id}`);
      const gap = page.getByRole('log', { name: 'Output' }).locator('.gap');
      await gap.getByText('bytes are missing here.').waitFor();
      await gap.scrollIntoViewIfNeeded();
      await shoot(page, `gap-${mode.name}-${width}`);
      const said = await gap.innerText();
      assert.match(said, /^\s*3\d,\d{3} bytes are missing here\. \S.*limit/s);
      const { right, seen, body } = await inSight(gap);
      assert.ok(body.lines > body.shown, 'the lines are wider than the console');
      assert.ok(right <= seen + 0.5, `the sentence goes to ${right} of ${seen}`);

      await gap.evaluate((row) => (row.closest('.con-body').scrollLeft = 10_000));
      const after = await inSight(gap);
      assert.ok(after.body.at > 0, 'it was scrolled sideways');
      assert.ok(after.left >= 0 && after.right <= after.seen + 0.5, 'the sentence stays where it is');
    });
  }
}

/** Where the sentence of a gap stands, within what is seen of the console. */
function inSight(gap) {
  return gap.evaluate((row) => {
    const text = row.querySelector('span').getBoundingClientRect();
    const body = row.closest('.con-body');
    const seen = body.getBoundingClientRect();
    return {
      left: text.left - seen.left,
      right: text.right,
      seen: Math.min(seen.right, window.innerWidth),
      body: { lines: body.scrollWidth, shown: body.clientWidth, at: body.scrollLeft },
    };
  });
}
