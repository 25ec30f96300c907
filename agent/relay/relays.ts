import { ControllerRelay } from "./controller-relay.js";
import { ExportRelay } from "./export-relay.js";
import { type RelayState, type RelayWanted, relayProtocol } from "./protocol/relay-protocol.js";

/** All that a relay does. */
export class Relays {
  readonly #netns: string;
  readonly #exports = new Map<string, ExportRelay>();
  readonly #controllers = new Map<string, ControllerRelay>();

  constructor(netns: string) {
    this.#netns = netns;
  }

  get size(): number {
    return this.#exports.size + this.#controllers.size;
  }

  get state(): RelayState {
    return {
      protocol: relayProtocol,
      exports: [...this.#exports.values()].map(({ state }) => state),
      controllers: [...this.#controllers.values()].map(({ state }) => state),
    };
  }

  /** Does this from now on; what it does already is not interrupted. */
  async set({ exports, controllers, isPartial }: RelayWanted): Promise<void> {
    if (!isPartial) {
      drop(this.#exports, new Set(exports.map(({ id }) => id)));
      drop(this.#controllers, new Set(controllers.map(({ id }) => id)));
    }
    for (const wanted of exports) {
      const relay = this.#exports.get(wanted.id) ?? new ExportRelay(this.#netns, wanted);
      this.#exports.set(wanted.id, relay);
      await relay.set(wanted);
    }
    for (const wanted of controllers) {
      const before = this.#controllers.get(wanted.id);
      if (before?.does(wanted) === true) continue;
      before?.close();
      const relay = new ControllerRelay(wanted);
      this.#controllers.set(wanted.id, relay);
      await relay.listen();
    }
  }

  close(): void {
    drop(this.#exports, new Set());
    drop(this.#controllers, new Set());
  }
}

function drop<T extends { close(): void }>(relays: Map<string, T>, kept: ReadonlySet<string>): void {
  for (const [id, relay] of relays) {
    if (kept.has(id)) continue;
    relay.close();
    relays.delete(id);
  }
}
