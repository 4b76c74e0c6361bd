// The page that verifies a pasted licence, used as a person does, in a headless Chromium.

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';

import { ORIGIN, open, start } from './chromium.js';
import { island, vector } from './fixtures.js';

const PAGE = '/package/page/index.html';
const FILES = ['index.html', 'page.css', 'page.js', 'words.js'].map((file) => `${ORIGIN}/package/page/${file}`);

let browser;
before(async () => {
  browser = await start();
});
after(() => browser.close());

/** Fills in a case and asks; without one of `changes`, as the file says. */
async function verified(page, one, changes = {}) {
  await asked(page, one, changes);
  await page.locator('#decision').waitFor();
  return shown(page);
}

async function asked(page, { token, keys, expect, time }, changes = {}) {
  await page.getByLabel('Licence', { exact: true }).fill(changes.token ?? token);
  await page.getByLabel('Text of the keys').fill(keys);
  await page.getByLabel('Issuer', { exact: true }).fill(expect.issuer);
  await page.getByLabel('App', { exact: true }).fill(expect.audience);
  if (expect.device) {
    const lines = Object.entries(expect.device).map(([kind, value]) => `${kind}=${value}`);
    await page.getByLabel('Components of the device').fill(lines.join('\n'));
  } else {
    await page.getByLabel('Do not compare').check();
  }
  // As the field writes it: without seconds that are zero.
  const at = new Date(time * 1000).toISOString().slice(0, 19).replace(/:00$/, '');
  await page.getByLabel('Time to check for').fill(at);
  await page.getByRole('button', { name: 'Verify' }).click();
}

async function shown(page) {
  const rows = await page.locator('#facts tr').evaluateAll((all) => all.map((row) => [...row.cells].map((cell) => cell.textContent)));
  return {
    decision: await page.locator('#decision').textContent(),
    code: await page.locator('#code').textContent(),
    message: await page.locator('#message').textContent(),
    notes: await page.locator('#notes li').allTextContents(),
    facts: Object.fromEntries(rows),
  };
}

