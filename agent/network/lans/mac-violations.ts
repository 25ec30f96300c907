import type { PlugOptions } from "./plug.js";
import type { PortChange } from "./port-faults.js";
import { noDrops, type PortDrops } from "./port-drops.js";

/** While it goes on it is told so often. */
const tellMs = 300_000;

/** A port with a limit of MAC addresses. */
interface LimitedPort {
  readonly port: string;
  readonly lan: string;
  readonly endpoint: string;
  readonly maxMacs: number;
}

/** Tells of ports that send from more MAC addresses than they may: once, and again when it goes on for long. */
export class MacViolations {
  readonly #seen = new Map<string, { frames: bigint; toldMs: number }>();

  /** What a look has found of a port; undefined: nothing that is to be told. */
  look({ port, lan, endpoint, maxMacs }: LimitedPort, drops: PortDrops = noDrops, nowMs = performance.now()) {
    const seen = this.#seen.get(port) ?? { frames: drops.maxMacsBefore, toldMs: Number.NEGATIVE_INFINITY };
    this.#seen.set(port, seen);
    const more = drops.maxMacs - seen.frames;
    seen.frames = drops.maxMacs;
    if (more <= 0n || nowMs - seen.toldMs < tellMs) return undefined;
    seen.toldMs = nowMs;
    const what = `it sends from more than ${maxMacs} MAC addresses (max_macs); frames from further ones are dropped`;
    return { lan, endpoint, fault: what, isViolation: true } satisfies PortChange;
  }

  /** What a look has found of the ports of a lan. */
  lookAll(plugs: readonly PlugOptions[], drops: ReadonlyMap<string, PortDrops>): readonly PortChange[] {
    return plugs.flatMap(({ port, lan, endpoint, settings }) => {
      const maxMacs = settings?.maxMacs ?? 0;
      return maxMacs === 0 ? [] : (this.look({ port, lan, endpoint, maxMacs }, drops.get(port)) ?? []);
    });
  }

  /** It is plugged in no more. */
  forget(port: string): void {
    this.#seen.delete(port);
  }
}
