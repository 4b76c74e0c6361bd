// The times of a check: what the caller states, or the host's clocks; in whole seconds, as the module takes them.

import { seconds } from './arguments.js';

/** What the module takes for no monotonic clock. */
const NO_MONOTONIC = 0xffff_ffff_ffff_ffffn;

/** Unix seconds: at least the epoch, where a machine's battery was empty. */
export const wallClock = (now) => seconds(now, 'options.now') ?? whole(Math.max(0, Date.now()));

/** The host's own clock that only goes forward goes together with the host's own time alone; `null` is for none. */
export function monotonicClock(now, monotonic) {
  if (monotonic === null) return NO_MONOTONIC;
  return seconds(monotonic, 'options.monotonic') ?? (now === undefined ? whole(performance.now()) : NO_MONOTONIC);
}

const whole = (milliseconds) => BigInt(Math.floor(milliseconds / 1000));
