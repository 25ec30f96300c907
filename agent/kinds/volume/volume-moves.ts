import { randomUUID } from "node:crypto";
import { checkedOperation } from "../../../lib/checked-operation.js";
import type { KeyedQueue } from "../../../lib/keyed-queue.js";
import { pack } from "../../../lib/kinds/resource.js";
import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import type { Volume } from "../../../proto/gen/zor/v1/volume.js";
import { asFailure } from "../../kit/failure.js";
import type { Change } from "../../kit/kind.js";
import type { MadeResources } from "../../kit/made-resources.js";
import type { AgentContext } from "../../parts.js";
import type { UsablePool } from "../../storage/pools.js";
import { checkMove, moveVolume, type MovingVolumes, removeLeftovers, settleMove } from "./move.js";
import type { Facts, MadeVolume } from "./volume-facts.js";

/** What moves share with everything else that is done to volumes. */
export interface VolumeMovesOptions {
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

/** How a volume is moved. */
export interface MoveOptions extends Change {
  readonly requestId: string;
  /** 0: as fast as it goes. */
  readonly bytesPerSecond: number;
}

/** Moves of the volumes of this host from pool to pool. */
export class VolumeMoves {
  readonly #options: VolumeMovesOptions;

  constructor(options: VolumeMovesOptions) {
    this.#options = options;
  }

  /** Moves one to another pool. @throws {ZorError} */
  async start(id: string, to: string, options: MoveOptions): Promise<Operation> {
    const { context, made, queue, whole, look } = this.#options;
    const { validateOnly, caller, requestId, bytesPerSecond } = options;
    const { name } = made.get(id).resource;
    await checkMove(this.#moving, whole(id), to);
    const verb = "volume.move";
    if (validateOnly) return checkedOperation(verb, name);
    return context.operations.start({
      ...{ verb, target: name, requestId, caller, id: randomUUID() },
      work: ({ signal, progress }) =>
        queue.run(id, async () => {
          try {
            // It may have waited.
            signal.throwIfAborted();
            await checkMove(this.#moving, whole(id), to);
            await moveVolume(this.#moving, id, to, { signal, progress, bytesPerSecond });
          } catch (error) {
            throw asFailure(error, name, "move");
          }
          made.report("moved", id, `it is in pool ${to} now`);
          await look(made.get(id));
          return pack({ kind: "volume", value: made.shown(id) });
        }),
    });
  }

  /** Ends what a restart has cut short, as far as no instance has to be asked. Never rejects. */
  async restore(): Promise<void> {
    const { made, busy } = this.#options;
    for (const { id, facts } of made.all()) {
      // What was about to go over is asked where it went, once instances are known.
      if (facts?.move?.phase === "switching") busy.set(id, "moved");
      else await this.#settle(id);
    }
  }

  /** Ends the rest of it, once instances are known. Never rejects. */
  async settle(): Promise<void> {
    const { made, busy, queue } = this.#options;
    for (const { id, facts } of made.all()) {
      if (facts?.move === undefined) continue;
      await queue.run(id, () => this.#settle(id));
      busy.delete(id);
    }
  }

  /** Removes what could not be removed when a volume had moved. Never rejects. */
  async tidy(): Promise<void> {
    const { made, queue } = this.#options;
    for (const { id, facts } of made.all()) {
      if ((facts?.leftovers ?? []).length > 0) await queue.run(id, () => removeLeftovers(this.#moving, id));
    }
  }

  async #settle(id: string): Promise<void> {
    const { made, context } = this.#options;
    try {
      const what = await settleMove(this.#moving, id);
      if (what !== undefined) made.report("moved", id, what);
    } catch (error) {
      context.logError(error, `the move of volume ${id}, which a restart cut short, could not be settled`);
    }
  }

  get #moving(): MovingVolumes {
    const { context, made, busy, pool, whole, account } = this.#options;
    return {
      ...{ context, pool, get: whole },
      setFacts: (id, facts) => made.setFacts(id, facts),
      setPlace: async (id, place) => {
        const { spec } = made.get(id).resource;
        await made.setSpec(id, { ...spec, pool: place.pool, format: place.format, sizeMib: BigInt(place.sizeMib) });
        account(made.get(id));
      },
      hold: (id, what) => {
        busy.set(id, what);
        made.publishOne(id);
        return { [Symbol.dispose]: () => void busy.delete(id) };
      },
    };
  }
}
