import type { KeyedQueue } from "../../../lib/keyed-queue.js";
import type { Volume } from "../../../proto/gen/zor/v1/volume.js";
import type { MadeResources } from "../../kit/made-resources.js";
import type { AgentContext } from "../../parts.js";
import type { UsablePool } from "../../storage/pools.js";
import type { Facts, MadeVolume } from "./volume-facts.js";

/** What long work at volumes shares with everything else that is done to them. */
export interface VolumeWork {
  readonly context: AgentContext;
  readonly made: MadeResources<Volume, Facts>;
  readonly queue: KeyedQueue;
  /** What is being done to some, by id, for who wants to open them. */
  readonly busy: Map<string, string>;
  readonly pool: (id: string) => UsablePool;
  readonly whole: (id: string) => MadeVolume;
  /** One is somewhere else now. */
  readonly look: (made: MadeVolume) => Promise<void>;
  readonly account: (made: MadeVolume) => void;
}
