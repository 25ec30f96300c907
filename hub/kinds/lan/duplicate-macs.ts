import { type AnyResource, isOfKind } from "../../../lib/kinds/resource.js";
import type { Kept } from "../../../lib/watch/kept.js";
import type { Follower } from "../../../lib/watch/watch-log.js";
import { listed } from "../../../lib/words.js";
import { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import type { Instance } from "../../../proto/gen/zor/v1/instance.js";
import type { Inventory } from "../../kit/inventory.js";
import type { Joint } from "../../kit/loops.js";
import type { Remarks } from "../../kit/remarks.js";
import type { Topology } from "../../kit/topology.js";
import { findDuplicates, type PluggedNic } from "./find-duplicates.js";
import { MacHolders } from "./mac-holders.js";

/** What the search works with. */
export interface DuplicateMacsOptions {
  readonly inventory: Inventory;
  readonly topology: Topology;
  readonly remarks: Remarks;
}

/** Changes come in bursts: one look for all of them. */
const settleMs = 100;

/**
 * Says when two NICs of one broadcast domain, over lans, boxes and links, have one MAC: at the lans and links between them, and as an
 * event. Follows the inventory; what a change costs grows with the MACs that are there twice, not with the fleet.
 */
export class DuplicateMacs implements Follower {
  readonly #options: DuplicateMacsOptions;
  readonly #holders = new MacHolders((instance) => this.#nicsOf(instance));
  readonly #joints = new Map<string, Joint>();
  readonly #told = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: DuplicateMacsOptions) {
    this.#options = options;
    options.inventory.log.follow(["instance", ...options.topology.kinds], this);
  }

  /** Looks no more. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  changed(resource: AnyResource, before: Kept | undefined): void {
    const joint = this.#options.topology.jointOf(resource);
    if (joint !== undefined) this.#setJoint(joint);
    else if (isOfKind(resource, "instance")) this.#setNics(resource.value.name, before, nicsOf(resource.value));
  }

  removed(before: Kept): void {
    if (before.kind === "instance") this.#setNics(before.name, before, []);
    else if (this.#joints.delete(before.name)) this.#soon();
  }

  #setNics(instance: string, before: Kept | undefined, nics: readonly PluggedNic[]): void {
    // The log gives what it keeps of the kind that was asked for.
    const had = before === undefined ? [] : nicsOf(before.value as Instance);
    if (this.#holders.replace(instance, had, nics)) this.#soon();
  }

  #nicsOf(instance: string): readonly PluggedNic[] {
    const known = this.#options.inventory.log.find("instance", instance);
    return known === undefined ? [] : nicsOf(known);
  }

  #setJoint(joint: Joint): void {
    const before = this.#joints.get(joint.name);
    if (before?.a === joint.a && before.b === joint.b) return;
    this.#joints.set(joint.name, joint);
    this.#soon();
  }

  #soon(): void {
    if (this.#isClosed) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#look();
    }, settleMs).unref();
  }

  #look(): void {
    const { inventory, remarks } = this.#options;
    const found = findDuplicates(this.#holders.shared(), [...this.#joints.values()]);
    const [lans, cables] = [new Map<string, string>(), new Map<string, string>()];
    const texts = new Set<string>();
    for (const duplicate of found) {
      const text = `${listed(duplicate.nics, 3)} have one MAC address, ${duplicate.mac}, and can reach each other: give each its own`;
      texts.add(text);
      for (const lan of duplicate.lans) lans.set(lan, text);
      for (const joint of duplicate.joints) cables.set(joint, text);
      if (!this.#told.has(text)) this.#tell(duplicate.lans[0] ?? "", text);
    }
    this.#told.clear();
    for (const text of texts) this.#told.add(text);
    inventory.remarkLans(lans);
    remarks.replace(new Map([...lans, ...cables]));
  }

  #tell(lan: string, message: string): void {
    const severity = EventSeverity.EVENT_SEVERITY_WARNING;
    this.#options.inventory.log.recordEvent("events", {
      severity,
      type: "lan.duplicate-mac",
      resource: lan,
      message,
      caller: "",
    });
  }
}

function nicsOf(instance: {
  readonly name: string;
  readonly spec: { readonly nics: readonly { name: string; mac: string; lan: string }[] } | undefined;
}): readonly PluggedNic[] {
  const lans = instance.name.replace(/\/instances\/.*$/, "/lans/");
  return (instance.spec?.nics ?? [])
    .filter(({ mac, lan }) => mac !== "" && lan !== "")
    .map(({ name, mac, lan }) => ({
      name: `${instance.name}/nics/${name}`,
      mac: mac.toLowerCase(),
      lan: `${lans}${lan}`,
    }));
}
