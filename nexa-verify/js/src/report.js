// What a check found.

/** The members are those of the module's JSON, under its names; all of it is frozen. */
export class Report {
  /** @param {string} json */
  constructor(json) {
    Object.assign(this, JSON.parse(json, (_, value) => Object.freeze(value)));
    Object.freeze(this);
  }

  /** Whether the default decision allows and the licence lists this entitlement. */
  allows(name) {
    return this.decision === 'allow' && this.license?.entitlements.includes(name) === true;
  }

  /** The licence's limit of this name; `null` where it states none, or is refused. */
  limit(name) {
    const limits = this.license?.limits ?? {};
    return Object.hasOwn(limits, name) ? limits[name] : null;
  }
}
