// The package inside a bundle, which may stand anywhere and need not be an ES module.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { build } from 'esbuild';

import { vector } from './fixtures.js';

const WASM = fileURLToPath(import.meta.resolve('nexa-verify/nexa_verify.wasm'));
const { token, keys, expect, time } = vector('valid/plain');
const expected = JSON.stringify({ jwks: keys, issuer: expect.issuer, audience: expect.audience });
/** A program that loads the module by `source`, and prints what a check or an error says. */
const program = (source, from = 'nexa-verify', more = '') => `
  import { load, NOT_CHECKED } from '${from}';
  ${more}
  load(${source})
    .then((nexa) => nexa.verifier({ ...${expected}, device: NOT_CHECKED }).check('${token}', { now: ${time} }).code)
    .then(console.log, (error) => console.log(String(error)));
`;

let folder;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nexa-bundle-'));
  await copyFile(WASM, join(folder, 'nexa_verify.wasm'));
});
after(() => rm(folder, { recursive: true, force: true }));

/** Bundles a program, runs the bundle in Node, and answers what it prints. */
async function printed(contents, options) {
  const outfile = join(folder, options.format === 'esm' ? 'bundle.mjs' : 'bundle.cjs');
  const stdin = { contents, resolveDir: fileURLToPath(new URL('.', import.meta.url)) };
  await build({ stdin, outfile, bundle: true, logLevel: 'error', ...options });
  const { stdout } = await promisify(execFile)(process.execPath, [outfile], { cwd: tmpdir() });
  return stdout.trim();
}

const fromFile = `require('node:fs').readFileSync(require('node:path').join(__dirname, 'nexa_verify.wasm'))`;
const UNKNOWN = 'TypeError: source is missing: this bundle does not know where the module stands; pass its bytes';

test('CommonJS for Node: by bytes that it reads, or that stand in it', async () => {
  const options = { format: 'cjs', platform: 'node' };
  assert.equal(await printed(program(fromFile), options), 'valid');
  const inside = `import bytes from 'nexa-verify/nexa_verify.wasm';`;
  assert.equal(await printed(program('bytes', 'nexa-verify', inside), { ...options, loader: { '.wasm': 'binary' } }), 'valid');
  assert.equal(await printed(program(''), options), UNKNOWN);
});

test('a script for a browser: by bytes that stand in it', async () => {
  const options = { format: 'iife', platform: 'browser', loader: { '.wasm': 'binary' } };
  for (const [from, file] of [['nexa-verify', 'nexa_verify'], ['nexa-verify/plain', 'nexa_verify_plain']]) {
    const inside = `import bytes from 'nexa-verify/${file}.wasm';`;
    assert.equal(await printed(program('bytes', from, inside), options), 'valid');
    assert.equal(await printed(program('', from), options), UNKNOWN);
  }
});

test('an ES module: the module is read from beside it', async () => {
  assert.equal(await printed(program(''), { format: 'esm', platform: 'node' }), 'valid');
});
