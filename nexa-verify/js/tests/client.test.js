// The whole client: what it wants, what it keeps, and the helper that fetches.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import test, { after, before } from 'node:test';

import { NOT_CHECKED, load, update } from 'nexa-verify';

import { island } from './fixtures.js';

const nexa = await load();
const { token, now, keySet, shard, number, options } = island();
const clock = { now, monotonic: null };
const client = () => nexa.client({ ...options, device: NOT_CHECKED });

const KEY_SET = '/.well-known/nexa-keyset';
const SHARD = `/api/licenses/status/${number}/shard`;

test('it says what it wants, takes it, and then answers by it', () => {
  const one = client();
  const empty = one.check(token, clock);
  assert.deepEqual([empty.code, empty.decision], ['unknown_key', 'deny']);
  assert.deepEqual(empty.wanted, {
    document: 'key_set', number: null, since: null, why: 'missing', url: `https://licenses.example${KEY_SET}`,
  });
  one.receive(empty.wanted, keySet);
  const { wanted } = one.check(token, clock);
  assert.deepEqual([wanted.document, wanted.number, wanted.url], ['shard', number, `https://licenses.example${SHARD}`]);
  assert.throws(() => one.receive(wanted, shard.slice(0, -1)), { name: 'NexaError', code: 'shard_signature' });
  one.receive(wanted, shard);
  const report = one.check(token, clock);
  assert.deepEqual([report.code, report.wanted, report.clock.trusted], ['revoked', null, now]);
});

test('what was refused or could not be had is not asked for again at once', () => {
  const one = client();
  const { wanted } = one.check(token, clock);
  assert.throws(() => one.receive(wanted, keySet.slice(1)), { name: 'NexaError', code: /^key_set_/ });
  const other = client();
  other.failed(other.check(token, clock).wanted);
  for (const tried of [one, other]) {
    assert.equal(tried.check(token, clock).wanted, null);
    assert.equal(tried.check(token, { now: now + 61, monotonic: null }).wanted.document, 'key_set');
  }
});

test('a state is kept, bound to the device, and the clock does not go back', () => {
  const one = client();
  one.receive({ document: 'key_set' }, keySet);
  one.receive({ document: 'shard', number }, shard);
  one.check(token, { now: now + 10, monotonic: null });
  const kept = one.save('my-laptop');
  assert.ok(kept.length > 100 && kept.length <= 11_264);

  const two = client();
  two.restore(kept, 'my-laptop');
  const report = two.check(token, clock);
  // It has the shard, and asks for what came since.
  assert.deepEqual([report.code, report.wanted.document, report.wanted.since], ['revoked', 'shard', now]);
  assert.ok(report.clock.trusted > now);

  const three = client();
  const before = three.save('my-laptop');
  const flipped = kept.slice();
  flipped[20] ^= 1;
  const table = [[kept, 'another-laptop'], [flipped, 'my-laptop'], [kept.slice(1), 'my-laptop'], [new Uint8Array(), 'my-laptop']];
  for (const [bytes, fingerprint] of table) {
    assert.throws(() => three.restore(bytes, fingerprint), (error) => error.name === 'NexaError' && error.code.length > 3);
  }
  assert.deepEqual(three.save('my-laptop'), before);
  three.restore(kept.buffer, new TextEncoder().encode('my-laptop'));
  assert.equal(three.check(token, clock).code, 'revoked');
});

// A server in the issuer's place.
let server;
let answers;
before(async () => {
  server = createServer((request, response) => {
    const answer = answers[request.url] ?? { status: 404 };
    if (answer.never) return;
    response.writeHead(answer.status ?? 200, answer.headers);
    response.end(answer.body);
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
});
after(() => {
  server.closeAllConnections();
  server.close();
});

/** The issuer's URLs, at the server. */
const fetchHere = (url, request) =>
  fetch(url.replace('https://licenses.example', `http://127.0.0.1:${server.address().port}`), request);
const updated = (one, more = {}) => update(one, token, { ...clock, fetch: fetchHere, ...more });

test('update fetches what is wanted', async () => {
  answers = { [KEY_SET]: { body: keySet }, [SHARD]: { body: shard } };
  const one = client();
  const { report, problems } = await updated(one);
  assert.deepEqual([report.code, report.wanted, problems], ['revoked', null, []]);
});

test('update follows a redirect of the same scheme alone', async () => {
  const moved = (location) => ({ status: 302, headers: { location } });
  answers = { [KEY_SET]: moved('/moved'), '/moved': { body: keySet }, [SHARD]: moved('http://licenses.example/moved') };
  const { report, problems } = await updated(client());
  assert.deepEqual([report.code, problems], [
    'valid',
    [{
      document: 'shard', number, url: `https://licenses.example${SHARD}`, code: 'not_fetched',
      message: 'a redirect from https: to http: is not followed',
    }],
  ]);
});

test('update notes what cannot be had, and answers by what is known', async () => {
  const table = [
    [{ status: 503, body: 'later' }, /^the status is 503$/],
    [{ status: 302, headers: { location: KEY_SET } }, /^more than 5 redirects$/],
    [{ status: 302, headers: { location: 'file:///etc/passwd' } }, /^a redirect from https: to file: is not followed$/],
    [{ body: Buffer.alloc(16_385) }, /^it has more than 16384 bytes$/],
    [{ never: true }, /timeout/i],
  ];
  for (const [answer, message] of table) {
    answers = { [KEY_SET]: answer };
    const { report, problems } = await updated(client(), { timeoutMs: answer.never ? 50 : 10_000 });
    assert.deepEqual([report.code, report.decision, report.wanted], ['unknown_key', 'deny', null]);
    assert.equal(problems.length, 1);
    assert.equal(problems[0].code, 'not_fetched');
    assert.match(problems[0].message, message);
  }
});

test('update notes what is refused', async () => {
  answers = { [KEY_SET]: { body: Buffer.alloc(16_384) } };
  const { report, problems } = await updated(client());
  assert.deepEqual([report.code, problems.map(({ code }) => code)], ['unknown_key', ['key_set_length']]);
});

test('update asks no host but the web’s: other schemes and dead servers are noted', async () => {
  const asked = [];
  const odd = { check: () => ({ code: 'unknown_key', wanted: asked.length ? null : { document: 'key_set', url: 'file:///etc/passwd' } }),
    failed: (wanted) => asked.push(wanted.url) };
  const { problems } = await update(odd, token, { fetch: () => assert.fail('it asked') });
  assert.deepEqual(problems.map(({ message }) => message), ['file:///etc/passwd is neither http nor https']);
  const dead = await updated(client(), { fetch: () => fetch('http://127.0.0.1:1/') });
  assert.equal(dead.problems[0].code, 'not_fetched');
  assert.match(dead.problems[0].message, /ECONNREFUSED|bad port/);
});

test('update ends after eight rounds', async () => {
  let rounds = 0;
  const wanted = { document: 'key_set', number: null, url: 'https://licenses.example/' };
  const greedy = { check: () => ({ wanted }), receive: () => { rounds += 1; } };
  const { report } = await update(greedy, token, { fetch: async () => new Response('x') });
  assert.deepEqual([rounds, report.wanted], [8, wanted]);
});

test('a wrong argument of update is an error', async () => {
  await assert.rejects(update(client(), token, { timeout: 1 }), { message: /^options\.timeout is unknown/ });
  await assert.rejects(update(client(), 7, clock), { message: 'token must be a string or a Uint8Array' });
});
