// The plain check in a browser, or for a bundler: the smaller module is fetched from beside this file.

import { loader } from './load.js';
import { plain } from './plain.js';

export { NOT_CHECKED, NexaError, Report } from './plain.js';

export const load = loader(() => new URL('./nexa_verify_plain.wasm', import.meta.url), (url) => fetch(url), plain);
