// The conformance file in Node, over the whole module; over the plain one, the cases that need no client.

import assert from 'node:assert/strict';
import test from 'node:test';

import * as whole from 'nexa-verify';
import * as plain from 'nexa-verify/plain';

import { cases } from './fixtures.js';
import { CASES, disagreements } from './vectors.js';

test('every case of the conformance file', async () => {
  assert.deepEqual(disagreements(await whole.load(), whole.NOT_CHECKED, { cases }), []);
});

test('the plain module agrees where no client is needed', async () => {
  const plainCases = cases.filter(({ expect }) => !('key_set' in expect) && !('status_keys' in expect));
  const lines = disagreements(await plain.load(), plain.NOT_CHECKED, { cases: plainCases });
  assert.deepEqual(lines, [`there are ${plainCases.length} cases instead of ${CASES}`]);
  assert.ok(plainCases.length > 700);
});

test('a runner that answers otherwise is found out', async () => {
  const wrong = cases.map((one) => (one.name === 'valid/plain' ? { ...one, facts: { ...one.facts, trial: true } } : one));
  const [line, ...more] = disagreements(await whole.load(), whole.NOT_CHECKED, { cases: wrong });
  assert.match(line, /^valid\/plain: /);
  assert.deepEqual(more, []);
});
