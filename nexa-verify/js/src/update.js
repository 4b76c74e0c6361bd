// Fetches what a client wants, for programs that have no network code of their own.

import { NexaError } from './errors.js';
import { options as checkedOptions } from './arguments.js';

const MAX_ROUNDS = 8;
const MAX_REDIRECTS = 5;
const MAX_BYTES = 16_384;
const TIMEOUT_MS = 10_000;
const REDIRECTS = [301, 302, 303, 307, 308];

/** Checks, fetches what is wanted, and checks again, until nothing is. What cannot be had is noted, and raises nothing. */
export async function update(client, token, options = {}) {
  const { fetch = globalThis.fetch, timeoutMs = TIMEOUT_MS, ...clock } = checkedOptions(options, 'options', [
    'now',
    'monotonic',
    'fetch',
    'timeoutMs',
  ]);
  const problems = [];
  for (let round = 0; ; round += 1) {
    const report = client.check(token, clock);
    const { wanted } = report;
    if (wanted === null || round === MAX_ROUNDS) return { report, problems };
    const note = ({ code, message }) => {
      const { document, number, url } = wanted;
      problems.push({ document, number, url, code, message });
    };
    let bytes;
    try {
      bytes = await fetched(wanted.url, fetch, timeoutMs);
    } catch (error) {
      client.failed(wanted);
      note({ code: 'not_fetched', message: described(error) });
      continue;
    }
    try {
      client.receive(wanted, bytes);
    } catch (error) {
      if (!(error instanceof NexaError)) throw error;
      note(error);
    }
  }
}

/** What stands at a URL: at most 16 KiB, over http or https, and over https to the end where it began so. */
async function fetched(url, fetch, timeoutMs) {
  const signal = AbortSignal.timeout(timeoutMs);
  const first = new URL(url);
  if (!['http:', 'https:'].includes(first.protocol)) throw new Error(`${url} is neither http nor https`);
  const request = { signal, credentials: 'omit', referrerPolicy: 'no-referrer', redirect: 'manual' };
  let at = first;
  for (let hops = 0; hops <= MAX_REDIRECTS; hops += 1) {
    let response = await fetch(at.href, request);
    // A browser does not say where to; it follows by itself, and the end is looked at.
    if (response.type === 'opaqueredirect') {
      response = await fetch(at.href, { ...request, redirect: 'follow' });
      sameScheme(first, new URL(response.url));
    }
    const location = response.headers.get('location');
    if (!REDIRECTS.includes(response.status) || location === null) return read(response);
    await response.body?.cancel();
    at = new URL(location, at);
    sameScheme(first, at);
  }
  throw new Error(`more than ${MAX_REDIRECTS} redirects`);
}

function sameScheme(first, next) {
  if (next.protocol !== first.protocol) {
    throw new Error(`a redirect from ${first.protocol} to ${next.protocol} is not followed`);
  }
}

async function read(response) {
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`the status is ${response.status}`);
  }
  if (!response.body) return new Uint8Array();
  const bytes = new Uint8Array(MAX_BYTES);
  let length = 0;
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return bytes.slice(0, length);
    if (length + value.length > MAX_BYTES) {
      await reader.cancel();
      throw new Error(`it has more than ${MAX_BYTES} bytes`);
    }
    bytes.set(value, length);
    length += value.length;
  }
}

/** Why it could not be had: what fetch throws says little, its cause more. */
function described(error) {
  return error?.cause?.message ? `${error.message}: ${error.cause.message}` : String(error?.message ?? error);
}
