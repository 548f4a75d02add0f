// WCAG 2.2 AA by axe, in the page itself.

import { createRequire } from 'node:module';

const { source } = createRequire(import.meta.url)('axe-core');
const rules = { runOnly: { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] } };

/** Numbers of lines stand 20 px apart; the button "Copy a link to line n" is their equivalent (WCAG 2.2, 2.5.8). */
const hasAnother = (rule, node) => rule.id === 'target-size' && /^<a href="#L\d+">/.test(node.html);

/** What axe finds wrong, one line each, with the element and the reason. */
export async function violations(page) {
  // Evaluated by the debugger, which a page's policy does not bind; the page itself loads nothing.
  await page.evaluate(source);
  const found = await page.evaluate((options) => globalThis.axe.run(document, options), rules);
  return found.violations.flatMap((rule) =>
    rule.nodes.filter((node) => !hasAnother(rule, node)).map((node) => `${rule.id}: ${node.html.slice(0, 160)}\n    ${node.failureSummary?.replaceAll('\n', '\n    ')}`),
  );
}
