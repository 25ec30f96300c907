import { type AnyResource, isOfKind, unpack } from "../../lib/kinds/resource.js";
import type { Any } from "../../proto/gen/google/protobuf/any.js";
import type { Host } from "../../proto/gen/zor/v1/host.js";
import type { ResourceRemoved, WatchPosition, WatchResponse } from "../../proto/gen/zor/v1/watch_service.js";
import type { Inventory } from "../kit/inventory.js";
import { findLieOfRemoval, judge } from "./credible.js";
import { HostBounds } from "./host-bounds.js";

/** What a feed does with what it reads. */
export interface AgentFeedOptions {
  /** Id of the host. */
  readonly host: string;
  readonly inventory: Inventory;
  /** Told what the agent says of its own host. */
  readonly onHost: (host: Host) => void;
  /** Told of every statement that is not believed: of what, and why. */
  readonly onRefused: (refused: { readonly name: string; readonly why: string }) => void;
}

/** Brings one agent's watch stream into the inventory. It outlives sessions, so that the next one resumes where the last ended. */
export class AgentFeed {
  readonly #options: AgentFeedOptions;
  readonly #bounds = new HostBounds();
  #position: WatchPosition | undefined;
  /** Names seen since a reset; undefined when no snapshot is being read. */
  #snapshot: Set<string> | undefined;

  constructor(options: AgentFeedOptions) {
    this.#options = options;
  }

  /** Where to resume; undefined before the first whole snapshot. */
  get position(): WatchPosition | undefined {
    return this.#position;
  }

  /** Takes one step. True when what is known is then complete and current. */
  apply({ position, step }: WatchResponse): boolean {
    const { host, inventory } = this.#options;
    switch (step?.$case) {
      case "reset":
        this.#snapshot = new Set();
        this.#position = undefined;
        return false;
      case "upsert":
        this.#upsertPacked(step.value);
        break;
      case "removed":
        this.#remove(step.value);
        break;
      case "snapshotEnd":
        if (this.#snapshot !== undefined) {
          inventory.retainOnly(host, this.#snapshot);
          this.#bounds.retainOnly(this.#snapshot);
        }
        this.#snapshot = undefined;
        break;
      case "bookmark":
      case undefined:
        break;
    }
    if (this.#snapshot !== undefined) return false;
    this.#position = position;
    return true;
  }

  /** Forgets the position: the next session reads everything again. */
  restart(): void {
    this.#position = undefined;
    this.#snapshot = undefined;
  }

  #upsertPacked(packed: Any): void {
    try {
      const resource = unpack(packed);
      // A newer agent may tell of kinds that this hub does not know.
      if (resource !== undefined) this.#upsert(resource);
    } catch {
      this.#refuse("", "it is not the message that it says it is");
    }
  }

  #upsert(resource: AnyResource): void {
    const { host, inventory, onHost } = this.#options;
    const { name } = resource.value;
    // Every snapshot begins with the newest events again.
    if (resource.kind === "event" && inventory.log.index("event").get(name) !== undefined) return;
    const judged = judge(host, resource);
    const tooMuch = "lie" in judged ? undefined : this.#bounds.add(resource, judged.encoded.length);
    if ("lie" in judged) this.#refuse(name, judged.lie);
    else if (tooMuch !== undefined) this.#refuse(name, tooMuch);
    else if (isOfKind(resource, "host")) onHost(resource.value);
    else {
      this.#snapshot?.add(name);
      inventory.take(resource, judged.encoded);
    }
  }

  #remove({ kind, name }: ResourceRemoved): void {
    const { host, inventory } = this.#options;
    const why = findLieOfRemoval(host, kind, name);
    if (why !== undefined) {
      this.#refuse(name, why);
      return;
    }
    inventory.log.remove(kind, name);
    this.#bounds.remove(name);
  }

  #refuse(name: string, why: string): void {
    this.#options.onRefused({ name, why });
  }
}
