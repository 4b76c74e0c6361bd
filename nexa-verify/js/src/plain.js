// What a program gets: the plain check alone.

import { VERSION } from './engine.js';
import { Verifier } from './verifier.js';

export { NOT_CHECKED } from './arguments.js';
export { NexaError } from './errors.js';
export { Report } from './report.js';

export const plain = (engine) => Object.freeze({
  version: VERSION,
  verifier: (options) => new Verifier(engine, options),
});
