// W4 of `make bench`: loads the queue page five times with an empty cache and prints medians as JSON.
// Arguments: address of the server, name and password of an account.

import { launch } from '../harness/browser.mjs';

const [url, name, password] = process.argv.slice(2);
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

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

  const loads = [];
  for (let n = 0; n < 5; n++) {
    const context = await browser.context({ baseURL: url, storageState });
    const page = await context.newPage();
    await page.addInitScript(() => {
      new MutationObserver((_, observer) => {
        if (!document.documentElement?.hasAttribute('data-hydrated')) return;
        globalThis.hydratedAt = performance.now();
        observer.disconnect();
      }).observe(document, { attributes: true, subtree: true, attributeFilter: ['data-hydrated'] });
    });
    const finished = [];
    page.on('requestfinished', (request) => finished.push(request));
    await page.goto('/');
    await page.waitForSelector('html[data-hydrated]', { state: 'attached' });
    const times = await page.evaluate(() => ({
      paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0,
      hydrated: globalThis.hydratedAt ?? performance.now(),
    }));
    const sizes = await Promise.all(
      finished.map(async (request) => ({ path: new URL(request.url()).pathname, bytes: (await request.sizes()).responseBodySize })),
    );
    const sum = (wanted) => sizes.filter(({ path }) => wanted.test(path)).reduce((total, { bytes }) => total + bytes, 0);
    loads.push({ ...times, code: sum(/^\/pkg\//), all: sum(/./), requests: sizes.length });
    await context.close();
  }
  const figures = Object.keys(loads[0]).map((key) => [key, median(loads.map((load) => load[key]))]);
  console.log(JSON.stringify(Object.fromEntries(figures)));
} finally {
  await browser.close();
}
