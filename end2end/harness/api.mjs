// The REST door, for what a test needs to be there before it looks at a page.

import { until } from './until.mjs';

const over = new Set(['passed', 'failed', 'aborted', 'timed_out', 'lost', 'skipped']);

export class Api {
  constructor(url, token) {
    this.url = `${url}/api/v1`;
    this.token = token;
  }

  /** One call; the answer's body as JSON. A status other than 2xx is an error that shows it. */
  async call(method, path, body) {
    const response = await fetch(this.url + path, {
      method,
      headers: { authorization: `Bearer ${this.token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }

  get(path) {
    return this.call('GET', path);
  }

  post(path, body) {
    return this.call('POST', path, body);
  }

  makePlan(document) {
    return this.post('/plans', { document });
  }

  runPlan(plan) {
    return this.post(`/plans/${plan.id}/tasks`, {});
  }

  /** The task once it is in one of `statuses` (default: any end). */
  task(id, ...statuses) {
    const wanted = statuses.length === 0 ? over : new Set(statuses);
    return until(`task ${id} is ${[...wanted].join(' or ')}`, async () => {
      const task = await this.get(`/tasks/${id}`);
      return wanted.has(task.status) ? task : undefined;
    });
  }

  /** The agent of this name once it is online. */
  agentOnline(name) {
    return until(`agent ${name} is online`, async () => {
      const { items } = await this.get('/agents');
      return items.find((agent) => agent.name === name && agent.status === 'online');
    });
  }

  async console(id) {
    const response = await fetch(`${this.url}/tasks/${id}/console`, { headers: { authorization: `Bearer ${this.token}` } });
    if (!response.ok) throw new Error(`console of task ${id}: ${response.status}`);
    return response.text();
  }
}
