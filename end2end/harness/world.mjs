// What every spec stands on: a server, a signed-in administrator, a browser whose pages must stay without a fault.
//
//   const the = world({ executor: 'docker' });
//   for (const mode of modes) test(`… (${mode.name})`, async () => { const page = await the.page(mode); … });

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { after, afterEach, before } from 'node:test';
import { Api } from './api.mjs';
import { launch, watch } from './browser.mjs';
import { Server } from './server.mjs';

export const admin = { name: 'ada', password: 'correct horse battery' };

/** The two kinds of visitor: with scripts (live after hydration) and without any. */
export const hydrated = { name: 'hydrated', scripts: true };
export const plain = { name: 'no script', scripts: false };
export const modes = [hydrated, plain];

const shots = new URL('../shots/', import.meta.url).pathname;

/**
 * `admin: false` leaves the server without any account, as it comes out of the box; `prepare` fills it before the first
 * test; the rest is for `Server.start`.
 */
export function world({ admin: wanted = true, prepare = () => {}, ...options } = {}) {
  const the = {};
  let open = [];

  before(async () => {
    the.server = await Server.start(options);
    the.browser = await launch();
    if (!wanted) return;
    await the.server.cli(['user', 'add', admin.name, '--role', 'admin', '--password-stdin'], `${admin.password}\n`);
    the.api = new Api(the.server.url, await the.server.cli(['token', 'create', '--user', admin.name]));
    the.session = await signIn(the);
    await prepare(the);
  });
  after(async () => {
    await the.browser?.close();
    await the.server?.stop();
  });
  afterEach(async () => {
    const faults = open.flatMap(({ faults }) => faults);
    await Promise.all(open.map(({ context }) => context.close()));
    open = [];
    // What a broken test left running would hold the slots of the next one.
    for (const status of ['running', 'pending']) {
      const { items } = (await the.api?.get(`/tasks?status=${status}&limit=200`)) ?? { items: [] };
      for (const task of items) await the.api.post(`/tasks/${task.id}/abort`).catch(() => {}); // it may just have ended
      for (const task of items) await the.api.task(task.id);
    }
    assert.deepEqual(faults, [], 'pages stay without faults');
  });

  /** A new page, signed in unless `signedIn: false`. `allow`: patterns of faults that this test causes on purpose. */
  the.page = async ({ scripts = true, signedIn = true, scheme = 'light', width = 1280, height = 800, allow = [] } = {}) => {
    const context = await the.browser.context({
      baseURL: the.server.url,
      javaScriptEnabled: scripts,
      colorScheme: scheme,
      viewport: { width, height },
      reducedMotion: 'reduce',
      storageState: signedIn ? the.session : undefined,
    });
    context.setDefaultTimeout(30_000);
    const page = await context.newPage();
    page.scripts = scripts;
    // Without scripts Chromium refuses to load them, and says it was a policy.
    page.allowed = scripts ? [...allow] : [...allow, /^request: GET \S+\/pkg\/\S+ csp$/];
    page.faults = watch(page, page.allowed);
    open.push({ context, faults: page.faults });
    return page;
  };
  return the;
}

/** Goes to `path`, checks the status and waits for the scripts, where there are any. */
export async function visit(page, path, { status = 200 } = {}) {
  // Chromium writes each page with an error status to its console, wanted or not.
  if (status >= 400) page.allowed.push(new RegExp(`status of ${status}`));
  const response = await page.goto(path);
  assert.equal(response.status(), status, `status of ${path}`);
  await settled(page);
  return response;
}

/** Waits until the page's scripts have taken over. A click before that would be lost. */
export async function settled(page) {
  await page.waitForLoadState();
  if (!page.scripts) return;
  await page.waitForSelector('html[data-hydrated]', { state: 'attached' }).catch((error) => {
    throw new Error(`${page.url()} does not come alive: ${page.faults.join('; ') || error.message}`);
  });
}

/** Keeps a picture below end2end/shots, for a person to look at. */
export async function shoot(page, name, options = {}) {
  await mkdir(shots, { recursive: true });
  await page.screenshot({ path: `${shots}${name}.png`, ...options });
}

async function signIn(the) {
  const context = await the.browser.context({ baseURL: the.server.url, javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto('/login');
  await fillSignIn(page, admin);
  const state = await context.storageState();
  await context.close();
  assert.notEqual(state.cookies.length, 0, 'signing in sets a session cookie');
  return state;
}

/** Fills the sign-in form and sends it. */
export async function fillSignIn(page, { name, password }) {
  await page.getByLabel('Name', { exact: true }).fill(name);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL((url) => url.pathname !== '/login');
}
