import { failedPrecondition } from "../../lib/errors.js";
import type { ResourceTypes } from "../../lib/kinds/codecs.js";
import type { AnyResource } from "../../lib/kinds/resource.js";
import type { Lan } from "../../proto/gen/zor/v1/lan.js";
import type { Inventory } from "./inventory.js";
import { findLoop, type Joint, lansWithoutRstp, loopText } from "./loops.js";

/** What a resource joins. */
export interface ToldJoint extends Joint {
  /** It is being deleted: nothing new has to mind it. */
  readonly leaving?: boolean;
}

/** A joint that is about to be made. */
export interface NewJoint extends Joint {
  /** It may close a loop whose lans all run RSTP. */
  readonly allowRstp: boolean;
  /** Lans that were made a moment ago, and may not have come through the watch yet. */
  readonly fresh?: readonly Lan[];
}

/** What joins the lans of the whole fleet, as far as it is known. Kinds that join lans add themselves, and nobody else knows of them. */
export class Topology {
  readonly #inventory: Inventory;
  readonly #joiners = new Map<string, (value: AnyResource["value"]) => ToldJoint>();

  constructor(inventory: Inventory) {
    this.#inventory = inventory;
  }

  /** Resources of this kind join two lans. */
  addJoiner<K extends keyof ResourceTypes>(kind: K, jointOf: (value: ResourceTypes[K]) => ToldJoint): void {
    // Resources of a kind have the message type of that kind.
    this.#joiners.set(kind, (value) => jointOf(value as ResourceTypes[K]));
  }

  /** Singulars of the kinds that join lans. */
  get kinds(): readonly string[] {
    return [...this.#joiners.keys()];
  }

  /** What a resource joins; undefined: its kind joins nothing. */
  jointOf({ kind, value }: AnyResource): ToldJoint | undefined {
    return this.#joiners.get(kind)?.(value);
  }

  /** @throws {ZorError} FAILED_PRECONDITION with reason LINK_LOOP that names the loop, unless RSTP may and will break it. */
  checkLoop({ name, a, b, allowRstp, fresh = [] }: NewJoint): void {
    // One of the same name is the same again: a retry, or a clash of names that others tell of.
    const others = this.#joints().filter((joint) => joint.name !== name);
    const loop = findLoop(a, b, others);
    if (loop === undefined) return;
    const byName = new Map(fresh.map((lan) => [lan.name, lan]));
    const without = lansWithoutRstp(loop, (lan) => this.#inventory.log.find("lan", lan) ?? byName.get(lan));
    if (allowRstp && without.length === 0) return;
    const remedy =
      without.length === 0
        ? 'all of its lans run RSTP, so it can be made with loop RSTP ("--loop rstp")'
        : `delete a part of it; or have all of its lans run RSTP (${without.join(", ")} ${without.length === 1 ? "does" : "do"} not: "zor create lan --rstp")${allowRstp ? "" : ' and allow the loop with "--loop rstp"'}`;
    throw failedPrecondition(
      "LINK_LOOP",
      name,
      `${name} would close a loop of lans, in which frames circle for ever: ${loopText(loop)}; ${remedy}`,
    );
  }

  #joints(): Joint[] {
    return [...this.#joiners].flatMap(([kind, jointOf]) =>
      this.#inventory.log
        .list(kind)
        .map(jointOf)
        .filter(({ leaving }) => leaving !== true),
    );
  }
}
