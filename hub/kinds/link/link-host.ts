import type { LinkTransport } from "../../../proto/gen/zor/v1/link.js";

/** What links need to know of a host. */
export interface LinkHost {
  readonly ready: boolean;
  /** Undefined until its agent has said hello, or while it has no cable engine. */
  readonly cableKeySha256: Buffer | undefined;
  /** "ip:port" or "name:port" at which other hosts reach its cable engine; empty: they cannot. */
  readonly cableAddresses: readonly string[];
  /** The machine's own identity. */
  readonly uid: string;
  /** IPs at which other hosts reach it; empty: they cannot. */
  readonly underlayIps: readonly string[];
  /** All IPs known of it, good for links or not. */
  readonly nearIps: readonly string[];
  /** Addresses it announces that no link may use: "127.0.0.1 is a loopback address". */
  readonly refused: readonly string[];
  /** The ssh server through which the hub dials its agent; "": none. */
  readonly via: string;
  readonly allowsPlain: boolean;
  readonly transports: readonly LinkTransport[];
  /** Why the host itself cannot carry vxlan, as its agent says; empty: it can, or does not say. */
  readonly vxlanMissing: string;
}
