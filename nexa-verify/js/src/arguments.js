// What a program passes, checked before anything of it reaches the module; errors name the argument.

/** For a server that looks at somebody else's licence: the device is left out of the verdict. */
export const NOT_CHECKED = Symbol('nexa-verify: the device is not checked');

const encoder = new TextEncoder();
const MAX_U32 = 0xffff_ffff;

/** An object with no other members than these: a name written wrongly must not switch a check off. */
export function options(value, name, members) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TypeError(`${name} must be an object`);
  }
  for (const member of Object.keys(value)) {
    if (!members.includes(member)) {
      throw new TypeError(`${name}.${member} is unknown; there are ${members.join(', ')}`);
    }
  }
  return value;
}

/** UTF-8 of a string that has some: a lone surrogate would become another character. */
export function text(value, name) {
  if (typeof value !== 'string') throw new TypeError(`${name} must be a string`);
  if (/\p{Surrogate}/u.test(value)) throw new TypeError(`${name} holds a lone surrogate`);
  return encoder.encode(value);
}

/** Bytes as they are. */
export function bytes(value, name) {
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  throw new TypeError(`${name} must be a Uint8Array or an ArrayBuffer`);
}

/** Text whose rules are the module's: UTF-8 of a string, where a lone surrogate becomes U+FFFD, or bytes as they are. */
export function document(value, name) {
  if (typeof value === 'string') return encoder.encode(value);
  try {
    return bytes(value, name);
  } catch {
    throw new TypeError(`${name} must be a string or a Uint8Array`);
  }
}

/** What identifies this device: a string, or bytes. */
export function fingerprint(value) {
  return typeof value === 'string' ? text(value, 'fingerprint') : document(value, 'fingerprint');
}

/** A time or a span in whole seconds, for the module; `undefined` where there is none. */
export function seconds(value, name, least = 0) {
  if (value === undefined) return undefined;
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number of seconds`);
  if (!Number.isSafeInteger(value) || value < least) {
    throw new RangeError(`${name} is ${value}; whole seconds from ${least} to 2^53 - 1 are taken`);
  }
  return BigInt(value);
}

export const EXPECTATIONS = ['issuer', 'audience', 'device', 'maxLifetimeS'];

/** What a licence has to be of, as bytes. */
export function expectations({ issuer, audience, device, maxLifetimeS }) {
  return {
    issuer: text(issuer, 'options.issuer'),
    audience: text(audience, 'options.audience'),
    components: components(device),
    maxLifetimeS: seconds(maxLifetimeS, 'options.maxLifetimeS', 1),
  };
}

/** Pairs of kind and value; `null` where the program has written down that the device is left out. */
function components(device) {
  const name = 'options.device';
  if (device === NOT_CHECKED) return null;
  if (device === undefined || device === null) {
    throw new TypeError(`${name} is missing: state what this device is made of, or NOT_CHECKED`);
  }
  if (typeof device !== 'object') {
    throw new TypeError(`${name} must be an object {kind: value}, pairs [kind, value], or NOT_CHECKED`);
  }
  const pairs = Symbol.iterator in device ? [...device] : Object.entries(device);
  return pairs.map((pair, index) => {
    if (!Array.isArray(pair) || pair.length !== 2) {
      throw new TypeError(`${name}[${index}] must be a pair [kind, value]`);
    }
    const [kind, value] = pair;
    return [text(kind, `${name}[${index}][0]`), text(value, `${name}.${kind}`)];
  });
}

/** A document as `nexa_document`, and a shard's number. */
export function wanted(value) {
  const { document: name, number } = value ?? {};
  if (name === 'key_set') return [1, 0];
  if (name !== 'shard') {
    throw new TypeError('wanted.document must be "key_set" or "shard"');
  }
  if (!Number.isInteger(number) || number < 0 || number > MAX_U32) {
    throw new RangeError(`wanted.number is ${number}; a shard's is from 0 to 2^32 - 1`);
  }
  return [2, number];
}
