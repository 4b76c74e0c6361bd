// The plain check: embedded keys, one call.

import * as argument from './arguments.js';
import { wallClock } from './clocks.js';
import { Report } from './report.js';

export class Verifier {
  #engine;
  #object;

  /** @param {import('./engine.js').Engine} engine */
  constructor(engine, options) {
    const { jwks, ...expected } = argument.options(options, 'options', ['jwks', ...argument.EXPECTATIONS]);
    const keys = argument.document(jwks, 'options.jwks');
    const expectations = argument.expectations(expected);
    const frame = engine.frame();
    const at = frame.put(keys, 'options.jwks');
    frame.run('nexa_verifier_init', frame.at.object, at, keys.length, frame.putExpectations(expectations));
    this.#engine = engine;
    this.#object = new Uint8Array(engine.bytes('verifier'));
    frame.takeObject(this.#object);
  }

  check(token, options = {}) {
    const { now, revocations } = argument.options(options, 'options', ['now', 'revocations']);
    const nowS = wallClock(now);
    const text = argument.document(token, 'token');
    const list = revocations === undefined ? undefined : argument.document(revocations, 'options.revocations');
    const frame = this.#engine.frame();
    const place = frame.put(text, 'token');
    const listPlace = list ? frame.put(list, 'options.revocations') : 0;
    const object = frame.putObject(this.#object);
    frame.run('nexa_verifier_check', object, nowS, place, text.length, listPlace, list?.length ?? 0, frame.at.report);
    return new Report(frame.reportJson());
  }
}
