// A program in TypeScript, for its compiler: every type of the package is used once, and misuse is an error.

import { load, NexaError, NOT_CHECKED, Report, update } from 'nexa-verify';
import type {
  Client, ClientOptions, ClientReport, Decision, DeviceMatch, Document, FetchedResponse, License, Nexa, UpdateProblem, Verifier,
  VerifierOptions, Wanted,
} from 'nexa-verify';
import * as plain from 'nexa-verify/plain';

export async function whole(token: string, kept: Uint8Array): Promise<Uint8Array> {
  const nexa: Nexa = await load();
  const expected = { issuer: 'https://licenses.example', audience: 'editor', maxLifetimeS: 86_400 } as const;
  const options: ClientOptions = { root: '{}', device: { fingerprint: 'f-1' }, ...expected };
  const client: Client = nexa.client(options);
  try {
    client.restore(kept, 'f-1');
  } catch (error) {
    if (!(error instanceof NexaError)) throw error;
    const code: string = error.code;
    console.log(code);
  }
  const report: ClientReport = client.check(token, { now: 1, monotonic: null });
  const wanted: Wanted | null = report.wanted;
  if (wanted?.document === 'shard') {
    const number: number = wanted.number;
    const document: Document = { document: 'shard', number };
    client.receive(document, new ArrayBuffer(8));
    client.failed(wanted);
  }
  const answer = await update(client, token, { fetch, timeoutMs: 1_000 });
  const problems: readonly UpdateProblem[] = answer.problems;
  const own = async (url: string): Promise<FetchedResponse> => fetch(url);
  await update(client, token, { fetch: own });
  const trusted: number = answer.report.clock.trusted;
  console.log(problems.length, trusted);
  return client.save(new Uint8Array([1]));
}

export async function check(token: Uint8Array): Promise<boolean> {
  const nexa: plain.Plain = await plain.load(new URL('file:///nexa_verify_plain.wasm'));
  const options: VerifierOptions = { jwks: '{}', issuer: 'i', audience: 'a', device: [['disk', 'd1'], ['disk', 'd2']] };
  const verifier: Verifier = nexa.verifier(options);
  nexa.verifier({ ...options, device: NOT_CHECKED });
  nexa.verifier({ ...options, device: new Map([['disk', 'd1']]) });
  const report: Report = verifier.check(token, { revocations: '[]' });
  const decision: Decision = report.decision;
  const license: License | null = report.license;
  const device: DeviceMatch | null = report.device;
  const seats: number | null = report.limit('seats');
  console.log(decision, license?.entitlements.at(0), device?.drifted, seats, nexa.version);
  return report.allows('export');
}

export function sources(bytes: Uint8Array, module: WebAssembly.Module, response: Promise<Response>): Promise<Nexa>[] {
  return [load(), load(bytes), load(module), load(response), load(new URL('https://cdn.example/')), load('https://cdn.example/')];
}

export async function misuse(nexa: Nexa, one: plain.Plain, report: ClientReport): Promise<void> {
  const expected = { issuer: 'i', audience: 'a', device: NOT_CHECKED } as const;
  // @ts-expect-error the device is not to be left out
  nexa.verifier({ jwks: '{}', issuer: 'i', audience: 'a' });
  // @ts-expect-error root and jwks
  nexa.client({ ...expected, root: '{}', jwks: '{}' });
  // @ts-expect-error neither
  nexa.client(expected);
  // @ts-expect-error status keys beside a root key
  nexa.client({ ...expected, root: '{}', statusJwks: '{}' });
  // @ts-expect-error the keys as an object
  nexa.verifier({ ...expected, jwks: { keys: [] } });
  // @ts-expect-error the plain module has no client
  one.client({ ...expected, root: '{}' });
  // @ts-expect-error a time that is none
  nexa.verifier({ ...expected, jwks: '{}' }).check('', { now: new Date() });
  // @ts-expect-error a shard without its number
  nexa.client({ ...expected, root: '{}' }).receive({ document: 'shard' }, new Uint8Array());
  // @ts-expect-error a report is not to be changed
  report.decision = 'allow';
  // @ts-expect-error nor made
  new Report('{}');
  // @ts-expect-error no module
  await load(7);
}
