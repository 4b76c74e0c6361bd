// Runs the conformance file against the package, in Node and in a browser alike.

/** How many cases there are: a run that skips some is no run. */
export const CASES = 852;

/** What disagrees, one line each. */
export function disagreements(nexa, NOT_CHECKED, { cases }) {
  const lines = cases.length === CASES ? [] : [`there are ${cases.length} cases instead of ${CASES}`];
  for (const one of cases) {
    const found = canonical(run(nexa, NOT_CHECKED, one));
    const expected = canonical({ code: one.code, decision: one.decision, facts: one.facts });
    if (found !== expected) lines.push(`${one.name}: ${found} instead of ${expected}`);
  }
  return lines;
}

function run(nexa, NOT_CHECKED, one) {
  let report;
  try {
    report = checked(nexa, NOT_CHECKED, one);
  } catch (error) {
    if (error.name !== 'NexaError') throw error;
    return { code: error.code, decision: 'deny', facts: {} };
  }
  const places = [report, report.license ?? {}, report.device ?? {}];
  const fact = (name) => places.find((place) => Object.hasOwn(place, name))?.[name] ?? null;
  const facts = Object.fromEntries(Object.keys(one.facts).map((name) => [name, fact(name)]));
  return { code: report.code, decision: report.decision, facts };
}

function checked(nexa, NOT_CHECKED, { keys, token, time: now, expect }) {
  const { issuer, audience, device = NOT_CHECKED, max_lifetime_s: maxLifetimeS } = expect;
  const expected = { issuer, audience, device, maxLifetimeS };
  if (expect.key_set === undefined && expect.status_keys === undefined) {
    const revocations = expect.revocations && JSON.stringify(expect.revocations);
    return nexa.verifier({ jwks: keys, ...expected }).check(token, { now, revocations });
  }
  const trust = expect.status_keys === undefined ? { root: keys } : { jwks: keys, statusJwks: expect.status_keys };
  const client = nexa.client({ ...trust, ...expected });
  if (expect.key_set !== undefined) client.receive({ document: 'key_set' }, bytes(expect.key_set));
  const shard = expect.shard === undefined ? undefined : bytes(expect.shard);
  const wanted = { document: 'shard', number: shardNumber(shard) };
  if (shard) client.receive(wanted, shard);
  if (expect.delta !== undefined) client.receive(wanted, bytes(expect.delta));
  return client.check(token, { now, monotonic: null });
}

/** The number stands behind magic and thumbprint. */
export function shardNumber(shard) {
  if (!shard || shard.length < 16) return 0;
  return new DataView(shard.buffer, shard.byteOffset).getUint32(12);
}

/** Bytes of base64url. */
export function bytes(text) {
  const plain = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(plain, (character) => character.charCodeAt(0));
}

/** JSON with members in order. */
function canonical(value) {
  const sorted = (_, inner) =>
    inner && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner;
  return JSON.stringify(value, sorted);
}
