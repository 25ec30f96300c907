import type { Observation } from "../observation.js";
import type { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";

/** Something that runs, or could, on the host or through it, and that no agent made. */
export interface FoundInstance {
  /** Identity; the instance has it for its uid once it is adopted. */
  readonly uid: string;
  /** What it is called here: a valid id, the same whenever it is found. */
  readonly id: string;
  readonly spec: InstanceSpec;
  readonly observation: Observation;
}

/** What became known of something. Gone: it is no more, and does not merely fail to answer. */
export type Discovery =
  | { readonly type: "found"; readonly found: FoundInstance }
  | { readonly type: "gone"; readonly uid: string };

/**
 * Drivers that show what others made. It is shown read-only, without anything kept of it on disk, until somebody adopts it: then the
 * instance layer keeps its specification, calls `create`, which marks it where it is, and `recover`, which finds what runs. `destroy`
 * takes the mark away and touches nothing else; deleting never stops it. What is adopted is announced here like all others.
 */
export interface Discovering {
  /** Announces all there is, and then what changes, until the signal aborts. Never waits for one that does not answer. One consumer. */
  discover(signal: AbortSignal): AsyncIterable<Discovery>;

  /** The specification that it has once it is adopted. @throws {ZorError} FAILED_PRECONDITION when it cannot be. */
  toAdopted(found: FoundInstance): InstanceSpec;
}
