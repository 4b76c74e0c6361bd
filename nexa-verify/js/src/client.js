// The client: checks by all that it has learnt, says what to fetch next, and takes what was fetched.

import * as argument from './arguments.js';
import { monotonicClock, wallClock } from './clocks.js';
import { Report } from './report.js';

export class Client {
  #engine;
  #object;

  /** @param {import('./engine.js').Engine} engine */
  constructor(engine, options) {
    const members = ['root', 'jwks', 'statusJwks', ...argument.EXPECTATIONS];
    const { root, jwks, statusJwks, ...expected } = argument.options(options, 'options', members);
    if ((root === undefined) === (jwks === undefined)) {
      throw new TypeError('options must have either root or jwks');
    }
    if (root !== undefined && statusJwks !== undefined) {
      throw new TypeError('options.statusJwks goes with jwks; with root, the status keys stand in the signed key set');
    }
    const keys = argument.document(root ?? jwks, root === undefined ? 'options.jwks' : 'options.root');
    const status = statusJwks === undefined ? undefined : argument.document(statusJwks, 'options.statusJwks');
    const expectations = argument.expectations(expected);
    const frame = engine.frame();
    const at = frame.put(keys, 'options.jwks');
    const statusAt = status ? frame.put(status, 'options.statusJwks') : 0;
    const expectationsAt = frame.putExpectations(expectations);
    if (root === undefined) {
      const statusArguments = [statusAt, status?.length ?? 0];
      frame.run('nexa_client_init_keys', frame.at.object, at, keys.length, ...statusArguments, expectationsAt);
    } else {
      frame.run('nexa_client_init_root', frame.at.object, at, keys.length, expectationsAt);
    }
    this.#engine = engine;
    this.#object = new Uint8Array(engine.bytes('client'));
    frame.takeObject(this.#object);
  }

  check(token, options = {}) {
    const { now, monotonic } = argument.options(options, 'options', ['now', 'monotonic']);
    const wall = wallClock(now);
    const forward = monotonicClock(now, monotonic);
    const text = argument.document(token, 'token');
    const frame = this.#engine.frame();
    const at = frame.put(text, 'token');
    this.#change(frame, 'nexa_client_check', wall, forward, at, text.length, frame.at.report);
    return new Report(frame.reportJson());
  }

  receive(wanted, bytes) {
    const [document, number] = argument.wanted(wanted);
    const received = argument.bytes(bytes, 'bytes');
    const frame = this.#engine.frame();
    const at = frame.put(received, 'bytes');
    this.#change(frame, 'nexa_client_receive', document, number, at, received.length);
  }

  failed(wanted) {
    const [document] = argument.wanted(wanted);
    this.#change(this.#engine.frame(), 'nexa_client_failed', document);
  }

  save(fingerprint) {
    const device = argument.fingerprint(fingerprint);
    const frame = this.#engine.frame();
    const at = frame.put(device, 'fingerprint');
    const object = frame.putObject(this.#object);
    const buffer = [frame.at.state, this.#engine.bytes('state')];
    frame.run('nexa_client_save', object, at, device.length, ...buffer, frame.at.written);
    return frame.state();
  }

  restore(bytes, fingerprint) {
    const kept = argument.bytes(bytes, 'bytes');
    const device = argument.fingerprint(fingerprint);
    const frame = this.#engine.frame();
    const at = frame.put(device, 'fingerprint');
    const keptAt = frame.put(kept, 'bytes');
    this.#change(frame, 'nexa_client_restore', keptAt, kept.length, at, device.length);
  }

  /** A call that may change the client, also where it refuses something: what was refused is not asked for again at once. */
  #change(frame, name, ...args) {
    const object = frame.putObject(this.#object);
    try {
      frame.run(name, object, ...args);
    } catch (error) {
      if (error.code !== 'trapped') frame.takeObject(this.#object);
      throw error;
    }
    frame.takeObject(this.#object);
  }
}
