// A client in another language: jose reads our licences, and signs what must not pass for one.
//
//     client.mjs URL KEY FOLDER
//
// As client.py, which must have run before: it wrote licence.txt.
import { webcrypto } from "node:crypto";
import { appendFile, readFile } from "node:fs/promises";
import {
  SignJWT, createRemoteJWKSet, decodeJwt, decodeProtectedHeader, importPKCS8, jwtVerify,
} from "jose";

globalThis.crypto ??= webcrypto; // Node 18 has none of its own

const [url, keyFile, folder] = process.argv.slice(2);
const app = "agentyk-engine";

const token = (await readFile(`${folder}/licence.txt`, "utf8")).trim();
const keys = createRemoteJWKSet(new URL(`${url}/.well-known/jwks.json`));
const expected = {
  issuer: url, audience: app, typ: "license+jwt", algorithms: ["EdDSA"],
  requiredClaims: ["sub", "exp", "nbf", "iat", "jti"],
};
const { payload } = await jwtVerify(token, keys, expected);
if (payload.type !== "license") throw new Error("not a licence");

const pem = await readFile(keyFile, "utf8");
const key = await importPKCS8(pem, "EdDSA");
const header = decodeProtectedHeader(token);
const sign = (claims, head = {}) => {
  const all = Object.fromEntries(
    Object.entries({ ...decodeJwt(token), ...claims }).filter(([, value]) => value !== undefined));
  return new SignJWT(all).setProtectedHeader({ ...header, ...head });
};
const broken = [
  ["valid", await sign({}).sign(key)],
  ["valid", await sign({}, { alg: "Ed25519" }).sign(await importPKCS8(pem, "Ed25519"))],
  ["typ_missing", await sign({}, { typ: undefined }).sign(key)],
  ["typ_wrong", await sign({}, { typ: "application/license+jwt" }).sign(key)],
  ["kid_missing", await sign({}, { kid: undefined }).sign(key)],
  ["header_crit", await sign({}, { crit: ["x"], x: 1 }).sign(key, { crit: { x: true } })],
  ["aud_type", await sign({ aud: [app] }).sign(key)],
  ["aud_type", await sign({ aud: [app, app] }).sign(key)],
  ["sub_missing", await sign({ sub: undefined }).sign(key)],
  ["iat_missing", await sign({ iat: undefined }).sign(key)],
  ["device_type", await sign({ device: "any" }).sign(key)],
  ["json_too_deep", await sign({ lic: { limits: { a: { b: { c: 1 } } } } }).sign(key)],
  ["alg_not_allowed", await sign({}, { alg: "HS256" }).sign(new Uint8Array(32))],
];
const lines = broken.map(([code, made]) => `${code} ${made}\n`);
await appendFile(`${folder}/broken.txt`, lines.join(""));

const other = new URL(`${url}/.well-known/jwks.json`);
for (const [name, expectation] of [
  ["audience", { ...expected, audience: "other" }],
  ["issuer", { ...expected, issuer: "https://other.example" }],
]) {
  const passed = await jwtVerify(token, createRemoteJWKSet(other), expectation).catch(() => null);
  if (passed) throw new Error(`another ${name} passes`);
}
console.log("jose: licence read");