test('a good licence is allowed, and its facts are shown', async () => {
  const { page, requests, console } = await open(browser.context, PAGE);
  const found = await verified(page, vector('valid/terms'));
  assert.equal(found.decision, 'Allowed');
  assert.equal(found.code, 'valid');
  assert.equal(found.facts.Issuer, 'https://licenses.example');
  assert.equal(found.facts['Valid until'], '2026-12-21 03:00:00 UTC');
  assert.match(found.facts.Limits, /seats: 5/);
  assert.deepEqual(found.notes, ['The device was not compared.', 'Whether the licence is revoked was not checked.']);
  // Nothing is asked for but the page itself.
  const parts = (url) => FILES.includes(url) || url.startsWith(`${ORIGIN}/package/src/`);
  assert.deepEqual(requests.filter((url) => !parts(url)), []);
  assert.deepEqual(console, []);
  if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/good.png`, fullPage: true });
});

test('a tampered licence is denied, with the code of the rule', async () => {
  const { page } = await open(browser.context, PAGE);
  const good = vector('valid/plain');
  const [header, payload, signature] = good.token.split('.');
  const other = JSON.parse(Buffer.from(payload, 'base64url').toString());
  other.exp += 1;
  const token = [header, Buffer.from(JSON.stringify(other)).toString('base64url'), signature].join('.');
  const found = await verified(page, good, { token });
  assert.equal(found.decision, 'Denied');
  assert.equal(found.code, 'signature_wrong');
  assert.deepEqual(found.facts, {});
  if (process.env.SCREENSHOTS) {
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.screenshot({ path: `${process.env.SCREENSHOTS}/tampered-dark.png`, fullPage: true });
  }
});

test('an expired licence is denied, and says since when', async () => {
  const { page } = await open(browser.context, PAGE);
  const found = await verified(page, vector('time/one-second-after-exp'));
  assert.equal(found.decision, 'Denied');
  assert.equal(found.code, 'expired');
  assert.equal(found.facts['Over since'], '1 second');
});

test('another device is denied, and its parts are named', async () => {
  const { page } = await open(browser.context, PAGE);
  const found = await verified(page, vector('device/two-of-three-drifted'));
  assert.equal(found.code, 'other_device');
  assert.match(found.facts.Device, /components match/);
});

test('a form that says too little is no verdict', async () => {
  const { page } = await open(browser.context, PAGE);
  await page.getByLabel('Components of the device').fill('my-laptop');
  await page.getByRole('button', { name: 'Verify' }).click();
  assert.equal((await shown(page)).message, 'Device: "my-laptop" is not kind=value.');
  await page.getByLabel('Components of the device').fill('');
  await page.getByRole('button', { name: 'Verify' }).click();
  await page.getByText('key_set_refused').waitFor();
  assert.equal((await shown(page)).decision, 'Not checked');
});

const resultOf = (page) => page.locator('#result').textContent();

test('a verdict is over as soon as the form says anything else', async () => {
  const { page } = await open(browser.context, PAGE);
  const file = { name: 'list', mimeType: 'application/json', buffer: Buffer.from('[]') };
  for (const change of [
    () => page.getByLabel('Licence', { exact: true }).press('End').then(() => page.keyboard.type('x')),
    () => page.getByLabel('Text of the keys').fill('{}'),
    () => page.getByLabel('Issuer', { exact: true }).fill('https://elsewhere.example'),
    () => page.getByLabel('App', { exact: true }).fill('other'),
    () => page.getByLabel('Compare with these components').check(),
    () => page.getByLabel('List of revoked licences').setInputFiles(file),
    () => page.getByLabel('Time to check for').fill('2020-01-01T00:00'),
    () => page.getByLabel('Root key').check(),
    () => page.getByLabel('Fetch what is missing').check(),
  ]) {
    if (!(await page.getByLabel('Root key').isChecked())) {
      assert.equal((await verified(page, vector('valid/terms'))).decision, 'Allowed');
    } else {
      assert.equal((await verified(page, vector('key-set/shard'))).decision, 'Denied');
    }
    await change();
    assert.equal(await resultOf(page), '', `after ${change}`);
  }
});

/** With leave to fetch, asks for a good licence; its last document does not come before `release` is called. */
async function waiting() {
  const { keySet, number } = island();
  const shard = `/api/licenses/status/${number}/shard`;
  let release;
  const documents = { '/.well-known/nexa-keyset': keySet, [shard]: new Promise((resolve) => (release = resolve)) };
  const { page } = await open(browser.context, PAGE, documents);
  await page.getByLabel('Root key').check();
  await page.getByLabel('Fetch what is missing').check();
  const request = page.waitForRequest(ORIGIN + shard);
  await asked(page, vector('key-set/shard'));
  await request;
  const released = async () => {
    const response = page.waitForResponse(ORIGIN + shard);
    release();
    await response;
    // Whatever comes of it has come before what is asked for later, and drawn.
    await page.evaluate(() => fetch('index.html').then((one) => one.text()).then(() => new Promise(requestAnimationFrame)));
  };
  return { page, released };
}

test('while it is being checked there is no verdict, and then there is', async () => {
  const { page, released } = await waiting();
  assert.equal(await resultOf(page), 'Checking…');
  await released();
  assert.deepEqual([(await shown(page)).decision, (await shown(page)).code], ['Allowed', 'valid']);
});

test('an answer that comes late says nothing of another licence', async () => {
  const { page, released } = await waiting();
  await page.getByLabel('Fetch what is missing').uncheck();
  await page.getByLabel('Licence', { exact: true }).fill('x.y.z');
  assert.equal(await resultOf(page), '');
  await page.getByRole('button', { name: 'Verify' }).click();
  await page.locator('#decision').waitFor();
  const before = await shown(page);
  assert.equal(before.decision, 'Denied');
  await released();
  assert.deepEqual(await shown(page), before);
});

test('an answer that comes after the licence was typed over is not shown', async () => {
  const { page, released } = await waiting();
  await page.getByLabel('Licence', { exact: true }).fill('x.y.z');
  await released();
  assert.equal(await resultOf(page), '');
});

test('what reads the page aloud knows where the verdict will be, before there is one', async () => {
  const { page } = await open(browser.context, PAGE);
  const session = await page.context().newCDPSession(page);
  const regions = async () => {
    const { nodes } = await session.send('Accessibility.getFullAXTree');
    const live = (node) => !node.ignored && node.properties?.some(({ name, value }) => name === 'live' && value.value === 'polite');
    return nodes.filter(live).map(({ backendDOMNodeId }) => backendDOMNodeId);
  };
  const before = await regions();
  assert.equal(await resultOf(page), '');
  assert.ok(before.length > 0);
  await verified(page, vector('valid/terms'));
  assert.ok((await regions()).includes(before[0]));
});

test('what a licence says is text, not HTML', async () => {
  const { page, console } = await open(browser.context, PAGE);
  await page.getByLabel('Components of the device').fill('<img src=x onerror=alert(1)>');
  await page.getByRole('button', { name: 'Verify' }).click();
  await page.locator('#decision').waitFor();
  assert.equal(await page.locator('#result img').count(), 0);
  assert.deepEqual(console, []);
});

test('with a root key: documents that are missing are named, as files they are taken', async () => {
  const { page, requests } = await open(browser.context, PAGE);
  const one = vector('key-set/shard');
  const { keySet, shard } = island();
  await page.getByLabel('Root key').check();
  const before = await verified(page, one);
  assert.equal(before.code, 'unknown_key');
  assert.deepEqual(before.notes, [`The signed key set is needed: ${ORIGIN}/.well-known/nexa-keyset`]);
  await page.getByLabel('Signed key set').setInputFiles({ name: 'keyset', mimeType: 'a/b', buffer: Buffer.from(keySet) });
  await page.getByLabel('Status shard').setInputFiles({ name: 'shard', mimeType: 'a/b', buffer: Buffer.from(shard) });
  await page.getByRole('button', { name: 'Verify' }).click();
  await page.getByText('Denied').waitFor();
  await page.locator('#code', { hasText: 'revoked' }).waitFor();
  assert.ok(!requests.some((url) => url.includes('nexa-keyset')));
});

test('with a root key and leave to fetch: the issuer is asked, where it serves the page', async () => {
  const { keySet, shard, number } = island();
  const documents = { '/.well-known/nexa-keyset': keySet, [`/api/licenses/status/${number}/shard`]: shard };
  const { page, requests } = await open(browser.context, PAGE, documents);
  await page.getByLabel('Root key').check();
  await page.getByLabel('Fetch what is missing').check();
  const found = await verified(page, vector('key-set/shard'));
  assert.equal(found.code, 'revoked');
  assert.equal(found.facts.Revocation, 'revoked');
  assert.ok(requests.includes(`${ORIGIN}/.well-known/nexa-keyset`));
  if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/root.png`, fullPage: true });
});

test('the policy keeps the page from every other server', async () => {
  const { page, requests } = await open(browser.context, PAGE);
  const blocked = await page.evaluate(() => fetch('https://elsewhere.example/').then(() => 'sent', () => 'blocked'));
  assert.equal(blocked, 'blocked');
  assert.ok(!requests.some((url) => url.includes('elsewhere.example')));
});
