import { randomUUID } from "node:crypto";
import type { OpenVolume, VolumeAccess } from "../../drivers/abilities/volumes.js";
import { asFailure } from "../../kit/failure.js";
import { openSource } from "../../storage/open-volume.js";
import { assertSettled } from "./move.js";
import { type Facts, type MadeVolume, type Place, placeOf, storedAt } from "./volume-facts.js";
import type { VolumeWork } from "./volume-work.js";

const bytesPerMib = 1024n * 1024n;

/** What this shares with everything else that is done to volumes. */
export interface ReplacementOptions extends VolumeWork {
  /** Removes what is left of one elsewhere, as far as it can be had. */
  readonly removeLeftovers: (id: string) => Promise<void>;
}

/** What was decided of a holder's, and may have to be tried again. */
type Keep = Parameters<VolumeAccess["settleReplaced"]>[1];

/** Storage that takes the place of what volumes have, once whoever fills it says so. */
export class VolumeReplacements {
  readonly #options: ReplacementOptions;
  /** What could not be written down yet, by holder. */
  readonly #decided = new Map<string, Keep>();

  constructor(options: ReplacementOptions) {
    this.#options = options;
  }

  /** See VolumeAccess.replace. */
  async begin(id: string, holder: string): Promise<OpenVolume> {
    const { context, made, queue, busy, pool, whole } = this.#options;
    return await queue.run(id, async () => {
      const volume = whole(id);
      const { name, spec } = volume.resource;
      assertSettled(volume);
      const usable = pool(spec.pool);
      await context.pools.assertFits(usable, { name }, spec.sizeMib * bytesPerMib);
      const place: Place = { ...placeOf(volume), storageId: randomUUID() };
      busy.set(id, "restored");
      const { replacement: _none, ...facts } = volume.facts ?? { growToMib: 0 };
      await made.setFacts(id, { ...facts, replacement: { place, holder } }).catch((error: unknown) => {
        busy.delete(id);
        throw asFailure(error, name, "restore");
      });
      try {
        const stored = storedAt(place, name);
        await usable.backend.create(usable.pool, stored);
        return await openSource(await usable.backend.source(usable.pool, stored), stored, "r+");
      } catch (error) {
        await this.#settle(id, "old");
        throw asFailure(error, name, "restore");
      }
    });
  }

  /** See VolumeAccess.settleReplaced. */
  async settle(holder: string, keep: Keep): Promise<void> {
    const { made, queue } = this.#options;
    const pending = made.all().filter(({ facts }) => facts?.replacement?.holder === holder);
    if (pending.length === 0) return;
    this.#decided.set(holder, keep);
    for (const { id } of pending) await queue.run(id, () => this.#settle(id, keep));
    this.#decided.delete(holder);
  }

  /** Until it is settled nobody opens what was being filled when an agent ended. */
  restore(): void {
    for (const { id, facts } of this.#options.made.all()) {
      if (facts?.replacement !== undefined) this.#options.busy.set(id, "restored");
    }
  }

  /** Tries again what could not be written down, and drops what nobody is there any more to decide of. Never rejects. */
  async tidy(): Promise<void> {
    const { context, made } = this.#options;
    const holders = new Set(made.all().flatMap(({ facts }) => facts?.replacement?.holder ?? []));
    for (const holder of holders) {
      const isThere = context.instances
        .get()
        .list()
        .some(({ uid }) => uid === holder);
      const keep = this.#decided.get(holder) ?? (isThere ? undefined : "old");
      if (keep === undefined) continue;
      await this.settle(holder, keep).catch((error: unknown) => {
        context.logError(error, "what was restored into a volume could not be written down; it is tried again");
      });
    }
  }

  async #settle(id: string, keep: Keep): Promise<void> {
    const { made, busy, removeLeftovers, look } = this.#options;
    const volume = made.get(id);
    if (volume.facts?.replacement === undefined) return;
    await made.setFacts(id, settled(volume, volume.facts, keep));
    busy.delete(id);
    await removeLeftovers(id);
    await look(made.get(id));
  }
}

/** What is known of a volume that is kept in the one place or in the other, while the other is still there; pure. */
function settled(volume: MadeVolume, { replacement, ...facts }: Facts, keep: Keep): Facts {
  if (replacement === undefined) return facts;
  const { place } = replacement;
  const gone = keep === "new" ? placeOf(volume) : place;
  const leftovers = [...(facts.leftovers ?? []), gone];
  return keep === "new" ? { ...facts, storageId: place.storageId, leftovers } : { ...facts, leftovers };
}
