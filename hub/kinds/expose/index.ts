import { failedPrecondition } from "../../../lib/errors.js";
import { parseOnHost } from "../../../lib/names.js";
import { Expose, ExposeSpec, ExposeStatus } from "../../../proto/gen/zor/v1/expose.js";
import { HostState } from "../../../proto/gen/zor/v1/host.js";
import { findInstance } from "../../kit/find-instance.js";
import type { HubKind, HubParts } from "../../kit/hub-kind.js";
import { type HubResources, hubHandlers } from "../../kit/hub-resources.js";
import { decodeRow, encodeRow } from "../../kit/stored-row.js";
import type { Change } from "../../store/store.js";
import { checkExposeChange, checkExposeFields, refusalOf } from "./expose-check.js";
import { Exposes, isStart } from "./exposes.js";
import { choosePlace } from "./places.js";

const collection = "exposes";

/** Exposes: ports of the hub's machine that lead to servers inside instances. */
export const exposeKind: HubKind = {
  kind: "expose",
  create: (parts) => {
    const { store, inventory, fleet, references } = parts;
    const exposes = new Exposes(parts);
    fleet.onChange((host) => {
      if (inventory.log.find("host", `hosts/${host}`)?.state === HostState.HOST_STATE_READY) exposes.hostReady(host);
    });
    references.add("expose", {
      of: (name) => exposes.onHost(name),
      planRemoval: (names) => names.map(removal),
      removed: (names) => {
        for (const name of names) exposes.removed(name);
      },
    });
    return {
      handlers: hubHandlers(parts, exposeResources(parts, exposes)),
      load: async () => {
        for (const { value } of await store.list(collection)) {
          const { message, changedBy } = decodeRow(value);
          exposes.load({ value: Expose.decode(message), changedBy });
        }
        inventory.log.follow(["instance"], {
          changed: ({ value: { name } }, before) => {
            if (!exposes.isObstructed(name)) return;
            const [was, is] = [before?.value, inventory.log.find("instance", name)];
            // Kept as an instance.
            if (is !== undefined && isStart(was as typeof is | undefined, is)) exposes.instanceRuns(name);
          },
          removed: () => undefined,
        });
      },
      serving: () => exposes.serving(),
      close: async () => exposes.close(),
    };
  },
};

function exposeResources(parts: HubParts, exposes: Exposes): HubResources<Expose> {
  const { addresses, exposeListen, inventory } = parts;
  return {
    kind: "expose",
    find: (name) => exposes.find(name),
    view: (name) => exposes.view(name),
    list: () => inventory.log.list("expose"),
    check: async (wanted, name, before) => {
      const spec = checkExposeFields(name, wanted);
      if (before !== undefined) checkExposeChange(name, before.spec ?? ExposeSpec.fromPartial({}), spec);
      const { host } = parseOnHost("expose.spec.instance", spec.instance, "instances");
      if (before !== undefined && isSameServer(before.spec, spec)) return { value: { ...wanted, spec } };
      const there = await findInstance(parts, host, spec.instance);
      const isOther = before !== undefined && before.status?.instanceUid !== there.uid;
      const why = isOther ? `another instance has the name of ${spec.instance} now` : refusalOf(spec, there);
      if (why !== "") throw failedPrecondition("NOT_ITS_SERVER", name, why);
      if (before !== undefined) return { value: { ...wanted, spec } };
      const listen = await choosePlace({
        ...{ name, listen: spec.listen, allowed: exposeListen },
        isOwn: (address) => addresses.isOwn(address),
        holderOf: (address) => exposes.holderOf(address),
      });
      const status = ExposeStatus.fromPartial({ listen, instanceUid: there.uid });
      return { value: { ...wanted, spec, status }, admit: () => exposes.admit(name, listen) };
    },
    toRecord: (value, changedBy, before) => {
      const { listen = "", instanceUid = "" } = value.status ?? {};
      const creator = before === undefined ? changedBy : (before.value.status?.creator ?? "");
      return { value: { ...value, status: ExposeStatus.fromPartial({ listen, instanceUid, creator }) }, changedBy };
    },
    preview: (record) => exposes.preview(record),
    planPut: ({ value, changedBy }, before) => {
      const row = encodeRow({ message: Expose.encode(value).finish(), changedBy });
      const change = { type: "put", collection, key: keyOf(value.name), value: row } as const;
      return [before === undefined ? { ...change, expect: 0n } : change];
    },
    put: (record) => exposes.put(record),
    planRemoval: (name) => [removal(name)],
    removed: (name) => exposes.removed(name),
  };
}

/** A change of limits and labels needs nobody: hosts may be away. */
function isSameServer(before: ExposeSpec | undefined, after: ExposeSpec): boolean {
  return (["port", "address", "nic"] as const).every((field) => before?.[field] === after[field]);
}

function removal(name: string): Change {
  return { type: "delete", collection, key: keyOf(name) };
}

function keyOf(name: string): string {
  return name.slice(collection.length + 1);
}
