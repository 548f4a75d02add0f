// W4 of `make bench`: loads the queue page and a finished console five times each, with an empty cache, and prints medians
// as JSON. Arguments: address of the server, name and password of an account, path of the console, its last line's number.

import { launch, watch } from '../harness/browser.mjs';

const [url, name, password, console_, last] = process.argv.slice(2);
const LOADS = 5;
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const medians = (loads) => Object.fromEntries(Object.keys(loads[0]).map((key) => [key, median(loads.map((load) => load[key]))]));

const browser = await launch();
try {
  const entry = await browser.context({ baseURL: url, javaScriptEnabled: false });
  const form = await entry.newPage();
  await form.goto('/login');
  await form.getByLabel('Name', { exact: true }).fill(name);
  await form.getByLabel('Password', { exact: true }).fill(password);
  await form.getByRole('button', { name: 'Sign in' }).click();
  await form.waitForURL((to) => to.pathname !== '/login');
  const storageState = await entry.storageState();
  await entry.close();

  const first = [];
  const end = [];
  for (let n = 0; n < LOADS; n++) {
    first.push(await load('/', storageState, null));
    end.push(await load(console_, storageState, `L${last}`));
  }
  console.log(JSON.stringify({ first: medians(first), end: medians(end) }));
} finally {
  await browser.close();
}

/** One load with an empty cache: when it painted, when it was alive, when the line `id` was in sight, and what it took. */
async function load(path, storageState, id) {
  const context = await browser.context({ baseURL: url, storageState });
  const page = await context.newPage();
  const faults = watch(page, []);
  await page.addInitScript((line) => {
    new MutationObserver((_, observer) => {
      if (!document.documentElement?.hasAttribute('data-hydrated')) return;
      globalThis.hydratedAt = performance.now();
      observer.disconnect();
    }).observe(document, { attributes: true, subtree: true, attributeFilter: ['data-hydrated'] });
    const look = () => {
      const { top, bottom } = document.getElementById(line)?.getBoundingClientRect() ?? { top: -1, bottom: Infinity };
      if (top >= 0 && bottom <= innerHeight) globalThis.seenAt = performance.now();
      else requestAnimationFrame(look);
    };
    if (line) requestAnimationFrame(look);
  }, id);
  const finished = [];
  page.on('requestfinished', (request) => finished.push(request));
  await page.goto(path);
  await page.waitForSelector('html[data-hydrated]', { state: 'attached' }).catch((error) => {
    throw new Error(`${path} did not come alive: ${faults.join('; ') || error}`);
  });
  if (id) await page.waitForFunction(() => globalThis.seenAt !== undefined, null, { timeout: 10_000 });
  const times = await page.evaluate(async () => {
    const paints = () => performance.getEntriesByName('first-contentful-paint');
    while (!paints().length) await new Promise(requestAnimationFrame);
    return { paint: paints()[0].startTime, hydrated: globalThis.hydratedAt, seen: globalThis.seenAt ?? 0 };
  });
  // What it still asks for once it is alive belongs to the page too.
  await page.waitForLoadState('networkidle');
  const sizes = await Promise.all(
    finished.map(async (request) => ({ path: new URL(request.url()).pathname, bytes: (await request.sizes()).responseBodySize })),
  );
  const sum = (wanted) => sizes.filter((one) => wanted.test(one.path)).reduce((total, { bytes }) => total + bytes, 0);
  await context.close();
  if (faults.length) throw new Error(`${path}: ${faults.join('; ')}`);
  return { ...times, code: sum(/^\/pkg\//), all: sum(/./), requests: sizes.length };
}
