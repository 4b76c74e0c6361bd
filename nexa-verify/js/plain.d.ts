// The types of `nexa-verify/plain`: the plain check alone, over a smaller module.

/** Whether to let it pass, where the program has no rule of its own. */
export type Decision = 'allow' | 'deny';

/** Text of a JWK set, of a token, of a list: as a string or as UTF-8. */
export type Text = string | ArrayBuffer | ArrayBufferView;

/** Bytes as they came. */
export type Bytes = ArrayBuffer | ArrayBufferView;

/** For a server that looks at somebody else's licence: the device is left out of the verdict. */
export const NOT_CHECKED: unique symbol;

/** What this device is made of, kind and value; as pairs, several may be of one kind, of which one must match. */
export type Device = { readonly [kind: string]: string } | Iterable<readonly [kind: string, value: string]>;

/** What a licence has to be of. */
export interface Expectations {
  /** The issuer's public URL, compared byte for byte with `iss`. */
  readonly issuer: string;
  /** The app's id, compared byte for byte with `aud`. */
  readonly audience: string;
  /** This device, or `NOT_CHECKED`: there is no default. */
  readonly device: Device | typeof NOT_CHECKED;
  /** The longest accepted life (exp − iat) in seconds; 400 days where it is left out. */
  readonly maxLifetimeS?: number | undefined;
}

export interface VerifierOptions extends Expectations {
  /** The published JWK set, as it was when the program was built. */
  readonly jwks: Text;
}

export interface CheckOptions {
  /** Unix seconds; the host's clock where it is left out. */
  readonly now?: number | undefined;
  /** The published list of revoked licences, all of it; where it is left out, the report says `not_checked`. */
  readonly revocations?: Text | undefined;
}

/** The licence's facts. Times are Unix seconds, `_s` are seconds; what it does not state is `null`. */
export interface License {
  readonly issuer: string;
  readonly subject: string;
  readonly audience: string;
  readonly jti: string;
  readonly kid: string;
  readonly issued_at: number;
  readonly not_before: number;
  readonly expires_at: number;
  readonly plan: string | null;
  readonly entitlements: readonly string[];
  readonly limits: { readonly [name: string]: number };
  readonly grace_s: number;
  readonly fresh_s: number | null;
  readonly max_age_s: number | null;
  readonly stale: string;
  readonly renew_after: number | null;
  readonly trial: boolean;
  readonly status_idx: number | null;
  readonly status_uri: string | null;
}

/** How this device compares with the licence's. */
export interface DeviceMatch {
  readonly matched: number;
  readonly required: number;
  readonly total: number;
  /** The kinds that are other now. */
  readonly drifted: readonly string[];
}

/** What a check found. It is frozen. */
export class Report {
  private constructor();
  /** The stable name of the verdict; for a refusal, the rule's. */
  readonly code: string;
  /** One sentence for people. */
  readonly message: string;
  readonly decision: Decision;
  readonly starts_in_s: number | null;
  readonly since_s: number | null;
  readonly grace_left_s: number | null;
  readonly revoked_at: number | null;
  readonly revocation: 'not_checked' | 'no_data' | 'not_revoked' | 'revoked';
  readonly freshness: 'unknown' | 'fresh' | 'aging' | 'too_old';
  readonly revocation_age_s: number | null;
  /** `null` where signature or claims do not hold. */
  readonly license: License | null;
  /** `null` where none was compared. */
  readonly device: DeviceMatch | null;
  /** Whether the default decision allows and the licence lists this entitlement. */
  allows(name: string): boolean;
  /** The licence's limit of this name; `null` where it states none, or is refused. */
  limit(name: string): number | null;
}

/** Keys, a document, a list, a state or an argument that the module refuses. */
export class NexaError extends Error {
  constructor(code: string, message: string, options?: { cause?: unknown });
  /** The stable name of the rule, in snake case. */
  readonly code: string;
}

/** Checks licences of one issuer for one app against embedded keys. */
export interface Verifier {
  /** Never throws for a bad licence: the report denies. */
  check(token: Text, options?: CheckOptions): Report;
}

/** The plain check. */
export interface Plain {
  readonly version: string;
  verifier(options: VerifierOptions): Verifier;
}

/** The module itself, where it is not to be read from beside the package: its bytes, compiled, an answer, or a URL. */
export type ModuleSource = ArrayBuffer | ArrayBufferView | CompiledModule | ModuleResponse | { readonly href: string } | string;

/** A `WebAssembly.Module`. */
export interface CompiledModule {
  readonly [Symbol.toStringTag]?: 'WebAssembly.Module';
}

/** A `Response`. */
export interface ModuleResponse {
  readonly ok: boolean;
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** Loads the module; once for a program is enough. */
export function load(source?: ModuleSource | Promise<ModuleSource>): Promise<Plain>;
