import { type Codec, codecOf, type NamedMessage, type ResourceMeta } from "../../lib/kinds/codecs.js";
import { kindNamed } from "../../lib/kinds/kinds.js";
import { type Change, ownCollections } from "../store/store.js";
import type { HubKind } from "./hub-kind.js";
import { type HubRecord, type HubResources, hubHandlers } from "./hub-resources.js";
import { decodeRow, encodeRow } from "./stored-row.js";

/** What a kind that is nothing but stored says of itself; see {@link HubResources}. */
export interface StoredKindOptions<T extends ResourceMeta>
  extends Pick<HubResources<T>, "kind" | "changeable" | "remedy" | "check"> {
  /** As callers see it: with what follows from what is stored; default: as it is stored. */
  readonly view?: (stored: T) => T;
}

/** A kind of the hub whose resources are what people declare, with nothing observed of them: the kit does everything. */
export function storedKind<T extends ResourceMeta>(options: StoredKindOptions<T>): HubKind {
  const { kind } = options;
  return {
    kind,
    create: (parts) => {
      const { inventory, store } = parts;
      const { plural: collection } = kindNamed(kind);
      const isTaken = ownCollections.some((own) => own === collection);
      if (isTaken) throw new Error(`"${collection}" is what the hub keeps for itself: give the kind another plural`);
      // The codec of a kind is that of its message type, which is T.
      const codec = codecOf(kind) as Codec<NamedMessage> as Codec<T>;
      const records = new Map<string, HubRecord<T>>();
      const keyOf = (name: string): string => name.slice(collection.length + 1);
      const view = (value: T): T => options.view?.(value) ?? value;
      const put = (record: HubRecord<T>): void => {
        records.set(record.value.name, record);
        inventory.upsert({ kind, value: view(record.value) });
      };
      const resources: HubResources<T> = {
        kind,
        ...(options.changeable === undefined ? {} : { changeable: options.changeable }),
        ...(options.remedy === undefined ? {} : { remedy: options.remedy }),
        ...(options.check === undefined ? {} : { check: options.check }),
        find: (name) => records.get(name),
        view: (name) => {
          const record = records.get(name);
          return record === undefined ? undefined : view(record.value);
        },
        list: () => [...records.values()].map(({ value }) => view(value)),
        toRecord: (value, changedBy) => ({ value, changedBy }),
        preview: ({ value }) => view(value),
        planPut: ({ value, changedBy }, before) => {
          const row = encodeRow({ message: codec.encode(value).finish(), changedBy });
          const change = { type: "put", collection, key: keyOf(value.name), value: row } as const;
          return [before === undefined ? { ...change, expect: 0n } : change];
        },
        put,
        planRemoval: (name): Change[] => [{ type: "delete", collection, key: keyOf(name) }],
        removed: (name) => {
          records.delete(name);
          inventory.log.remove(kind, name);
        },
      };
      return {
        handlers: hubHandlers(parts, resources),
        load: async () => {
          for (const { value } of await store.list(collection)) {
            const { message, changedBy } = decodeRow(value);
            put({ value: codec.decode(message), changedBy });
          }
        },
      };
    },
  };
}
