// Times one check in Node against `crypto.verify` of the same message, in interleaved pairs. Takes the file of the licence.
import { createPublicKey, verify, webcrypto } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { importJWK, jwtVerify } from 'jose';
import { load } from 'nexa-verify';
import { load as loadPlain } from 'nexa-verify/plain';

globalThis.crypto ??= webcrypto; // Node 18 has none of its own

const PAIRS = 151;
const SAMPLE_NS = 2e6;

const { token, jwk, root, documents, issuer, audience, device, now } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const end = token.lastIndexOf('.');
const signed = Buffer.from(token.slice(0, end));
const signature = Buffer.from(token.slice(end + 1), 'base64url');
const key = createPublicKey({ key: jwk, format: 'jwk' });
const must = (holds) => {
  if (!holds) throw new Error('a good licence is refused');
};
const bare = () => must(verify(null, signed, key, signature));

const expected = { jwks: JSON.stringify(jwk), issuer, audience, device };
const plain = (await loadPlain()).verifier(expected);
const whole = await load();
const verifier = whole.verifier(expected);
const client = whole.client({ root: JSON.stringify(root), issuer, audience, device });
for (const document of ['key_set', 'shard']) {
  const { wanted } = client.check(token, { now });
  must(wanted.document === document);
  client.receive(wanted, Buffer.from(documents[document], 'base64url'));
}
const ready = client.check(token, { now });
must(ready.revocation === 'not_revoked' && ready.wanted === null);
const joseKey = await importJWK(jwk, 'EdDSA');
const rules = { algorithms: ['EdDSA'], issuer, audience, typ: 'license+jwt', currentDate: new Date(now * 1000) };
const subjects = {
  '`verifier.check`, plain module': () => must(plain.check(token, { now }).decision === 'allow'),
  '`verifier.check`, whole module': () => must(verifier.check(token, { now }).decision === 'allow'),
  '`client.check`, by a key set and a shard': () => must(client.check(token, { now }).decision === 'allow'),
  'jose: `jwtVerify`': async () => must((await jwtVerify(token, joseKey, rules)).payload.iss === issuer),
};

/** Nanoseconds of one run among so many. */
const sample = async (routine, runs) => {
  const start = process.hrtime.bigint();
  for (let run = 0; run < runs; run += 1) {
    const pending = routine();
    if (pending) await pending;
  }
  return Number(process.hrtime.bigint() - start) / runs;
};
const runsOf = async (routine) => {
  await sample(routine, 2000); // until it is compiled
  return Math.max(1, Math.round(SAMPLE_NS / (await sample(routine, 200))));
};
const quantile = (values, part) => [...values].sort((a, b) => a - b)[Math.round((values.length - 1) * part)];

for (const [name, subject] of Object.entries(subjects)) {
  const [bareRuns, runs] = [await runsOf(bare), await runsOf(subject)];
  const [bares, times, ratios] = [[], [], []];
  for (let pair = 0; pair < PAIRS; pair += 1) {
    // Each order equally often.
    const first = pair % 2 ? await sample(subject, runs) : 0;
    const baseline = await sample(bare, bareRuns);
    const time = first || (await sample(subject, runs));
    bares.push(baseline);
    times.push(time);
    ratios.push(time / baseline);
  }
  const numbers = [quantile(bares, 0.5), quantile(times, 0.5), ...[0.5, 0.25, 0.75].map((part) => quantile(ratios, part))];
  console.log([name, ...numbers].join('\t'));
}
