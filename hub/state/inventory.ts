import { type AnyResource, nameOf } from "../../lib/watch/kinds.js";
import { WatchLog } from "../../lib/watch/watch-log.js";
import type { Host } from "../../proto/gen/zor/v1/host.js";
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

  /** Makes or changes a resource; nothing happens when it is the same as before. */
  upsert(resource: AnyResource): void {
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
