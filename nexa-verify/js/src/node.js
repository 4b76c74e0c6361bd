// The package in Node: the module stands in a file beside this one.

import { loader } from './load.js';
import { read } from './node-read.js';
import { whole } from './whole.js';

export { NOT_CHECKED, NexaError, Report, update } from './whole.js';

export const load = loader(() => new URL('./nexa_verify.wasm', import.meta.url), read, whole);
