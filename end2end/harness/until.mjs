// Waiting for something to become true: asked again and again until it holds or the time is up.
// The only place in these tests where time passes; no test sleeps for a fixed time.

import { setTimeout as pause } from 'node:timers/promises';

/**
 * Asks `probe` until it returns something truthy, and returns that. An error thrown by the probe counts as "not yet",
 * unless it is marked `fatal`.
 */
export async function until(what, probe, { seconds = 60 } = {}) {
  const end = performance.now() + seconds * 1000;
  let last;
  for (;;) {
    try {
      const found = await probe();
      if (found) return found;
      last = undefined;
    } catch (error) {
      if (error.fatal) throw error;
      last = error;
    }
    if (performance.now() > end) {
      throw new Error(`not within ${seconds} s: ${what}${last ? ` (${last.message})` : ''}`);
    }
    await pause(25);
  }
}
