import type { Log } from "../../../lib/log.js";
import type { CableIdentity } from "../protocol/cable-identity.js";
import type { CablePool } from "../threads/cable-pool.js";

/** What an end needs of the engine. */
export interface EndContext {
  readonly identity: CableIdentity;
  /** Tells this engine process from another of the same host's identity. */
  readonly engine: string;
  readonly netns: string | undefined;
  readonly workers: CablePool;
  /** The host's policy lets links go without encryption. */
  readonly allowPlainLinks: boolean;
  /** The switch takes UDP super-frames. */
  readonly udpSuperFrames: boolean;
  readonly log: Log;
  /** Makes the end's record durable. */
  readonly save: () => Promise<void>;
  /** The end's view changed. */
  readonly changed: () => void;
}
