// Reads the tokens of the differential run with jose.
import { webcrypto } from 'node:crypto';
import { createInterface } from 'node:readline';
import { errors, importJWK, jwtVerify } from 'jose';

globalThis.crypto ??= webcrypto; // Node 18 has none of its own

let setup;
let keySets;
const out = [];

/** The key that `kid` names. Both names of the algorithm stand for one (RFC 9864), so it is imported for the one in the header. */
const keyOf = (keys) => async (header) => {
  const jwk = keys.find((key) => key.kid === header.kid);
  if (!jwk) throw new errors.JWKSNoMatchingKey();
  jwk.imported ??= {};
  return (jwk.imported[header.alg] ??= await importJWK(jwk, header.alg));
};

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  if (!setup) {
    setup = JSON.parse(line);
    keySets = setup.key_sets.map((keys) => JSON.parse(keys).keys);
    continue;
  }
  const [, keys, token] = line.split('\t');
  try {
    const { payload } = await jwtVerify(Buffer.from(token, 'base64url'), keyOf(keySets[Number(keys)]), {
      algorithms: ['EdDSA', 'Ed25519'],
      issuer: setup.issuer,
      audience: setup.audience,
      typ: 'license+jwt',
      requiredClaims: ['type', 'iss', 'sub', 'aud', 'jti', 'iat', 'nbf', 'exp'],
      currentDate: new Date(setup.now * 1000),
    });
    // jose asks that they are there, and of `iat` that it is a number.
    if (payload.type !== 'license' || typeof payload.jti !== 'string') {
      throw new errors.JWTClaimValidationFailed('type or jti', payload, 'type', 'check_failed');
    }
    out.push('accept\tvalid');
  } catch (error) {
    out.push(`refuse\t${error instanceof errors.JOSEError ? error.code : `escaped:${error.name}`}`);
  }
}
console.log(out.join('\n'));
