// Whose clocks a check goes by: those that are stated, or the host's.

import assert from 'node:assert/strict';
import test from 'node:test';

import { NOT_CHECKED, load, update } from 'nexa-verify';
import * as plain from 'nexa-verify/plain';

import { island, vector } from './fixtures.js';

const nexa = await load();
const { token, now, keySet, shard, number, options } = island();
/** A client that has all that it wants: what is signed is what its clock begins from. */
const client = () => {
  const one = nexa.client({ ...options, device: NOT_CHECKED });
  one.receive({ document: 'key_set' }, keySet);
  one.receive({ document: 'shard', number }, shard);
  return one;
};

test('by the host’s clocks, where none is stated', (t) => {
  const host = { wall: now * 1000, monotonic: 100_000 };
  t.mock.method(Date, 'now', () => host.wall);
  t.mock.method(performance, 'now', () => host.monotonic);
  const one = client();
  assert.equal(one.check(token).clock.trusted, now);
  host.wall -= 600_000;
  host.monotonic += 60_900;
  assert.equal(one.check(token).clock.trusted, now + 60);
});

test('a monotonic clock finds a wall clock that was turned back', () => {
  const one = client();
  one.check(token, { now, monotonic: 100 });
  assert.equal(one.check(token, { now: now - 600, monotonic: 160 }).clock.trusted, now + 60);
});

test('a time that is told goes without the host’s monotonic clock', async (t) => {
  // It began elsewhere: the time between the first look and the third would be another.
  for (const between of [(one) => one.check(token, { now }), (one) => update(one, token, { now, fetch: () => Promise.reject() })]) {
    const one = client();
    one.check(token, { now, monotonic: 100 });
    await between(one);
    assert.equal(one.check(token, { now, monotonic: 160 }).clock.trusted, now + 60);
  }
  // Nor does the host's time go on where the told one stands.
  const host = { monotonic: 0 };
  t.mock.method(performance, 'now', () => host.monotonic);
  const one = client();
  one.check(token, { now });
  host.monotonic = 3_600_000;
  const { clock } = one.check(token, { now });
  assert.deepEqual([clock.trusted, clock.stepped_back_s], [now, 0]);
});

test('a host’s clock from before 1970 is taken for 1970', async (t) => {
  t.mock.method(Date, 'now', () => -86_400_001);
  const { keys, token, expect } = vector('valid/plain');
  const expected = { jwks: keys, issuer: expect.issuer, audience: expect.audience, device: NOT_CHECKED };
  const at1970 = nexa.verifier(expected).check(token, { now: 0 });
  assert.equal(at1970.code, 'issued_in_future');
  assert.deepEqual(nexa.verifier(expected).check(token), at1970);
  const report = (await plain.load()).verifier({ ...expected, device: plain.NOT_CHECKED }).check(token);
  assert.equal(report.code, 'issued_in_future');
  assert.equal(nexa.client(expected).check(token).clock.trusted, 0);
});
