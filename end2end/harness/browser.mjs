// A real Chromium whose pages report everything that went wrong on them: console errors, refused policies, failed requests.

import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const executable = process.env.CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);

const flags = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--force-color-profile=srgb',
];

export async function launch() {
  if (!executable) throw new Error('Chromium is missing (Debian: chromium)');
  const browser = await chromium.launch({ executablePath: executable, args: flags });
  return {
    context: (options) => browser.newContext(options),
    async close() {
      await browser.close();
    },
  };
}

/** Watches a page from its first byte on; returns the list that grows with each fault. */
export function watch(page, allowed) {
  const faults = [];
  const note = (what) => {
    if (!allowed.some((pattern) => pattern.test(what))) faults.push(what);
  };
  page.on('console', (message) => {
    if (message.type() === 'error' || /content security policy/i.test(message.text())) {
      note(`console: ${message.text()} (${message.location().url})`);
    }
  });
  page.on('pageerror', (error) => note(`script: ${error.stack ?? error}`));
  page.on('requestfailed', (request) => {
    const why = request.failure()?.errorText ?? '';
    // Leaving a page ends what it was still asking for.
    if (why !== 'net::ERR_ABORTED') note(`request: ${request.method()} ${request.url()} ${why}`);
  });
  page.on('response', (response) => {
    if (response.status() >= 500) note(`answer: ${response.status()} ${response.url()}`);
  });
  return faults;
}
