// Licences, keys and documents for tests: cases of the conformance file.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { bytes, shardNumber } from './vectors.js';

export const { cases } = JSON.parse(readFileSync(process.env.NEXA_VECTORS, 'utf8'));

/** The case of this name. */
export function vector(name) {
  const found = cases.find((one) => one.name === name);
  assert.ok(found, `there is a case ${name}`);
  return found;
}

/** A licence whose keys stand in a signed key set, and which a shard revokes. */
export function island() {
  const one = vector('key-set/shard');
  const shard = bytes(one.expect.shard);
  return {
    token: one.token,
    now: one.time,
    keySet: bytes(one.expect.key_set),
    shard,
    number: shardNumber(shard),
    options: { root: one.keys, issuer: one.expect.issuer, audience: one.expect.audience },
  };
}
