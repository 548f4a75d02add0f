// A real git repository with a history, for plans to clone.

import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export class Repository {
  /** Makes a repository; each of `commits` is `{ message, files: { path: text } }`, oldest first. */
  static async make(commits) {
    const repository = new Repository();
    repository.path = await mkdtemp(join(tmpdir(), 'caracal-repo-'));
    await repository.git('init', '--quiet', '--initial-branch', 'main');
    for (const commit of commits) await repository.commit(commit);
    return repository;
  }

  /** Adds one commit and returns its id. */
  async commit({ message, files }) {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(this.path, path)), { recursive: true });
      await writeFile(join(this.path, path), text, { mode: text.startsWith('#!') ? 0o755 : 0o644 });
    }
    await this.git('add', '--all');
    await this.git('commit', '--quiet', '--message', message);
    return this.git('rev-parse', 'HEAD');
  }

  async git(...args) {
    const who = { GIT_AUTHOR_NAME: 'Ada', GIT_AUTHOR_EMAIL: 'ada@example.org', GIT_COMMITTER_NAME: 'Ada', GIT_COMMITTER_EMAIL: 'ada@example.org' };
    const { stdout } = await run('git', args, { cwd: this.path, env: { ...process.env, ...who } });
    return stdout.trim();
  }

  remove() {
    return rm(this.path, { recursive: true, force: true });
  }
}
