// What programs do wrong, and what an attacker may paste: an error that names the argument, or a report that denies.

import assert from 'node:assert/strict';
import test from 'node:test';

import { NOT_CHECKED, NexaError, load } from 'nexa-verify';

import { island, vector } from './fixtures.js';

const nexa = await load();
const good = vector('valid/plain');
const { issuer, audience } = good.expect;
const options = { jwks: good.keys, issuer, audience, device: NOT_CHECKED };
const verifier = nexa.verifier(options);
const now = good.time;

/** The plain check still answers as it did: nothing of its memory is damaged. */
const stillGood = () => assert.equal(verifier.check(good.token, { now }).code, 'valid');

test('options of a verifier that are wrong', () => {
  const table = [
    [undefined, 'options must be an object'],
    [[], 'options must be an object'],
    [{ ...options, revocation: '' }, 'options.revocation is unknown; there are jwks, issuer, audience, device, maxLifetimeS'],
    [{ ...options, jwks: undefined }, 'options.jwks must be a string or a Uint8Array'],
    [{ ...options, jwks: JSON.parse(good.keys) }, 'options.jwks must be a string or a Uint8Array'],
    [{ ...options, issuer: undefined }, 'options.issuer must be a string'],
    [{ ...options, issuer: 'https://\ud800' }, 'options.issuer holds a lone surrogate'],
    [{ ...options, audience: 7 }, 'options.audience must be a string'],
    [{ ...options, device: undefined }, 'options.device is missing: state what this device is made of, or NOT_CHECKED'],
    [{ ...options, device: null }, 'options.device is missing: state what this device is made of, or NOT_CHECKED'],
    [{ ...options, device: 'f-1' }, 'options.device must be an object {kind: value}, pairs [kind, value], or NOT_CHECKED'],
    [{ ...options, device: { fingerprint: 7 } }, 'options.device.fingerprint must be a string'],
    [{ ...options, device: { fingerprint: '\udfff' } }, 'options.device.fingerprint holds a lone surrogate'],
    [{ ...options, device: ['f-1'] }, 'options.device[0] must be a pair [kind, value]'],
    [{ ...options, device: [[Symbol('f'), 'x']] }, 'options.device[0][0] must be a string'],
    [{ ...options, maxLifetimeS: '1' }, 'options.maxLifetimeS must be a number of seconds'],
    [{ ...options, maxLifetimeS: 0 }, 'options.maxLifetimeS is 0; whole seconds from 1 to 2^53 - 1 are taken'],
    [{ ...options, maxLifetimeS: 1.5 }, 'options.maxLifetimeS is 1.5; whole seconds from 1 to 2^53 - 1 are taken'],
  ];
  for (const [wrong, message] of table) assert.throws(() => nexa.verifier(wrong), { message });
  stillGood();
});

test('what the module refuses has its code', () => {
  const many = Array.from({ length: 33 }, (_, index) => ['kind', `${index}`]);
  const table = [
    [{ ...options, jwks: '' }, 'key_set_refused'],
    [{ ...options, jwks: '{}'.repeat(10_000_000) }, 'key_set_refused'],
    [{ ...options, issuer: 'i'.repeat(1_025) }, 'out_of_range'],
    [{ ...options, device: many }, 'out_of_range'],
    [{ ...options, device: { fingerprint: 'f'.repeat(5_000_000) } }, 'out_of_range'],
  ];
  for (const [wrong, code] of table) {
    assert.throws(() => nexa.verifier(wrong), (error) => error instanceof NexaError && error.code === code);
  }
  stillGood();
});

test('tokens that are none deny, and are no errors', () => {
  const table = [
    ['', 'not_three_segments'],
    [new Uint8Array(), 'not_three_segments'],
    ['x'.repeat(10_000_000), 'token_too_long'],
    ['\u{1f600}'.repeat(3_000_000), 'token_too_long'],
    [`${good.token}\n`, 'whitespace'],
    [good.token.replace('.', '.\ud800'), 'base64_alphabet'],
    [good.token.replace('.', '.\0'), 'base64_alphabet'],
    [new Uint8Array([0xff, 0xfe, 0]), 'not_three_segments'],
  ];
  for (const [token, code] of table) {
    const report = verifier.check(token, { now });
    assert.deepEqual([report.code, report.decision, report.license], [code, 'deny', null], String(token).slice(0, 40));
  }
  stillGood();
});

test('a token as bytes is the same token', () => {
  const bytes = new TextEncoder().encode(`..${good.token}..`);
  const inside = new DataView(bytes.buffer, 2, bytes.length - 4);
  assert.equal(verifier.check(inside, { now }).code, 'valid');
  assert.equal(verifier.check(bytes.slice(2, -2).buffer, { now }).code, 'valid');
});

