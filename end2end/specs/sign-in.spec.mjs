// Set-up by the one-time link, signing in and out.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { admin, fillSignIn, modes, settled, shoot, visit, world } from '../harness/world.mjs';

for (const mode of modes) {
  describe(`a fresh server (${mode.name})`, () => {
    const the = world({ admin: false });

    test('leads to set-up, refuses a wrong code, makes the admin once by its link', async () => {
      const page = await the.page({ ...mode, signedIn: false, allow: [/status of 422/] });
      await visit(page, '/');
      assert.equal(new URL(page.url()).pathname, '/setup', 'whoever comes first is led to set-up');

      await page.getByLabel('One-time code').fill('not-the-code');
      await page.getByLabel('Name', { exact: true }).fill(admin.name);
      await page.getByLabel('Password', { exact: true }).fill(admin.password);
      await page.getByRole('button', { name: 'Make the account' }).click();
      await page.getByText(/code/i).filter({ hasText: /not|wrong|print/i }).first().waitFor();
      assert.equal(new URL(page.url()).pathname, '/setup');

      await page.goto(await the.server.setupLink());
      await settled(page);
      await shoot(page, `setup-${mode.scripts ? 'live' : 'plain'}`);
      await page.getByLabel('Name', { exact: true }).fill(admin.name);
      await page.getByLabel('Password', { exact: true }).fill(admin.password);
      await page.getByRole('button', { name: 'Make the account' }).click();
      await page.waitForURL((url) => url.pathname === '/plans');
      await settled(page);
      await page.getByRole('heading', { name: 'Plans', level: 1 }).waitFor();

      await visit(page, new URL(await the.server.setupLink()).pathname, { status: 404 });
    });

    test('lets in who knows the password, and out again', async () => {
      const page = await the.page({ ...mode, signedIn: false, allow: [/status of 4(01|22|03)/] });
      await visit(page, '/plans');
      assert.equal(new URL(page.url()).pathname, '/login', 'strangers are sent to the sign-in page');

      await page.getByLabel('Name', { exact: true }).fill(admin.name);
      await page.getByLabel('Password', { exact: true }).fill('a wrong password');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByText(/name or password is wrong/i).first().waitFor();
      assert.equal(new URL(page.url()).pathname, '/login');

      await settled(page);
      await fillSignIn(page, admin);
      await settled(page);
      assert.equal(new URL(page.url()).pathname, '/plans', 'back to where one wanted to go');

      await visit(page, '/me');
      await page.getByRole('main').getByRole('button', { name: 'Sign out' }).click();
      await page.waitForURL((url) => url.pathname === '/login');
      await page.goto('/plans');
      assert.equal(new URL(page.url()).pathname, '/login', 'the session is over');
    });
  });
}
