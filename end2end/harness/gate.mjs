// A gate in a running step: it says that it has arrived and goes on when the test says so. No sleep decides anything.

import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from './until.mjs';

let made = 0;

export class Gate {
  /** `data`: the server's data folder, in which the agent keeps the workspaces. */
  constructor(data) {
    this.data = data;
    this.name = `gate-${process.pid}-${++made}`;
  }

  /** The shell lines that wait here. They are part of a plan's `run`. */
  get script() {
    return `touch ${this.name}.here; while [ ! -e ${this.name}.open ]; do sleep 0.05; done`;
  }

  /** Waits until the step stands at the gate. */
  async reached() {
    this.place = await until(`a step reaches ${this.name}`, () => find(this.data, `${this.name}.here`));
  }

  /** Lets the step go on. */
  async open() {
    if (!this.place) await this.reached();
    await writeFile(join(this.place, `${this.name}.open`), '');
  }
}

async function find(folder, name) {
  let entries;
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch {
    return undefined; // gone between listing and looking
  }
  if (entries.some((entry) => entry.name === name)) return folder;
  for (const entry of entries.filter((entry) => entry.isDirectory() && entry.name !== '.git')) {
    const place = await find(join(folder, entry.name), name);
    if (place) return place;
  }
  return undefined;
}
