// What a program gets: the plain check and the whole client.

import { Client } from './client.js';
import { NexaError } from './errors.js';
import { plain } from './plain.js';

export { NOT_CHECKED, NexaError, Report } from './plain.js';
export { update } from './update.js';

export function whole(engine) {
  if (engine.bytes('client') === 0) {
    throw new NexaError('wrong_module', 'source is the plain module, which has no client: import "nexa-verify/plain"');
  }
  return Object.freeze({ ...plain(engine), client: (options) => new Client(engine, options) });
}
