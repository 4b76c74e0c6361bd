// The types of `nexa-verify`: the plain check and the whole client.

import { Report } from './plain.js';
import type { Bytes, Expectations, ModuleSource, Plain, Text } from './plain.js';

export * from './plain.js';

/** A document that a client wants, or that a program brings it. */
export type Document =
  | { readonly document: 'key_set'; readonly number?: number | null | undefined }
  | { readonly document: 'shard'; readonly number: number };

/** What to fetch next, from where, and why. A program that trusts an issuer with less than its network looks at `url` first. */
export type Wanted = Document & {
  readonly number: number | null;
  readonly since: number | null;
  readonly why: 'missing' | 'unknown_key' | 'unknown_status_key' | 'old' | 'delta_failed';
  readonly url: string;
};

/** What a client's check found. */
export interface ClientReport extends Report {
  readonly clock: { readonly trusted: number; readonly stepped_back_s: number; readonly ahead_s: number };
  /** `null` where everything is as new as it has to be. */
  readonly wanted: Wanted | null;
}

/** Either the root key, or the keys for licences and, where revocation is to be checked, the status keys. */
export type ClientOptions = Expectations &
  (
    | {
        /** The root key, as `nexa keyset export --root` prints it. */
        readonly root: Text;
        readonly jwks?: undefined;
        readonly statusJwks?: undefined;
      }
    | {
        /** The published JWK set, as it was when the program was built. */
        readonly jwks: Text;
        /** Embedded status keys; revocation is not checked where they are left out. */
        readonly statusJwks?: Text | undefined;
        readonly root?: undefined;
      }
  );

export interface ClientCheckOptions {
  /** Unix seconds; the host's clock where it is left out. */
  readonly now?: number | undefined;
  /** Seconds of a clock that only goes forward; where it is left out, the host's, or none beside a `now`; none for `null`. */
  readonly monotonic?: number | null | undefined;
}

/** Checks licences of one issuer for one app with all that it has learnt: key set, status shard, trusted time. */
export interface Client {
  /** Never throws for a bad licence: the report denies. */
  check(token: Text, options?: ClientCheckOptions): ClientReport;
  /**
   * Takes a document that was fetched or brought; it needs no trust.
   * @throws {NexaError} with the rule's code, where it is refused
   */
  receive(wanted: Document, bytes: Bytes): void;
  /** Notes that a document could not be fetched: for a minute it is not asked for. */
  failed(wanted: Document): void;
  /** What the client has learnt, for the program to keep; bound to this device by what identifies it and does not change. */
  save(fingerprint: Text): Uint8Array;
  /**
   * Takes up what `save` gave on this device.
   * @throws {NexaError} where it is damaged or another device's; the client is as before, and may begin anew
   */
  restore(bytes: Bytes, fingerprint: Text): void;
}

/** The plain check and the whole client. */
export interface Nexa extends Plain {
  client(options: ClientOptions): Client;
}

/** Loads the module; once for a program is enough. */
export function load(source?: ModuleSource | Promise<ModuleSource>): Promise<Nexa>;

export interface UpdateOptions extends ClientCheckOptions {
  /** What fetches; the host's `fetch` where it is left out. */
  readonly fetch?: ((url: string, options: object) => Promise<FetchedResponse>) | undefined;
  /** For each document; 10,000 where it is left out. */
  readonly timeoutMs?: number | undefined;
}

/** What is read of a `Response`. */
export interface FetchedResponse {
  readonly status: number;
  readonly type: string;
  readonly url: string;
  readonly headers: { get(name: string): string | null };
  readonly body: {
    getReader(): {
      read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
      cancel(): Promise<void>;
    };
    cancel(): Promise<void>;
  } | null;
}

/** A document that could not be had (`not_fetched`), or that was refused. */
export interface UpdateProblem {
  readonly document: 'key_set' | 'shard';
  readonly number: number | null;
  readonly url: string;
  readonly code: string;
  readonly message: string;
}

/**
 * Checks, fetches what is wanted and checks again until nothing is, at most 8 times; http and https alone, 16 KiB and 10 s for
 * each document. The last report is the answer; what could not be had or was refused is listed.
 */
export function update(
  client: Client,
  token: Text,
  options?: UpdateOptions,
): Promise<{ readonly report: ClientReport; readonly problems: readonly UpdateProblem[] }>;
