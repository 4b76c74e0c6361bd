// The WebAssembly module: puts the arguments of one call into its memory, calls, and reads what came of it.
//
// Verifiers and clients are plain bytes that may be copied. So they live in JavaScript, and are copied in and out: the module
// holds nothing between two calls. Nothing has to be freed there, a call that traps leaves every object as it was, and memory
// that a large argument took is given back by beginning anew with an instance of the same module.

import { NexaError } from './errors.js';

/** The package's version: the layouts below are this version's. */
export const VERSION = '0.1.0';

/** What `nexa_bytes` is asked for. */
const OBJECT = { verifier: 1, client: 2, report: 3, state: 4 };

// Of `nexa_problem`.
const CODE_BYTES = 48;
const PROBLEM_BYTES = 256;
// Of `nexa_expectations` and `nexa_component`, with pointers of four bytes.
const EXPECTATIONS_BYTES = 40;
const COMPONENT_BYTES = 16;
const MAX_COMPONENTS = 32;

const PAGE_BYTES = 65_536;
/** How much more than at its beginning a memory may have before the next call begins anew. */
const SPARE_BYTES = 1_048_576;

const decoder = new TextDecoder();
/** Not by bits: a signed 32-bit result would be wrong from 2 GiB on. */
const align = (at) => Math.ceil(at / 8) * 8;

export class Engine {
  #module;
  /** The instance's exports; one of a second instance after a trap or a large argument. */
  #exports;
  #firstBytes;
  /** Where things stand behind `__heap_base`. */
  #at;

  /** @param {WebAssembly.Module} module */
  constructor(module) {
    this.#module = module;
    this.#begin();
    const version = this.#exports.nexa_version && this.#text(this.#exports.nexa_version());
    if (version !== VERSION) {
      throw new NexaError(
        'wrong_module',
        `source is ${version ? `nexa-verify ${version}` : 'another module'}; this package is for nexa-verify ${VERSION}`,
      );
    }
    let end = align(this.#exports.__heap_base.value);
    const place = (bytes) => {
      const at = end;
      end = align(at + bytes);
      return at;
    };
    this.#at = {
      problem: place(PROBLEM_BYTES),
      written: place(8),
      expectations: place(EXPECTATIONS_BYTES),
      components: place(MAX_COMPONENTS * COMPONENT_BYTES),
      object: place(Math.max(this.bytes('verifier'), this.bytes('client'))),
      report: place(this.bytes('report')),
      state: place(this.bytes('state')),
      arguments: 0,
    };
    this.#at.arguments = end;
  }

  /** How many bytes an object has; 0 where the module does not know it. */
  bytes(object) {
    return this.#exports.nexa_bytes(OBJECT[object]);
  }

  /** Begins a call: what earlier ones put there is gone. */
  frame() {
    if (this.#exports.memory.buffer.byteLength > this.#firstBytes + SPARE_BYTES) this.#begin();
    return new Frame(this.#exports, this.#at, () => this.#begin());
  }

  #begin() {
    try {
      this.#exports = new WebAssembly.Instance(this.#module).exports;
    } catch (cause) {
      throw new NexaError('wrong_module', 'source is another module than nexa-verify', { cause });
    }
    this.#firstBytes = this.#exports.memory?.buffer.byteLength;
  }

  #text(at) {
    return textAt(this.#exports.memory, at);
  }
}

/** One call: its arguments, in order, and then `run`. */
class Frame {
  #exports;
  #end;
  #trapped;
  /** Where the fixed parts stand, for `run`. */
  at;

  constructor(exports, at, trapped) {
    this.#exports = exports;
    this.#trapped = trapped;
    this.at = at;
    this.#reserve(at.arguments, 'nexa-verify');
    this.#end = at.arguments;
  }

  /** Copies an argument in, and says where it is: never a null pointer, which would say that there is none. */
  put(bytes, name) {
    const at = this.#end;
    const end = align(at + bytes.length);
    this.#reserve(end, name);
    this.#bytes(at, bytes.length).set(bytes);
    this.#end = end;
    return at;
  }

  #reserve(end, name) {
    const { memory } = this.#exports;
    const missing = end - memory.buffer.byteLength;
    if (missing <= 0) return;
    try {
      memory.grow(Math.ceil(missing / PAGE_BYTES));
    } catch (cause) {
      throw new RangeError(`${name}: there is no memory for so many bytes`, { cause });
    }
  }

  /** Copies an object in. */
  putObject(bytes) {
    this.#bytes(this.at.object, bytes.length).set(bytes);
    return this.at.object;
  }

  /** Copies the object out again. */
  takeObject(bytes) {
    bytes.set(this.#bytes(this.at.object, bytes.length));
  }

  /** Puts what a licence has to be of: texts as bytes, components as pairs of them, or `null` for a device left out. */
  putExpectations({ issuer, audience, components, maxLifetimeS }) {
    const texts = [issuer, audience].map((text) => [this.put(text, 'options'), text.length]);
    const pairs = (components ?? []).slice(0, MAX_COMPONENTS).map(([kind, value]) => [
      [this.put(kind, 'options.device'), kind.length],
      [this.put(value, 'options.device'), value.length],
    ]);
    const view = new DataView(this.#exports.memory.buffer);
    const pointer = (at, [text, length]) => {
      view.setUint32(at, text, true);
      view.setUint32(at + 4, length, true);
    };
    pairs.forEach(([kind, value], index) => {
      pointer(this.at.components + index * COMPONENT_BYTES, kind);
      pointer(this.at.components + index * COMPONENT_BYTES + 8, value);
    });
    const at = this.at.expectations;
    pointer(at, texts[0]);
    pointer(at + 8, texts[1]);
    // The true count: the module refuses more than it takes.
    pointer(at + 16, [this.at.components, components?.length ?? 0]);
    view.setUint32(at + 24, components ? 1 : 2, true);
    view.setBigUint64(at + 32, BigInt(maxLifetimeS ?? 0), true);
    return at;
  }

  /** Calls a function of the module that ends with a status, with the place for a problem as the last argument. */
  run(name, ...args) {
    let status;
    try {
      status = this.#exports[name](...args, this.at.problem);
    } catch (cause) {
      // Its stack is not where it was.
      this.#trapped();
      throw new NexaError('trapped', `${name} was stopped: ${cause.message}`, { cause });
    }
    if (status !== 0) {
      const memory = this.#exports.memory;
      throw new NexaError(textAt(memory, this.at.problem), textAt(memory, this.at.problem + CODE_BYTES));
    }
  }

  /** The report that a check has written. */
  reportJson() {
    return textAt(this.#exports.memory, this.#exports.nexa_report_json(this.at.report));
  }

  /** A copy of the state that `nexa_client_save` has written. */
  state() {
    const written = new DataView(this.#exports.memory.buffer).getUint32(this.at.written, true);
    return this.#bytes(this.at.state, written).slice();
  }

  /** A view of now: growing makes earlier ones useless. */
  #bytes(at, length) {
    return new Uint8Array(this.#exports.memory.buffer, at, length);
  }
}

/** The text at a pointer, up to its zero byte. */
function textAt(memory, at) {
  const bytes = new Uint8Array(memory.buffer, at);
  return decoder.decode(bytes.subarray(0, bytes.indexOf(0)));
}
