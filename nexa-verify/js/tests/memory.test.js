// The module's memory: bounded, whatever is passed, and never shared by two objects.

import assert from 'node:assert/strict';
import test from 'node:test';

import { NOT_CHECKED, load } from 'nexa-verify';

import { island, vector } from './fixtures.js';

const one = vector('valid/plain');
const { issuer, audience } = one.expect;
const MIB = 1_048_576;

/** The package, and the memories that it makes. */
async function watched() {
  const memories = [];
  const { Instance } = WebAssembly;
  const stop = () => { WebAssembly.Instance = Instance; };
  WebAssembly.Instance = class extends Instance {
    constructor(...args) {
      super(...args);
      memories.push(this.exports.memory);
    }
  };
  return { nexa: await load(), memories, stop };
}

test('a large argument takes memory for its call alone', async () => {
  const { nexa, memories, stop } = await watched();
  try {
    const verifier = nexa.verifier({ jwks: one.keys, issuer, audience, device: NOT_CHECKED });
    const small = memories.at(-1).buffer.byteLength;
    assert.ok(small < 2 * MIB);
    for (let round = 1; round <= 5; round += 1) {
      assert.equal(verifier.check('x'.repeat(10 * MIB), { now: one.time }).code, 'token_too_long');
      assert.ok(memories.at(-1).buffer.byteLength > 10 * MIB);
      assert.equal(verifier.check(one.token, { now: one.time }).code, 'valid');
      assert.equal(memories.length, 1 + round);
      assert.equal(memories.at(-1).buffer.byteLength, small);
    }
  } finally {
    stop();
  }
});

test('ten thousand objects take no memory in the module', async () => {
  const { nexa, memories, stop } = await watched();
  try {
    const { options } = island();
    for (let count = 0; count < 10_000; count += 1) {
      const client = nexa.client({ ...options, device: [['fingerprint', `${count}`]] });
      if (count % 1_000 === 0) client.check(one.token, { now: one.time, monotonic: null });
    }
    assert.equal(memories.length, 1);
    assert.ok(memories[0].buffer.byteLength < 2 * MIB);
  } finally {
    stop();
  }
});

test('a call that is stopped changes nothing, and the next one works', async () => {
  const { Instance } = WebAssembly;
  let traps = false;
  let instances = 0;
  WebAssembly.Instance = class extends Instance {
    constructor(...args) {
      const { exports } = super(...args);
      instances += 1;
      const trapping = (name) => (...given) => {
        if (!traps) return exports[name](...given);
        traps = false;
        new Uint8Array(exports.memory.buffer).fill(0xff, exports.__heap_base.value);
        throw new WebAssembly.RuntimeError('unreachable');
      };
      const replaced = { ...exports, nexa_client_check: trapping('nexa_client_check') };
      return { exports: replaced };
    }
  };
  try {
    const { token, now, keySet, options } = island();
    const client = (await load()).client({ ...options, device: NOT_CHECKED });
    client.receive({ document: 'key_set' }, keySet);
    const before = client.check(token, { now, monotonic: null });
    traps = true;
    assert.throws(() => client.check(token, { now, monotonic: null }), { name: 'NexaError', code: 'trapped' });
    assert.equal(instances, 2);
    assert.deepEqual(client.check(token, { now, monotonic: null }), before);
  } finally {
    WebAssembly.Instance = Instance;
  }
});

test('two clients of one module know nothing of each other', async () => {
  const nexa = await load();
  const { token, now, keySet, options } = island();
  const [first, second] = [1, 2].map(() => nexa.client({ ...options, device: NOT_CHECKED }));
  first.receive({ document: 'key_set' }, keySet);
  assert.equal(first.check(token, { now, monotonic: null }).wanted.document, 'shard');
  assert.equal(second.check(token, { now, monotonic: null }).wanted.document, 'key_set');
});
