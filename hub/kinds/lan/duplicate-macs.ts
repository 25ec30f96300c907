import { Backoff } from "../../../lib/backoff.js";
import { isOfKind, unpack } from "../../../lib/kinds/resource.js";
import type { Log } from "../../../lib/log.js";
import { listed } from "../../../lib/words.js";
import { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import type { WatchResponse } from "../../../proto/gen/zor/v1/watch_service.js";
import type { Inventory } from "../../kit/inventory.js";
import type { Joint } from "../../kit/loops.js";
import type { Remarks } from "../../kit/remarks.js";
import type { Topology } from "../../kit/topology.js";
import { findDuplicates, type PluggedNic } from "./find-duplicates.js";

/** What the search works with. */
export interface DuplicateMacsOptions {
  readonly inventory: Inventory;
  readonly topology: Topology;
  readonly remarks: Remarks;
  readonly log: Log;
}

/** Changes come in bursts: one look for all of them. */
const settleMs = 100;

/**
 * Says when two NICs of one broadcast domain, over lans, boxes and links, have one MAC: at the lans and links between them, and as an
 * event. Follows the inventory; what a change costs grows with the MACs that are there twice, not with the fleet.
 */
export class DuplicateMacs {
  readonly #options: DuplicateMacsOptions;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  /** Instance by name: its NICs in lans. */
  readonly #nics = new Map<string, readonly PluggedNic[]>();
  readonly #byMac = new Map<string, Set<PluggedNic>>();
  readonly #shared = new Set<string>();
  readonly #joints = new Map<string, Joint>();
  readonly #told = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: DuplicateMacsOptions) {
    this.#options = options;
    this.#running = this.#follow(this.#stop.signal);
  }

  /** Stops following. */
  async close(): Promise<void> {
    this.#stop.abort();
    clearTimeout(this.#timer);
    await this.#running;
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff({ minMs: 50, maxMs: 1_000 });
    const kinds = ["instance", ...this.#options.topology.kinds];
    const request = { kinds, position: undefined, bookmarkSeconds: 60, parent: "" };
    while (!signal.aborted) {
      try {
        for await (const step of this.#options.inventory.log.watch(request, signal)) this.#apply(step);
      } catch (error) {
        // A burst was too much for one reader: read everything again.
        this.#options.log.debug({ err: error }, "following the fleet for duplicate MAC addresses begins anew");
      }
      await backoff.wait(signal);
    }
  }

  #apply({ step }: WatchResponse): void {
    if (step?.$case === "reset") {
      for (const instance of [...this.#nics.keys()]) this.#setNics(instance, []);
      this.#joints.clear();
    } else if (step?.$case === "removed") {
      this.#setNics(step.value.name, []);
      this.#joints.delete(step.value.name);
    } else if (step?.$case === "upsert") {
      const resource = unpack(step.value);
      if (resource === undefined) return;
      const joint = this.#options.topology.jointOf(resource);
      if (joint !== undefined) this.#setJoint(joint);
      else if (isOfKind(resource, "instance")) this.#setNics(resource.value.name, nicsOf(resource.value));
    }
  }

  #setNics(instance: string, nics: readonly PluggedNic[]): void {
    const before = this.#nics.get(instance) ?? [];
    if (sameNics(before, nics)) return;
    if (nics.length === 0) this.#nics.delete(instance);
    else this.#nics.set(instance, nics);
    for (const nic of before) {
      const holders = this.#byMac.get(nic.mac);
      holders?.delete(nic);
      if (holders?.size === 0) this.#byMac.delete(nic.mac);
    }
    for (const nic of nics) this.#byMac.set(nic.mac, (this.#byMac.get(nic.mac) ?? new Set()).add(nic));
    for (const { mac } of [...before, ...nics]) {
      const wasShared = this.#shared.delete(mac);
      const isShared = (this.#byMac.get(mac)?.size ?? 0) > 1;
      if (isShared) this.#shared.add(mac);
      if (wasShared || isShared) this.#soon();
    }
  }

  #setJoint(joint: Joint): void {
    const before = this.#joints.get(joint.name);
    if (before?.a === joint.a && before.b === joint.b) return;
    this.#joints.set(joint.name, joint);
    this.#soon();
  }

  #soon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#look();
    }, settleMs).unref();
  }

  #look(): void {
    const { inventory, remarks } = this.#options;
    const nics = [...this.#shared].flatMap((mac) => [...(this.#byMac.get(mac) ?? [])]);
    const found = findDuplicates(nics, [...this.#joints.values()]);
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

function sameNics(left: readonly PluggedNic[], right: readonly PluggedNic[]): boolean {
  return (
    left.length === right.length &&
    left.every(({ name, mac, lan }, at) => {
      const other = right[at];
      return other?.name === name && other.mac === mac && other.lan === lan;
    })
  );
}
