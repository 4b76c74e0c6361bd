// The package in a headless Chromium: the conformance file, both modules, and a client that fetches.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';

import { open, start } from './chromium.js';
import { cases, island } from './fixtures.js';

let browser;
before(async () => {
  browser = await start();
});
after(() => browser.close());

test('every case of the conformance file', async () => {
  const { page, console } = await open(browser.context, '/test/blank.html');
  const lines = await page.evaluate(async (cases) => {
    const { disagreements } = await import('/test/vectors.js');
    const { load, NOT_CHECKED } = await import('/package/src/browser.js');
    return disagreements(await load(), NOT_CHECKED, { cases });
  }, cases);
  assert.deepEqual(lines, []);
  assert.deepEqual(console, []);
});

test('the plain module, the module from an answer and from a URL', async () => {
  const { page } = await open(browser.context, '/test/blank.html');
  const found = await page.evaluate(async (one) => {
    const whole = await import('/package/src/browser.js');
    const plain = await import('/package/src/plain-browser.js');
    const { issuer, audience } = one.expect;
    const code = (nexa, { NOT_CHECKED: device }) =>
      nexa.verifier({ jwks: one.keys, issuer, audience, device }).check(one.token, { now: one.time }).code;
    const loaded = await plain.load();
    return [
      [code(loaded, plain), loaded.client === undefined],
      code(await whole.load(fetch('/package/src/nexa_verify.wasm')), whole),
      code(await whole.load('/package/src/nexa_verify.wasm'), whole),
      await whole.load('/package/none.wasm').catch((error) => error.code),
    ];
  }, cases[0]);
  assert.deepEqual(found, [['valid', true], 'valid', 'valid', 'not_fetched']);
});

test('update fetches with what a browser has', async () => {
  const { token, now, keySet, shard, number, options } = island();
  const documents = { '/.well-known/nexa-keyset': keySet, [`/api/licenses/status/${number}/shard`]: shard };
  const { page } = await open(browser.context, '/test/blank.html', documents);
  const found = await page.evaluate(
    async ({ token, now, options }) => {
      const { load, update, NOT_CHECKED } = await import('/package/src/browser.js');
      const client = (await load()).client({ ...options, device: NOT_CHECKED });
      const { report, problems } = await update(client, token, { now });
      return [report.code, report.wanted, problems];
    },
    { token, now, options },
  );
  assert.deepEqual(found, ['revoked', null, []]);
});
