// Other machines, as far as the network is concerned: each a network namespace of its own, with one cable to a hub from
// where it reaches the server and nothing else. A cable can be pulled.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const binary = process.env.CARACAL_BIN ?? new URL('../../target/debug/caracal', import.meta.url).pathname;
const PORT = 7420;

/** What runs in the hub: hands on what comes in there to the socket in the file system. */
const forward = `
  const { connect, createServer } = require('node:net');
  const [address, port, path] = process.argv.slice(1);
  createServer((from) => {
    const to = connect(path);
    from.pipe(to).pipe(from);
    for (const [one, other] of [[from, to], [to, from]]) one.on('error', () => other.destroy()).on('close', () => other.destroy());
  }).listen(Number(port), address, () => console.log('listening'));
`;

const ip = (...args) => execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'pipe'] }).toString();

export class Machines {
  /** A hub in front of this server. Namespaces take root. */
  static async start(server) {
    assert.equal(process.getuid(), 0, 'network namespaces are made by root only');
    const all = new Machines();
    all.tag = `${process.pid}`;
    all.hub = `caracal-hub-${all.tag}`;
    all.made = [];
    all.children = [];
    all.folder = await mkdtemp(join(tmpdir(), 'caracal-e2e-machines-'));
    ip('netns', 'add', all.hub);
    all.made.push(all.hub);
    // A socket in the file system is the one way out of the hub: no namespace has a route to another network.
    const path = join(all.folder, 'server');
    all.door = createServer((from) => {
      const to = connect(server.port, '127.0.0.1');
      from.pipe(to).pipe(from);
      for (const [one, other] of [[from, to], [to, from]]) one.on('error', () => other.destroy()).on('close', () => other.destroy());
    }).listen(path);
    await once(all.door, 'listening');
    return all;
  }

  /** A machine with a cable to the hub. */
  async add(name) {
    const number = this.made.length;
    const space = `caracal-${name}-${this.tag}`;
    const [near, far] = [`ch${number}-${this.tag}`.slice(0, 15), `cm${number}-${this.tag}`.slice(0, 15)];
    ip('netns', 'add', space);
    this.made.push(space);
    ip('link', 'add', near, 'netns', this.hub, 'type', 'veth', 'peer', 'name', far, 'netns', space);
    const [hub, own] = [`10.177.${number}.1`, `10.177.${number}.2`];
    for (const [where, link, address] of [[this.hub, near, hub], [space, far, own]]) {
      ip('-n', where, 'address', 'add', `${address}/30`, 'dev', link);
      ip('-n', where, 'link', 'set', link, 'up');
      ip('-n', where, 'link', 'set', 'lo', 'up');
    }
    const switchboard = this.run(this.hub, process.execPath, ['-e', forward, hub, `${PORT}`, join(this.folder, 'server')], 'pipe');
    await once(switchboard.stdout, 'data');
    return new Machine(this, { name, space, link: far, url: `http://${hub}:${PORT}` });
  }

  run(space, program, args, stdout = 'ignore') {
    const child = spawn('ip', ['netns', 'exec', space, program, ...args], { stdio: ['ignore', stdout, 'inherit'] });
    this.children.push(child);
    return child;
  }

  async stop() {
    for (const child of this.children) child.kill('SIGKILL');
    this.door.close();
    for (const space of this.made) {
      // What steps left there is nobody's but this test's.
      for (const pid of ip('netns', 'pids', space).split('\n').filter(Boolean)) process.kill(Number(pid), 'SIGKILL');
      ip('netns', 'delete', space);
    }
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

class Machine {
  constructor(machines, about) {
    Object.assign(this, about, { machines, data: join(machines.folder, about.name) });
  }

  /** Starts its agent, with the token the first time. */
  agent(token) {
    const register = token ? ['--token', token] : [];
    const args = ['agent', '--server', this.url, ...register, '--executor', 'process', '--slots', '1', '--name', this.name, '--data', this.data];
    this.child = this.machines.run(this.space, binary, args);
    this.ended = once(this.child, 'close');
  }

  /** SIGKILL to its agent, whose steps go on. */
  async kill() {
    this.child.kill('SIGKILL');
    const [, signal] = await this.ended;
    assert.equal(signal, 'SIGKILL', 'the agent died of it');
  }

  /** Pulls its cable, or puts it back. */
  cable(state) {
    ip('-n', this.space, 'link', 'set', this.link, state);
    const found = JSON.parse(ip('-j', '-n', this.space, 'link', 'show', this.link))[0].flags.includes('UP');
    assert.equal(found, state === 'up', `the cable is ${state}`);
  }
}
