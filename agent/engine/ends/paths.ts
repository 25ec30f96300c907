import { messageOf } from "../../../lib/errors.js";
import { close } from "../../../lib/libc.js";
import type { CableIdentity } from "../protocol/cable-identity.js";
import type { EndRecord } from "./end-record.js";
import type { AttemptLoop } from "./attempt-loop.js";
import type { HandshakeOptions, ReadyConnection } from "../handshake/dial.js";
import { CableFailure } from "../handshake/failure.js";
import type { Credential, ListenerEnd } from "../handshake/hello.js";
import type { Path } from "./link-state.js";
import type { Quiet } from "../threads/cable-orders.js";

/** The end of a link as those see it who connect it. */
export interface PathOwner extends ListenerEnd {
  readonly identity: CableIdentity;
  readonly record: EndRecord;
  /** It can take a connection now. */
  readonly ready: boolean;
  /** The connection in use, and whether its peer has not answered for a while. */
  readonly inUse: { readonly path: Path; readonly quiet: Quiet } | undefined;
  /** What to show to a listener, best first. */
  readonly credentials: readonly Credential[];
  /** Milliseconds to wait before anything: connections that break at once must not be made in a circle. */
  readonly calmMs: number;
  handshake(credential: Credential, signal: AbortSignal): HandshakeOptions;
  /** Takes a connection over. Resolves when frames have crossed it, with undefined, or it was closed before, with the reason. */
  attach(connection: ReadyConnection): Promise<CableFailure | undefined>;
  /** A way could not be made to work; it is tried again at this time, milliseconds since the epoch. */
  failed(path: Path, failure: CableFailure, nextTryMs: number): void;
  /** Whether the other host's addresses can be reached, with the reason if not; undefined: not known. */
  tellDirect(reachable: boolean | undefined, reason: string): void;
}

/** What an end does to be connected. */
export interface Paths {
  /** The end's state changed. */
  reconsider(): void;
  /** Something changed that makes a new attempt worth it now. */
  hurry(): void;
  close(): Promise<void>;
}

/** Several loops as one. */
export function joinLoops(loops: readonly AttemptLoop[]): Paths {
  return {
    reconsider: () => {
      for (const loop of loops) loop.reconsider();
    },
    hurry: () => {
      for (const loop of loops) loop.hurry();
    },
    close: async () => {
      await Promise.all(loops.map((loop) => loop.close()));
    },
  };
}

/** A relay could serve the end: it is told of one, and the relay would see nothing but ciphertext. */
function hasRelay({ record, encryption }: PathOwner): boolean {
  const { relayAddresses, relayTicket } = record.spec;
  return relayAddresses.length > 0 && relayTicket.length > 0 && encryption === "tls";
}

/** The relay is needed: nothing else works, or what works has gone silent. A relayed connection is never given up for another. */
export function needsRelay(owner: PathOwner): boolean {
  const { inUse } = owner;
  if (!owner.ready || !hasRelay(owner)) return false;
  return inUse === undefined || (inUse.path === "direct" && inUse.quiet !== "no");
}

/** Attaches a connection unless it is not wanted any more. */
export async function attachIfWanted(
  owner: PathOwner,
  connection: ReadyConnection,
  signal: AbortSignal,
): Promise<CableFailure | undefined> {
  if (!signal.aborted) return owner.attach(connection);
  close(connection.established.fd);
  return new CableFailure("lost", "the connection is not needed any more");
}

/** Runs an attempt and gives its failure. */
export async function failureOf(attempt: () => Promise<CableFailure | undefined>): Promise<CableFailure | undefined> {
  try {
    return await attempt();
  } catch (error) {
    // Whatever an attempt meets must not end the engine, and with it all other cables.
    return error instanceof CableFailure ? error : new CableFailure("protocol", messageOf(error), error);
  }
}
