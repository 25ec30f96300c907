import { type AnyResource, nameOf } from "../../lib/watch/kinds.js";
import { WatchLog } from "../../lib/watch/watch-log.js";
import type { Host } from "../../proto/gen/zor/v1/host.js";
import { type Lan, LanStatus } from "../../proto/gen/zor/v1/lan.js";
import { Resource, ResourceKind } from "../../proto/gen/zor/v1/watch_service.js";

/** Kinds of resources that live on a host and of which a resync tells the whole. */
const hostKinds = [
  ResourceKind.RESOURCE_KIND_INSTANCE,
  ResourceKind.RESOURCE_KIND_LAN,
  ResourceKind.RESOURCE_KIND_A2B,
  ResourceKind.RESOURCE_KIND_OPERATION,
] as const;

/**
 * Everything the hub has observed, under the names the agents use, with the hub's own epoch and revision. It is in memory only
 * and rebuilt from the agents. What is known of a host that does not answer stays.
 */
export class Inventory {
  readonly log = new WatchLog();
  /** By lan: what the hub has to say of it beside its agent, and what the agent said itself. */
  readonly #remarks = new Map<string, { readonly remark: string; reported: Lan | undefined }>();

  /** Makes or changes a resource; nothing happens when it is the same as before. */
  upsert(told: AnyResource): void {
    const resource = told.$case === "lan" ? { $case: told.$case, value: this.remarked(told.value) } : told;
    const known = this.log.find(resource.$case, nameOf(resource));
    // The case of the known resource is the case it was looked up by.
    if (known !== undefined && same({ $case: resource.$case, value: known } as AnyResource, resource)) return;
    this.log.upsert(resource);
  }

  /** Removes the resources of a host that are not among `names`. Events are history and stay. */
  retainOnly(host: string, names: ReadonlySet<string>): void {
    const prefix = `hosts/${host}/`;
    for (const kind of hostKinds) {
      for (const name of this.#namesOf(kind)) {
        if (name.startsWith(prefix) && !names.has(name)) this.log.remove(kind, name);
      }
    }
  }

  /** A lan with what the hub has to say of it. */
  remarked(lan: Lan): Lan {
    const known = this.#remarks.get(lan.name);
    if (known === undefined) return lan;
    known.reported = lan;
    const reason = [lan.status?.reason ?? "", known.remark].filter((text) => text !== "").join("; ");
    return { ...lan, status: LanStatus.fromPartial({ ...lan.status, reason }) };
  }

  /** What the hub has to say of lans, by name, instead of what it had before. */
  remarkLans(remarks: ReadonlyMap<string, string>): void {
    for (const name of new Set([...this.#remarks.keys(), ...remarks.keys()])) {
      const [before, remark] = [this.#remarks.get(name), remarks.get(name)];
      if (before?.remark === remark) continue;
      const reported = before?.reported ?? this.log.find("lan", name);
      if (remark === undefined) this.#remarks.delete(name);
      else this.#remarks.set(name, { remark, reported });
      if (reported !== undefined && this.log.find("lan", name) !== undefined) {
        this.upsert({ $case: "lan", value: reported });
      }
    }
  }

  /** Forgets a host and all that is on it. */
  removeHost(host: string): void {
    this.retainOnly(host, new Set());
    this.log.remove(ResourceKind.RESOURCE_KIND_HOST, `hosts/${host}`);
  }

  setHost(host: Host): void {
    this.upsert({ $case: "host", value: host });
  }

  #namesOf(kind: (typeof hostKinds)[number]): string[] {
    switch (kind) {
      case ResourceKind.RESOURCE_KIND_INSTANCE:
        return this.log.list("instance").map(({ name }) => name);
      case ResourceKind.RESOURCE_KIND_LAN:
        return this.log.list("lan").map(({ name }) => name);
      case ResourceKind.RESOURCE_KIND_A2B:
        return this.log.list("a2b").map(({ name }) => name);
      case ResourceKind.RESOURCE_KIND_OPERATION:
        return this.log.list("operation").map(({ name }) => name);
    }
  }
}

function same(left: AnyResource, right: AnyResource): boolean {
  const encode = (resource: AnyResource): Uint8Array => Resource.encode({ resource }).finish();
  return Buffer.compare(encode(left), encode(right)) === 0;
}
