// The package says what it is, once.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';

import { load } from 'nexa-verify';
import * as plain from 'nexa-verify/plain';

test('package, wrapper and both modules are of one version', async () => {
  const { version } = JSON.parse(await readFile(new URL(import.meta.resolve('nexa-verify/package.json')), 'utf8'));
  assert.deepEqual([(await load()).version, (await plain.load()).version], [version, version]);
});

test('the types name what there is', async () => {
  for (const [name, exports] of [['index.d.ts', await import('nexa-verify')], ['plain.d.ts', plain]]) {
    const text = await Promise.all([name, 'plain.d.ts'].map((file) =>
      readFile(new URL(file, import.meta.resolve('nexa-verify/package.json')), 'utf8')));
    for (const member of Object.keys(exports)) {
      assert.match(text.join('\n'), new RegExp(`^export (const|class|function) ${member}\\b`, 'm'));
    }
  }
});
