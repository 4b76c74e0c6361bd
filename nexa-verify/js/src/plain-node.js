// The plain check in Node: the smaller module stands in a file beside this one.

import { loader } from './load.js';
import { read } from './node-read.js';
import { plain } from './plain.js';

export { NOT_CHECKED, NexaError, Report } from './plain.js';

export const load = loader(() => new URL('./nexa_verify_plain.wasm', import.meta.url), read, plain);