test('arguments of a check that are wrong', () => {
  const table = [
    [[undefined], 'token must be a string or a Uint8Array'],
    [[null, { now }], 'token must be a string or a Uint8Array'],
    [[new String(good.token), { now }], 'token must be a string or a Uint8Array'],
    [[good.token, now], 'options must be an object'],
    [[good.token, { now: new Date() }], 'options.now must be a number of seconds'],
    [[good.token, { now: -1 }], 'options.now is -1; whole seconds from 0 to 2^53 - 1 are taken'],
    [[good.token, { now: NaN }], 'options.now is NaN; whole seconds from 0 to 2^53 - 1 are taken'],
    [[good.token, { now: 2 ** 53 }], 'options.now is 9007199254740992; whole seconds from 0 to 2^53 - 1 are taken'],
    [[good.token, { now, revocations: [] }], 'options.revocations must be a string or a Uint8Array'],
    [[good.token, { now, list: '[]' }], 'options.list is unknown; there are now, revocations'],
  ];
  for (const [wrong, message] of table) assert.throws(() => verifier.check(...wrong), { message });
  stillGood();
});

test('a list of revoked licences that is none is refused, and not taken for an empty one', () => {
  for (const revocations of ['', '{}', '[{"jti":7}]', new Uint8Array([0xff])]) {
    assert.throws(() => verifier.check(good.token, { now, revocations }), { name: 'NexaError', code: 'list_refused' });
  }
  assert.equal(verifier.check(good.token, { now, revocations: '[]' }).revocation, 'not_revoked');
});

test('options and documents of a client that are wrong', () => {
  const { keySet, options: root } = island();
  const whole = { ...root, device: NOT_CHECKED };
  const client = nexa.client(whole);
  const table = [
    [() => nexa.client({ issuer, audience, device: NOT_CHECKED }), 'options must have either root or jwks'],
    [() => nexa.client({ ...whole, jwks: good.keys }), 'options must have either root or jwks'],
    [
      () => nexa.client({ ...whole, statusJwks: good.keys }),
      'options.statusJwks goes with jwks; with root, the status keys stand in the signed key set',
    ],
    [() => nexa.client({ ...options, statusJWKS: good.keys }), /^options\.statusJWKS is unknown/],
    [() => client.check(good.token, { now, monotonic: '1' }), 'options.monotonic must be a number of seconds'],
    [() => client.receive(null, keySet), 'wanted.document must be "key_set" or "shard"'],
    [() => client.receive({ document: 'keys' }, keySet), 'wanted.document must be "key_set" or "shard"'],
    [() => client.receive({ document: 'shard' }, keySet), "wanted.number is undefined; a shard's is from 0 to 2^32 - 1"],
    [() => client.receive({ document: 'shard', number: 2 ** 32 }, keySet), /^wanted\.number is 4294967296/],
    [() => client.receive({ document: 'key_set' }, 'text'), 'bytes must be a Uint8Array or an ArrayBuffer'],
    [() => client.save(), 'fingerprint must be a string or a Uint8Array'],
    [() => client.save('\ud800'), 'fingerprint holds a lone surrogate'],
    [() => client.restore('text', 'f-1'), 'bytes must be a Uint8Array or an ArrayBuffer'],
  ];
  for (const [wrong, message] of table) assert.throws(wrong, { message });
});

test('modules that are another', async () => {
  await assert.rejects(load(7), { message: 'source must be bytes, a WebAssembly.Module, a Response or a URL' });
  await assert.rejects(load(new Uint8Array(9)), { code: 'wrong_module' });
  await assert.rejects(load(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])), { code: 'wrong_module' });
  await assert.rejects(load(new Response('', { status: 404 })), { code: 'not_fetched' });
  await assert.rejects(load(new URL(import.meta.resolve('nexa-verify/nexa_verify_plain.wasm'))), {
    code: 'wrong_module',
    message: 'source is the plain module, which has no client: import "nexa-verify/plain"',
  });
});

test('the module as bytes, compiled, an answer, a URL', async () => {
  const { readFile } = await import('node:fs/promises');
  const url = import.meta.resolve('nexa-verify/nexa_verify.wasm');
  const bytes = await readFile(new URL(url));
  const compiled = await WebAssembly.compile(bytes);
  for (const source of [bytes, bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length), compiled, url]) {
    assert.equal((await load(source)).verifier(options).check(good.token, { now }).code, 'valid');
  }
  for (const source of [new Response(bytes), Promise.resolve(new Response(bytes)), new URL(url)]) {
    assert.equal((await load(source)).verifier(options).check(good.token, { now }).code, 'valid');
  }
});

test('a report cannot be changed, and names from a licence are nothing of JavaScript', () => {
  const report = verifier.check(good.token, { now });
  assert.throws(() => { report.decision = 'deny'; }, TypeError);
  assert.throws(() => { report.license.entitlements.push('all'); }, TypeError);
  for (const name of ['__proto__', 'constructor', 'toString', undefined, 7]) {
    assert.equal(report.limit(name), null);
    assert.equal(report.allows(name), false);
  }
  const terms = vector('valid/terms');
  const found = verifier.check(terms.token, { now: terms.time });
  assert.equal(found.limit('seats'), 5);
  assert.equal(found.allows(found.license.entitlements[0]), true);
  const late = verifier.check(terms.token, { now: terms.time + 1_000_000_000 });
  assert.deepEqual([late.code, late.allows(found.license.entitlements[0]), late.limit('seats')], ['expired', false, 5]);
});
