import { failedPrecondition } from "../../lib/errors.js";
import type { NamedVolume } from "../drivers/abilities/volumes.js";

/** That an instance has a volume. */
export interface Holding {
  /** Resource name of the instance. */
  readonly instance: string;
  /** What the volume is there: "disk1". */
  readonly part: string;
  readonly readOnly: boolean;
}

type Named = Pick<NamedVolume, "volume" | "part" | "readOnly">;

/**
 * Which instances have which volumes: as their specifications say, and what is just being given to them. Everything here happens at
 * once, so that of two that ask for the same volume one is refused.
 */
export class VolumeHolders {
  readonly #byInstance = new Map<string, readonly Named[]>();
  readonly #claims = new Map<string, readonly Named[]>();
  /** What {@link #index} has put into `#byVolume` for each. */
  readonly #indexed = new Map<string, readonly string[]>();
  readonly #byVolume = new Map<string, Map<string, readonly Holding[]>>();
  readonly #listeners: ((volume: string) => void)[] = [];

  /** Takes in what an instance has now; nothing: none. */
  set(instance: string, named: readonly Named[]): void {
    if (named.length === 0 && !this.#byInstance.has(instance)) return;
    if (named.length === 0) this.#byInstance.delete(instance);
    else this.#byInstance.set(instance, named);
    this.#index(instance);
  }

  /**
   * Gives volumes to an instance until disposed of; {@link set} then says whether it has them.
   * @throws {ZorError} FAILED_PRECONDITION when one is written by another, or would be, or twice by this one.
   */
  claim(instance: string, named: readonly NamedVolume[]): Disposable {
    for (const [index, wanted] of named.entries()) {
      const others = this.of(wanted.volume).filter((held) => held.instance !== instance);
      const own = named.slice(0, index).filter(({ volume }) => volume === wanted.volume);
      const inTheWay =
        others.find(({ readOnly }) => !readOnly || !wanted.readOnly) ??
        own.map((each) => ({ ...each, instance })).find(({ readOnly }) => !readOnly || !wanted.readOnly);
      if (inTheWay !== undefined) throw taken(instance, wanted, inTheWay);
    }
    if (named.length > 0) {
      this.#claims.set(instance, named);
      this.#index(instance);
    }
    return {
      [Symbol.dispose]: () => {
        if (this.#claims.get(instance) !== named) return;
        this.#claims.delete(instance);
        this.#index(instance);
      },
    };
  }

  /** All that have a volume, in order. */
  of(volume: string): readonly Holding[] {
    const holdings = [...(this.#byVolume.get(volume)?.values() ?? [])].flat();
    return holdings.sort((one, other) => (one.instance < other.instance ? -1 : 1));
  }

  /** The volumes that an instance has. */
  volumesOf(instance: string): readonly string[] {
    const named = [...(this.#byInstance.get(instance) ?? []), ...(this.#claims.get(instance) ?? [])];
    return [...new Set(named.map(({ volume }) => volume))];
  }

  /** Calls back when a volume is given to an instance, or taken from it. */
  onChange(listener: (volume: string) => void): void {
    this.#listeners.push(listener);
  }

  #index(instance: string): void {
    const named = [...(this.#byInstance.get(instance) ?? []), ...(this.#claims.get(instance) ?? [])];
    const before = this.#indexed.get(instance) ?? [];
    const now = new Map<string, Holding[]>();
    for (const { volume, part, readOnly } of named) {
      const holdings = now.get(volume) ?? [];
      if (holdings.some((held) => held.part === part && held.readOnly === readOnly)) continue;
      now.set(volume, [...holdings, { instance, part, readOnly }]);
    }
    if (now.size === 0) this.#indexed.delete(instance);
    else this.#indexed.set(instance, [...now.keys()]);
    for (const volume of before) if (!now.has(volume)) this.#byVolume.get(volume)?.delete(instance);
    for (const [volume, holdings] of now) {
      const holders = this.#byVolume.get(volume) ?? new Map<string, readonly Holding[]>();
      holders.set(instance, holdings);
      this.#byVolume.set(volume, holders);
    }
    for (const volume of new Set([...before, ...now.keys()])) {
      if (this.#byVolume.get(volume)?.size === 0) this.#byVolume.delete(volume);
      for (const listener of this.#listeners) listener(volume);
    }
  }
}

function taken(
  instance: string,
  { volume, field, readOnly }: NamedVolume,
  { instance: holder, part, readOnly: isRead }: Holding,
) {
  const remedy = readOnly
    ? "take it away there first"
    : isRead
      ? "it can be had here too if it is read only"
      : "take it away there first, or have it read only in both";
  const where = holder === instance ? `another disk of the same instance, ${part}` : `${part} of ${holder}`;
  return failedPrecondition(
    "VOLUME_ATTACHED",
    instance,
    `${instance}: ${field}: volume ${volume} is ${where}; ${remedy}`,
  );
}
