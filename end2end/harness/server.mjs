// A real `caracal serve` on a data folder of its own, and the local command line that works on the same folder.

import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { until } from './until.mjs';

const binary = process.env.CARACAL_BIN ?? new URL('../../target/debug/caracal', import.meta.url).pathname;

/** A port nobody listens on at this moment. */
async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await new Promise((listening) => probe.once('listening', listening));
  const { port } = probe.address();
  await new Promise((closed) => probe.close(closed));
  return port;
}

export class Server {
  /**
   * Starts a server and waits until it is ready.
   * `executor`: docker, process or scripted; `flags`: more of the command line; `data`: an existing data folder.
   */
  static async start({ executor = 'process', flags = [], data } = {}) {
    const server = new Server();
    server.owned = data === undefined;
    server.data = data ?? (await mkdtemp(join(tmpdir(), 'caracal-e2e-')));
    server.port = await freePort();
    server.url = `http://127.0.0.1:${server.port}`;
    server.output = [];
    server.child = spawn(
      binary,
      ['serve', '--data', server.data, '--listen', `127.0.0.1:${server.port}`, '--executor', executor, ...flags],
      { stdio: ['ignore', 'pipe', 'pipe'], env: environment() },
    );
    server.ended = new Promise((ended) => {
      server.child.once('close', (code, signal) => ended({ code, signal }));
      server.child.once('error', (error) => ended({ error }));
    });
    server.ended.then((how) => (server.how = how));
    for (const stream of [server.child.stdout, server.child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => server.output.push(line));
    }
    await until('the server is ready', async () => {
      if (server.how) throw Object.assign(new Error(`it ended: ${server.how.error?.message ?? `${server.how.code ?? server.how.signal}`}`), { fatal: true });
      return (await fetch(`${server.url}/readyz`)).ok;
    }).catch(async (error) => {
      await server.stop();
      throw new Error(`${error.message}\n${server.said()}`);
    });
    return server;
  }

  /** Everything it wrote so far. */
  said() {
    return this.output.join('\n');
  }

  /** The one-time link to make the first administrator, as printed. */
  setupLink() {
    return until('the set-up link is printed', () => this.said().match(/https?:\/\/\S+\/setup\S*/)?.[0]);
  }

  /** Runs the local command line on the same data folder and returns what it printed. */
  async cli(args, input = '') {
    const child = spawn(binary, [...args, '--data', this.data], { stdio: ['pipe', 'pipe', 'pipe'], env: environment() });
    child.stdin.on('error', () => {}); // it need not read what it has no use for
    child.stdin.end(input);
    const printed = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr']) child[name].on('data', (bytes) => (printed[name] += bytes));
    const code = await new Promise((closed) => child.once('close', closed));
    if (code !== 0) throw new Error(`caracal ${args.join(' ')} ended with ${code}: ${printed.stderr}`);
    return printed.stdout.trim();
  }

  /** Ends it as an operator would, and removes what it left. */
  async stop({ keep = false } = {}) {
    if (this.how === undefined) {
      this.child.kill('SIGTERM');
      await until('the server has ended', () => this.how, { seconds: 20 }).catch(async () => {
        this.child.kill('SIGKILL');
        await this.ended;
      });
    }
    if (this.owned && !keep) await rm(this.data, { recursive: true, force: true });
  }
}

/** Nothing of the caller's settings reaches the server under test. */
function environment() {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('CARACAL_'));
  return { ...Object.fromEntries(kept), NO_COLOR: '1' };
}
