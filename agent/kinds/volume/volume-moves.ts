import { randomUUID } from "node:crypto";
import { checkedOperation } from "../../../lib/checked-operation.js";
import { pack } from "../../../lib/kinds/resource.js";
import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import { asFailure } from "../../kit/failure.js";
import type { Change } from "../../kit/kind.js";
import { checkMove, moveVolume, type MovingVolumes, removeLeftovers, settleMove } from "./move.js";
import { assertIdle } from "./volume-check.js";
import type { VolumeWork } from "./volume-work.js";
import { VolumeReplacements } from "./volume-replacements.js";

/** How a volume is moved. */
export interface MoveOptions extends Change {
  readonly requestId: string;
  /** 0: as fast as it goes. */
  readonly bytesPerSecond: number;
}

/** Moves of the volumes of this host from pool to pool. */
export class VolumeMoves {
  readonly #options: VolumeWork;
  /** Those whose move could not be ended: nobody opens them until it is. */
  readonly #unsettled = new Set<string>();

  /** Storage that takes the place of what they have. */
  readonly replacements: VolumeReplacements;

  constructor(options: VolumeWork) {
    this.#options = options;
    this.replacements = new VolumeReplacements({ ...options, removeLeftovers: (id) => this.forget(id) });
  }

  /** Moves one to another pool. @throws {ZorError} */
  async start(id: string, to: string, options: MoveOptions): Promise<Operation> {
    const { context, made, queue, busy, whole, look } = this.#options;
    const { validateOnly, caller, requestId, bytesPerSecond } = options;
    const { name } = made.get(id).resource;
    assertIdle(whole(id), busy.get(id));
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
    this.replacements.restore();
    for (const { id, facts } of made.all()) {
      // What was about to go over is asked where it went, once instances are known.
      if (facts?.move?.phase === "switching") busy.set(id, "moved");
      else if (facts?.move !== undefined) await this.#settle(id);
    }
  }

  /** Ends the rest of it, once instances are known. Never rejects. */
  async settle(): Promise<void> {
    for (const { id, facts } of this.#options.made.all()) {
      if (facts?.move !== undefined) await this.#inTurn(id, () => this.#settle(id));
    }
  }

  /** Ends moves that could not be ended, and removes what could not be removed when a volume had moved. Never rejects. */
  async tidy(): Promise<void> {
    const { made, busy } = this.#options;
    await this.replacements.tidy();
    for (const id of this.#unsettled) await this.#inTurn(id, () => this.#settle(id));
    for (const { id, facts } of made.all()) {
      // While one moves nobody waits for its end.
      if ((facts?.leftovers ?? []).length === 0 || busy.has(id)) continue;
      await this.#inTurn(id, () => removeLeftovers(this.#moving, id));
    }
  }

  /** Removes what is left of one elsewhere, as far as that can be had. @throws {ZorError} */
  async forget(id: string): Promise<void> {
    await removeLeftovers(this.#moving, id);
  }

  /** Does something in the queue of a volume, if it is still there then. Never rejects. */
  async #inTurn(id: string, work: () => Promise<void>): Promise<void> {
    const { context, made, queue } = this.#options;
    try {
      await queue.run(id, async () => {
        if (made.has(id)) await work();
        else this.#unsettled.delete(id);
      });
    } catch (error) {
      context.logError(error, `what is left of a move of volume ${id} could not be tidied up; it is tried again`);
    }
  }

  /** Who wants to open it may, unless it is not known where it is. */
  #release(id: string): void {
    const { made, busy } = this.#options;
    if (made.has(id) && made.get(id).facts?.move !== undefined) {
      this.#unsettled.add(id);
      return;
    }
    this.#unsettled.delete(id);
    busy.delete(id);
  }

  async #settle(id: string): Promise<void> {
    const { made, context } = this.#options;
    try {
      const what = await settleMove(this.#moving, id);
      if (what !== undefined) made.report("moved", id, what);
    } catch (error) {
      context.logError(error, `the move of volume ${id}, which was cut short, could not be settled; it is tried again`);
      this.#options.busy.set(id, "moved");
    } finally {
      this.#release(id);
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
        return { [Symbol.dispose]: () => this.#release(id) };
      },
    };
  }
}
