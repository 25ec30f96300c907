import type { Identity } from "../../lib/tls/identity.js";

/** A token as the process that takes tokens knows it: enough to tell one that exists from one that does not. */
export interface KnownToken {
  /** Key of its record. */
  readonly key: string;
  /** SHA-256 of its secret, base64; the secret is 32 random bytes, so the hash tells nothing. Undefined: it is gone. */
  readonly hash: string | undefined;
}

/** What the hub tells its join process. Sent with Node's advanced serialisation, which keeps buffers. */
export type JoinOrder =
  | {
      readonly type: "setup";
      /** What is shown to joiners. */
      readonly identity: Identity;
      /** SHA-256 of the hub's CA. */
      readonly caSha256: Uint8Array;
    }
  | { readonly type: "identity"; readonly identity: Identity }
  | { readonly type: "tokens"; readonly tokens: readonly KnownToken[] }
  | { readonly type: "listen"; readonly id: number; readonly address: string }
  | {
      readonly type: "answer";
      readonly id: number;
      /** JoinResponse, or google.rpc.Status. */
      readonly response?: Uint8Array;
      readonly status?: Uint8Array;
    };

/** What the join process tells the hub. */
export type JoinReport =
  | { readonly type: "ready" }
  | { readonly type: "bound"; readonly id: number; readonly port: number }
  | { readonly type: "unbound"; readonly id: number; readonly message: string; readonly code: string }
  | {
      readonly type: "join";
      readonly id: number;
      /** JoinRequest. */
      readonly request: Uint8Array;
    };
