import type { PluggedNic } from "./find-duplicates.js";

/** Name of the one instance that has a MAC once, or all that have it, each with its NICs of that MAC. */
type Holders = string | Map<string, readonly PluggedNic[]>;

/**
 * Which instances have which MACs. Nearly all are had once: of those it holds the name of the instance and nothing else, as there may be
 * hundreds of thousands.
 */
export class MacHolders {
  readonly #nicsOf: (instance: string) => readonly PluggedNic[];
  readonly #byMac = new Map<string | number, Holders>();
  /** Keys of those that are more than once. */
  readonly #shared = new Set<string | number>();

  /** @param nicsOf the NICs of an instance, as they were told last. */
  constructor(nicsOf: (instance: string) => readonly PluggedNic[]) {
    this.#nicsOf = nicsOf;
  }

  /** An instance has other NICs. True when it has, or had, a MAC that is more than once. */
  replace(instance: string, before: readonly PluggedNic[], nics: readonly PluggedNic[]): boolean {
    if (sameNics(before, nics)) return false;
    const [first] = nics;
    // What a hub that begins takes in, thousands of times.
    if (before.length === 0 && nics.length === 1 && first !== undefined) {
      this.#add(keyOf(first.mac), instance, nics);
      return this.#shared.has(keyOf(first.mac));
    }
    let touched = false;
    for (const { mac } of before) {
      if (this.#shared.has(keyOf(mac))) touched = true;
      this.#remove(keyOf(mac), instance);
    }
    for (const [mac, ofMac] of Map.groupBy(nics, (nic) => nic.mac)) {
      this.#add(keyOf(mac), instance, ofMac);
      if (this.#shared.has(keyOf(mac))) touched = true;
    }
    return touched;
  }

  /** All NICs whose MAC is more than once. */
  shared(): readonly PluggedNic[] {
    return [...this.#shared].flatMap((key) => {
      const holders = this.#byMac.get(key);
      return holders === undefined || typeof holders === "string" ? [] : [...holders.values()].flat();
    });
  }

  #add(key: string | number, instance: string, nics: readonly PluggedNic[]): void {
    const known = this.#byMac.get(key);
    if (known === undefined && nics.length === 1) {
      this.#byMac.set(key, instance);
      return;
    }
    const holders = known instanceof Map ? known : new Map<string, readonly PluggedNic[]>();
    if (typeof known === "string") holders.set(known, this.#ofKey(known, key));
    this.#byMac.set(key, holders.set(instance, nics));
    this.#shared.add(key);
  }

  #remove(key: string | number, instance: string): void {
    const known = this.#byMac.get(key);
    if (known === instance) this.#byMac.delete(key);
    if (!(known instanceof Map)) return;
    known.delete(instance);
    const [last] = known;
    if (known.size > 1 || (last !== undefined && last[1].length > 1)) return;
    this.#shared.delete(key);
    if (last === undefined) this.#byMac.delete(key);
    else this.#byMac.set(key, last[0]);
  }

  #ofKey(instance: string, key: string | number): readonly PluggedNic[] {
    return this.#nicsOf(instance).filter(({ mac }) => keyOf(mac) === key);
  }
}

const macLength = "00:00:00:00:00:00".length;

/** A number for what is a MAC in lower case: it takes less memory than its text. */
function keyOf(mac: string): string | number {
  if (mac.length !== macLength) return mac;
  let key = 0;
  for (let at = 0; at < macLength; at += 1) {
    const digit = digitOf(mac.charCodeAt(at));
    if (at % 3 === 2 ? mac[at] !== ":" : digit === undefined) return mac;
    if (digit !== undefined) key = key * 16 + digit;
  }
  return key;
}

/** Of "0" to "9" and "a" to "f". */
function digitOf(code: number): number | undefined {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  return code >= 0x61 && code <= 0x66 ? code - 0x57 : undefined;
}

function sameNics(left: readonly PluggedNic[], right: readonly PluggedNic[]): boolean {
  return (
    left.length === right.length &&
    left.every(({ name, mac, lan }, at) => {
      const other = right[at];
      return other?.name === name && other.mac === mac && other.lan === lan;
    })
  );
}
