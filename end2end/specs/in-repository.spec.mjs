// Plans that are kept in their repository, and changes from forks: what runs, what is wrong at which line, who lets it run.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { violations } from '../harness/axe.mjs';
import { deliver, makeTrigger } from '../harness/hooks.mjs';
import { Repository } from '../harness/repository.mjs';
import { until } from '../harness/until.mjs';
import { modes, settled, shoot, visit, world } from '../harness/world.mjs';

const the = world();

/** A repository with this file, and a plan that is kept in it. */
async function kept(name, file) {
  const repository = await Repository.make([{ message: 'First', files: { '.caracal.yml': file } }]);
  const plan = await the.api.makePlan(`name: ${name}\nsource: { git: "${repository.path}", branch: main }\nfile: .caracal.yml\n`);
  return { repository, plan };
}

for (const mode of modes) {
  const word = mode.scripts ? 'live' : 'plain';

  test(`a plan from the repository is wrong at a line, then right, and runs at its revision (${mode.name})`, async () => {
    const { repository, plan } = await kept(`kept-${word}`, 'steps:\n  - rn: echo hello\n');
    try {
      const page = await the.page(mode);
      await visit(page, `/plans/${plan.id}`);
      await page.getByText('jobs in .caracal.yml, at the revision that runs').waitFor();
      await page.getByRole('button', { name: 'Run', exact: true }).first().click();
      await page.waitForURL(/\/tasks\/\d+/);
      await settled(page);
      const seen = async () => {
        if (!mode.scripts) await page.reload();
        return page.getByRole('heading', { name: '.caracal.yml is no plan: one thing is wrong' }).isVisible();
      };
      await until('what is wrong is told', seen);
      await page.getByText('Did you mean `run`?').waitFor();
      await page.getByRole('link', { name: 'Line 2, column 5' }).click();
      await page.waitForURL(/#document-2$/);
      assert.equal(await page.locator('#document-2').innerText(), '  - rn: echo hello');
      if (mode.scripts) assert.deepEqual(await violations(page), []);
      await shoot(page, `in-repository-wrong-${word}`, { fullPage: true });

      const revision = await repository.commit({ message: 'Mend it', files: { '.caracal.yml': 'steps:\n  - run: echo from the file\n' } });
      const made = await the.api.post(`/plans/${plan.id}/tasks`, {});
      await the.api.task(made.id, 'passed');
      await visit(page, `/tasks/${made.id}`);
      await page.getByText('from the file').first().waitFor();
      await page.getByRole('link', { name: 'Plan', exact: true }).click();
      await page.getByText(`, from .caracal.yml at ${revision.slice(0, 7)}.`).waitFor();
      await page.getByRole('region', { name: 'Plan document' }).getByText('- run: echo from the file').waitFor();
    } finally {
      await repository.remove();
    }
  });

  test(`a change from a fork waits until a member approves its revision (${mode.name})`, async () => {
    const { repository, plan } = await kept(`forked-${word}`, 'steps:\n  - run: echo ours\n');
    try {
      const trigger = await makeTrigger(the.api, plan, { name: `forked-${word}` });
      const sha = await repository.commit({ message: 'Theirs', files: { '.caracal.yml': 'steps:\n  - run: echo "<b>theirs</b>"\n' } });
      const delivered = await deliver(the.server, trigger, {
        action: 'opened', repository: { full_name: repository.path.split('/').slice(-2).join('/') }, sender: { login: 'mallory' },
        pull_request: {
          number: 7, title: 'Faster', user: { login: 'mallory' }, base: { ref: 'main', repo: { id: 1 } },
          head: { ref: 'main', sha, repo: { id: 2, full_name: 'mallory/<i>ledger</i>' } },
        },
      }, { event: 'pull_request' });
      assert.equal(delivered.status, 202, delivered.said);
      const [id] = delivered.said.firings[0].tasks;
      await until('its file was read', async () => (await the.api.get(`/tasks/${id}`)).jobs.length === 1);
      const page = await the.page(mode);
      await visit(page, `/tasks/${id}`);
      await page.getByRole('heading', { name: 'Waits for approval' }).waitFor();
      await page.getByText('mallory/<i>ledger</i>').first().waitFor();
      await page.getByText(`Revision ${sha.slice(0, 7)}`).waitFor();
      if (mode.scripts) assert.deepEqual(await violations(page), []);
      await shoot(page, `in-repository-fork-${word}`, { fullPage: true });
      await visit(page, '/');
      await page.getByText('Waits for a member to approve').first().waitFor();

      await visit(page, `/tasks/${id}`);
      await page.getByRole('button', { name: 'Approve and run' }).click();
      await until('it passed', async () => (await the.api.get(`/tasks/${id}`)).status === 'passed');
      if (!mode.scripts) await page.reload();
      await page.getByText('<b>theirs</b>').first().waitFor();
      assert.equal(await page.getByRole('heading', { name: 'Waits for approval' }).count(), 0);
    } finally {
      await repository.remove();
    }
  });
}
