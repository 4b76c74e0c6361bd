// The package in a browser, or for a bundler: the module is fetched from beside this file.

import { loader } from './load.js';
import { whole } from './whole.js';

export { NOT_CHECKED, NexaError, Report, update } from './whole.js';

export const load = loader(() => new URL('./nexa_verify.wasm', import.meta.url), (url) => fetch(url), whole);
