// A headless Chromium in which https://licenses.example is the package, for tests.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

import { chromium } from 'playwright-core';

export const ORIGIN = 'https://licenses.example';

const ROOT = resolve(fileURLToPath(import.meta.resolve('nexa-verify/package.json')), '..');
const HERE = fileURLToPath(new URL('.', import.meta.url));
const TYPES = { '.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript', '.wasm': 'application/wasm' };
const ARGS = [
  '--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking',
  '--disable-component-update --disable-sync',
].flatMap((line) => line.split(' '));

/** Starts it; `close` ends it and removes what it wrote. */
export async function start() {
  const folder = await mkdtemp(join(tmpdir(), 'nexa-chromium-'));
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  const context = await chromium.launchPersistentContext(folder, { executablePath, args: ARGS });
  const close = async () => {
    await context.close();
    await rm(folder, { recursive: true, force: true });
  };
  return { context, close };
}

/**
 * A page to which no other server exists: /package and /test are files, `documents` bytes by their path, or promises of them. Every
 * request is listed in `requests`, everything that the console says in `console`.
 */
export async function open(context, path, documents = {}) {
  const page = await context.newPage();
  const seen = { requests: [], console: [] };
  page.on('console', (message) => seen.console.push(message.text()));
  page.on('pageerror', (error) => seen.console.push(error.message));
  await page.route('**/*', async (route) => {
    const url = new URL(route.request().url());
    seen.requests.push(url.href);
    if (url.origin !== ORIGIN) return route.abort();
    const document = await documents[url.pathname];
    if (document) return route.fulfill({ body: Buffer.from(document) });
    const file = fileOf(url.pathname);
    const body = file && (await readFile(file).catch(() => undefined));
    if (!body) return route.fulfill({ status: 404 });
    return route.fulfill({ body, contentType: TYPES[extname(file)] ?? 'application/octet-stream' });
  });
  await page.goto(ORIGIN + path);
  return { page, ...seen };
}

function fileOf(path) {
  for (const [prefix, folder] of [['/package/', ROOT], ['/test/', HERE]]) {
    const file = resolve(folder, path.slice(prefix.length));
    if (path.startsWith(prefix) && file.startsWith(resolve(folder) + sep)) return file;
  }
  return undefined;
}
