// The one error that the module's own rules end in.

/** A call that the module refused: `code` is the stable name of the rule, the message names the argument. */
export class NexaError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {ErrorOptions} [options]
   */
  constructor(code, message, options) {
    super(message, options);
    this.name = 'NexaError';
    this.code = code;
  }
}
