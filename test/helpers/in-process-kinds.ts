import { randomUUID } from "node:crypto";
import { alreadyExists, notFound } from "../../lib/errors.js";
import { applyUpdate, changeableFields, newEtag } from "../../lib/kinds/change.js";
import { type AnyService, type Codec, codecOf, type NamedMessage, type ResourceMeta } from "../../lib/kinds/codecs.js";
import { findKindBySingular, findRule, type Kind } from "../../lib/kinds/kinds.js";
import { responseField } from "../../lib/kinds/verbs.js";
import { listPage } from "../../lib/list/list.js";
import type { WatchLog } from "../../lib/watch/watch-log.js";

/** What is done to records of any kind. */
export interface Records {
  readonly log: WatchLog;
  readonly record: (method: string, request: unknown) => void;
}

/** An update that was asked for. */
export interface RecordUpdate {
  readonly kind: string;
  readonly wanted: NamedMessage | undefined;
  readonly mask: readonly string[] | undefined;
  readonly validateOnly: boolean;
  readonly changeable?: readonly string[];
}

/** A record as an update leaves it, by the code that agents and hubs share. Who changed it before is always bob. */
export function updateRecord({ log }: Records, { kind, wanted, ...update }: RecordUpdate): NamedMessage {
  const before = wanted === undefined ? undefined : find(log, kind, wanted.name);
  if (before === undefined || wanted === undefined) throw notFound(wanted?.name ?? kind);
  const after = applyUpdate(
    {
      // All kinds that can be changed have the metadata.
      codec: codecOf(kind) as Codec<ResourceMeta>,
      before: before as ResourceMeta,
      wanted: wanted as ResourceMeta,
      mask: update.mask,
      changedBy: "zor://user/bob",
      changeable: update.changeable ?? changeableFields,
    },
    new Date(),
  );
  if (!update.validateOnly) log.upsert({ kind, value: after });
  return after;
}

/** Handlers of a service of a kind, with nothing but records. */
export function recordHandlers(service: AnyService, records: Records): Record<string, unknown> {
  return Object.fromEntries(Object.keys(service).map((name) => [name, handler(service, name, records)]));
}

function handler(service: AnyService, name: string, records: Records) {
  const method = service[name];
  const rule = method === undefined ? undefined : findRule(method.path);
  const kind = findKindBySingular(rule?.kind ?? "");
  return async (request: object): Promise<unknown> => {
    const { log } = records;
    if (rule === undefined || kind === undefined) throw new Error(`${name} has no rule`);
    const field = (of: string | undefined): unknown => responseField(request, of);
    const answer = (value: unknown): unknown => ({ [rule.response ?? ""]: value });
    const validateOnly = field("validateOnly") === true;
    switch (rule.verb) {
      case "get":
        return answer(need(log, kind, String(field("name"))));
      case "list": {
        const parent = String(field("parent") ?? "");
        const all = log.list(kind.singular).filter(({ name: each }) => isBelow(each, parent));
        // A list's request has these fields.
        const page = listPage(all, request as Parameters<typeof listPage>[1], kind.type);
        return {
          ...Object(answer(page.items)),
          nextPageToken: page.nextPageToken,
          totalSize: page.totalSize,
          unreachable: [],
        };
      }
      case "create": {
        records.record(name, request);
        const prefix = rule.route === "parent" ? `${String(field("parent"))}/` : "";
        const full = `${prefix}${kind.plural}/${String(field(rule.id))}`;
        if (find(log, kind.singular, full) !== undefined) throw alreadyExists(full);
        const wanted = field(rule.request);
        const meta = { name: full, uid: randomUUID(), etag: newEtag(), createTime: new Date(), updateTime: new Date() };
        const value = codecOf(kind.singular).fromPartial({ ...Object(wanted), ...meta });
        if (!validateOnly) log.upsert({ kind: kind.singular, value });
        return answer(value);
      }
      case "update": {
        records.record(name, request);
        const wanted = field(rule.request) as NamedMessage | undefined;
        const mask = field("updateMask") as readonly string[] | undefined;
        return answer(updateRecord(records, { kind: kind.singular, wanted, mask, validateOnly }));
      }
      case "delete":
        records.record(name, request);
        need(log, kind, String(field("name")));
        if (!validateOnly) log.remove(kind.singular, String(field("name")));
        return {};
      default:
        throw new Error(`${name} does nothing here`);
    }
  };
}

function find(log: WatchLog, kind: string, name: string): NamedMessage | undefined {
  return log.find(kind, name);
}

function need(log: WatchLog, { singular }: Kind, name: string): NamedMessage {
  const found = find(log, singular, name);
  if (found === undefined) throw notFound(name);
  return found;
}

function isBelow(name: string, parent: string): boolean {
  return parent === "hosts/-" || parent === "" || name.startsWith(`${parent}/`);
}
