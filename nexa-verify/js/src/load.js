// From what a program has (bytes, an answer, a URL, nothing) to the compiled module.

import { Engine } from './engine.js';
import { NexaError } from './errors.js';

/**
 * A `load` of one module: `own` answers where that is, `read` what stands at a URL, `make` what the program gets. `own` is not
 * asked before it is needed: a bundle that is no ES module does not know where it stands, and has to load for all that.
 */
export function loader(own, read, make) {
  return async function load(source = beside(own)) {
    const module = await compiled(source, read);
    return make(new Engine(module));
  };
}

function beside(own) {
  try {
    return own();
  } catch (cause) {
    throw new TypeError('source is missing: this bundle does not know where the module stands; pass its bytes', { cause });
  }
}

async function compiled(source, read) {
  const given = await source;
  if (given instanceof WebAssembly.Module) return given;
  const bytes = await moduleBytes(given, read);
  try {
    return await WebAssembly.compile(bytes);
  } catch (cause) {
    throw new NexaError('wrong_module', `source is not a WebAssembly module: ${cause.message}`, { cause });
  }
}

async function moduleBytes(source, read) {
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) return source;
  if (source instanceof URL || typeof source === 'string') return moduleBytes(await read(source), read);
  if (typeof Response === 'function' && source instanceof Response) {
    if (!source.ok) throw new NexaError('not_fetched', `source: ${source.url} answered ${source.status}`);
    return source.arrayBuffer();
  }
  throw new TypeError('source must be bytes, a WebAssembly.Module, a Response or a URL');
}
