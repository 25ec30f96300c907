import { randomUUID } from "node:crypto";
import { checkedOperation } from "../../lib/checked-operation.js";
import { alreadyExists, failedPrecondition, invalidArgument, invalidFields, notFound } from "../../lib/errors.js";
import { nothingToTell } from "../../lib/events/call-trail.js";
import type { CallContext } from "../../lib/grpc/service.js";
import { KeyedQueue } from "../../lib/keyed-queue.js";
import { applyUpdate, changeableFields, changedFields, newEtag } from "../../lib/kinds/change.js";
import {
  type AnyMethod,
  allServices,
  type Codec,
  codecOf,
  type NamedMessage,
  type ResourceMeta,
} from "../../lib/kinds/codecs.js";
import { findRule, type Kind, kindNamed, type MethodRule } from "../../lib/kinds/kinds.js";
import { pack } from "../../lib/kinds/resource.js";
import { checkAnnotations, checkLabels } from "../../lib/labels.js";
import type { ListRequest } from "../../lib/list/list.js";
import { parseId, parseName, quote } from "../../lib/names.js";
import { listed } from "../../lib/words.js";
import type { Change } from "../store/store.js";
import type { AnyHandler, KindHandlers } from "./handlers.js";
import type { HubParts } from "./hub-kind.js";
import { mutate } from "./mutate.js";
import { type ResourceChange, recordChange } from "./record-change.js";

/** A resource that lives on the hub, as it is stored. */
export interface HubRecord<T extends ResourceMeta> {
  /** Without what is observed. */
  readonly value: T;
  /** Identity of the caller who made it so. */
  readonly changedBy: string;
}

/** What a check says of a resource that may be stored. */
export interface Checked<T extends ResourceMeta> {
  /** In the form that is stored. */
  readonly value: T;
  /** Checks it against all others, while none of them is made. @throws {ZorError} */
  readonly admit?: () => void;
}

/** The resources of a kind that lives on the hub, and what is special about them. */
export interface HubResources<T extends ResourceMeta, R extends HubRecord<T> = HubRecord<T>> {
  /** Singular. */
  readonly kind: string;
  /** Proto paths of what an update may change; default: labels, annotations, spec. */
  readonly changeable?: readonly string[];
  /** Completes the message that there is none of a name: 'list the links with "zor get links"'. */
  readonly remedy?: string;
  /** Creating one, deleting one: an operation, whose work the kind adds to those of the hub; default: done when the call returns. */
  readonly longWork?: boolean;

  find(name: string): R | undefined;
  /** As callers see it, with what is observed. */
  view(name: string): T | undefined;
  /** All, as callers see them. */
  list(): readonly T[];
  /**
   * Checks what is to be stored; labels and annotations are checked already. May ask hosts.
   * @param before as it is; undefined: it is to be made. @throws {ZorError} for what is wrong with it.
   */
  check?(wanted: T, name: string, before: T | undefined): Checked<T> | Promise<Checked<T>>;
  /** @throws {ZorError} when it cannot be changed now. */
  checkChangeable?(record: R): void;
  /** What to do about a name that is taken by this one; default: choose another. */
  whyTaken?(record: R): string;
  /** What is stored of it. */
  toRecord(value: T, changedBy: string, before: R | undefined): R;
  /** As callers will see it once it is stored. */
  preview(record: R): T;
  /** The changes that store it, `before` being what is stored now. Commit them, then call {@link put}. */
  planPut(record: R, before: R | undefined): readonly Change[];
  put(record: R): void | Promise<void>;
  /** The changes that take it out, or with long work begin to; commit them, then call {@link removed}. */
  planRemoval(name: string): readonly Change[];
  removed(name: string): void;
}

type Fields = Readonly<Record<string, unknown>>;
type Mutation = Fields & { readonly requestId: string; readonly validateOnly: boolean };

/** One is made after the other: only then can none of two be admitted that do not go together. */
const creations = "creations";

/**
 * Handlers of the standard methods of a kind that lives on the hub, by path: Create, Get, List, Update and Delete, each if its service has it, with
 * request ids, validate_only, masks, etags, events and operations as everywhere.
 */
export function hubHandlers<T extends ResourceMeta, R extends HubRecord<T>>(
  parts: HubParts,
  resources: HubResources<T, R>,
): KindHandlers {
  const made = new HubMethods(parts, resources);
  const methods = allServices().flatMap(([, definition]) => Object.values(definition));
  return Object.fromEntries(
    methods.flatMap((method) => {
      const rule = findRule(method.path);
      const handler = rule?.kind === resources.kind ? made.handler(method, rule) : undefined;
      return handler === undefined ? [] : [[method.path, handler] as const];
    }),
  );
}

class HubMethods<T extends ResourceMeta, R extends HubRecord<T>> {
  readonly #parts: HubParts;
  readonly #resources: HubResources<T, R>;
  readonly #kind: Kind;
  readonly #codec: Codec<T>;
  readonly #queue = new KeyedQueue(1000);

  constructor(parts: HubParts, resources: HubResources<T, R>) {
    this.#parts = parts;
    this.#resources = resources;
    this.#kind = kindNamed(resources.kind);
    // The codec of a kind is that of its message type, which is T.
    this.#codec = codecOf(resources.kind) as Codec<NamedMessage> as Codec<T>;
  }

  handler(method: AnyMethod, rule: MethodRule): AnyHandler | undefined {
    const mutation =
      (work: (request: Mutation, call: Call) => Promise<unknown>): AnyHandler =>
      (request: Mutation, context) => {
        const { store, requests } = this.#parts;
        return mutate({ store, requests, method, request, context }, (commit) =>
          work(request, { context, commit: (changes, answer) => commit(changes, answer) }),
        );
      };
    switch (rule.verb) {
      case "create":
        return mutation((request, call) => this.#create(rule, request, call));
      case "update":
        return mutation((request, call) => this.#update(rule, request, call));
      case "delete":
        return mutation((request, call) => this.#delete(request, call));
      case "get":
        return (request: { readonly name: string }) => this.#get(rule, request.name);
      case "list":
        return (request: ListRequest) => this.#list(rule, request);
      case "custom":
        return undefined;
    }
  }

  async #get({ response = "" }: MethodRule, name: string): Promise<Fields> {
    this.#parse("name", name);
    const found = this.#resources.view(name);
    if (found === undefined) throw this.#none(name);
    return { [response]: found };
  }

  async #list({ response = "" }: MethodRule, request: ListRequest): Promise<Fields> {
    const { items, ...page } = this.#parts.lister.page(this.#resources.list(), request, this.#kind.type);
    return { ...page, [response]: items };
  }

  async #create(rule: MethodRule, request: Mutation, call: Call): Promise<unknown> {
    const { request: field = "", id: idField = "", response = "" } = rule;
    const resources = this.#resources;
    const id = parseId(`${this.#kind.singular}_id`, String(request[idField]));
    const name = `${this.#kind.plural}/${id}`;
    const blank = this.#codec.fromPartial({});
    // The field of that name holds a resource of this kind.
    const given = { ...((request[field] ?? blank) as T), etag: "" };
    const wanted = this.#updated({ wanted: given, before: { value: blank, changedBy: "" }, mask: undefined });
    this.#checkMeta(name, wanted);
    this.#checkFree(name);
    const checked = (await resources.check?.(wanted, name, undefined)) ?? { value: wanted };
    return this.#queue.run(creations, async () => {
      this.#checkFree(name);
      checked.admit?.();
      const now = new Date();
      const meta = { name, uid: randomUUID(), etag: newEtag(), createTime: now, updateTime: now };
      const value = this.#codec.fromPartial({ ...checked.value, ...meta });
      const record = resources.toRecord(value, call.context.caller.identity, undefined);
      const begin = { verb: `${this.#kind.singular}.create`, name, request };
      const answer = await this.#do(begin, call, {
        changes: () => resources.planPut(record, undefined),
        after: () => resources.preview(record),
        answer: (after) => ({ [response]: after }),
        apply: () => resources.put(record),
      });
      if (!request.validateOnly) this.#record("created", name, call);
      return answer;
    });
  }

  async #update(rule: MethodRule, request: Mutation, call: Call): Promise<unknown> {
    const { request: field = "", response = "" } = rule;
    const resources = this.#resources;
    // The field of that name holds a resource of this kind.
    const wanted = request[field] as T | undefined;
    if (wanted === undefined) throw invalidArgument(this.#kind.singular, "must be given");
    const { name } = wanted;
    this.#parse(`${this.#kind.singular}.name`, name);
    return this.#queue.run(name, async () => {
      const before = this.#existing(name);
      resources.checkChangeable?.(before);
      const updated = this.#updated({ wanted, before, mask: request["updateMask"] });
      this.#checkMeta(name, updated);
      const checked = (await resources.check?.(updated, name, before.value)) ?? { value: updated };
      checked.admit?.();
      const isSame = updated === before.value;
      const changedBy = isSame ? before.changedBy : call.context.caller.identity;
      const record = resources.toRecord(checked.value, changedBy, before);
      const answer = { [response]: resources.preview(record) };
      if (request.validateOnly) return answer;
      const sent = await call.commit(isSame ? [] : resources.planPut(record, before), answer);
      if (isSame) {
        nothingToTell();
        return sent;
      }
      await resources.put(record);
      this.#record("updated", name, call, changedFields(this.#codec, before.value, checked.value));
      return sent;
    });
  }

  async #delete(request: Mutation, call: Call): Promise<unknown> {
    const resources = this.#resources;
    const name = String(request["name"]);
    this.#parse("name", name);
    return this.#queue.run(name, async () => {
      this.#existing(name);
      const dependents = this.#parts.references.dependentsOf(name);
      if (dependents.names.length > 0) throw inUse(name, dependents.names);
      const answer = await this.#do({ verb: `${this.#kind.singular}.delete`, name, request }, call, {
        changes: () => resources.planRemoval(name),
        after: () => undefined,
        answer: () => ({}),
        apply: () => resources.removed(name),
      });
      // Of long work its end is what happened, and the operation tells of it.
      if (!request.validateOnly && resources.longWork !== true) this.#record("deleted", name, call);
      return answer;
    });
  }

  /** Does what was asked for: only checks it, does it at once, or begins an operation. */
  async #do({ verb, name, request }: Begun, call: Call, steps: Steps<T>): Promise<unknown> {
    const { kind, longWork = false } = this.#resources;
    if (request.validateOnly) {
      const after = steps.after();
      if (!longWork) return steps.answer(after);
      const result = after === undefined ? undefined : pack({ kind, value: after });
      return { operation: checkedOperation(verb, name, result) };
    }
    if (!longWork) {
      const answer = await call.commit(steps.changes(), steps.answer(steps.after()));
      await steps.apply();
      return answer;
    }
    const planned = { verb, target: name, requestId: request.requestId, caller: call.context.caller.identity };
    return this.#parts.operations.begin(
      planned,
      (more, operation) => call.commit([...steps.changes(), ...more], { operation }),
      () => steps.apply(),
    );
  }

  /** What is wanted of a resource: of all else that the request holds nothing counts. */
  #updated({ wanted, before, mask }: { wanted: T; before: HubRecord<T>; mask: unknown }): T {
    const { codec, changeable } = { codec: this.#codec, changeable: this.#resources.changeable ?? changeableFields };
    // ts-proto gives the paths of a field mask.
    const paths = mask as readonly string[] | undefined;
    const { value, changedBy } = before;
    return applyUpdate({ codec, before: value, changedBy, wanted, mask: paths, changeable }, new Date());
  }

  #existing(name: string): R {
    const record = this.#resources.find(name);
    if (record === undefined) throw this.#none(name);
    return record;
  }

  #checkFree(name: string): void {
    const same = this.#resources.find(name);
    if (same === undefined) return;
    throw alreadyExists(name, this.#resources.whyTaken?.(same) ?? "choose another name");
  }

  #checkMeta(name: string, { labels, annotations }: T): void {
    const field = this.#kind.singular;
    const violations = [
      ...checkLabels(`${field}.labels`, labels),
      ...checkAnnotations(`${field}.annotations`, annotations),
    ];
    if (violations.length > 0) throw invalidFields(violations, name);
  }

  #parse(field: string, name: string): void {
    const { plural, singular } = this.#kind;
    const parsed = parseName(field, name);
    const isOurs = parsed.kind === "hub" ? parsed.collection === plural : parsed.kind === "host" && plural === "hosts";
    if (!isOurs) throw invalidArgument(field, `${quote(name)} does not have the form "${plural}/{${singular}}"`);
  }

  #none(name: string): ReturnType<typeof notFound> {
    const { remedy = `list the ${this.#kind.plural} with "zor get ${this.#kind.plural}"` } = this.#resources;
    return notFound(name, remedy);
  }

  #record(what: ResourceChange["what"], name: string, { context }: Call, fields = ""): void {
    const { kind } = this.#resources;
    recordChange(this.#parts.inventory.log, { kind, name, what, fields, caller: context.caller.identity });
  }
}

/** A call, and how what it changes is made durable with its answer. */
interface Call {
  readonly context: CallContext;
  readonly commit: (changes: readonly Change[], answer: unknown) => Promise<unknown>;
}

interface Begun {
  readonly verb: string;
  readonly name: string;
  readonly request: Mutation;
}

interface Steps<T> {
  readonly changes: () => readonly Change[];
  /** The resource as it will be; undefined: it will not. */
  readonly after: () => T | undefined;
  readonly answer: (after: T | undefined) => Fields;
  readonly apply: () => void | Promise<void>;
}

function inUse(name: string, users: readonly string[]): ReturnType<typeof failedPrecondition> {
  return failedPrecondition(
    "IN_USE",
    name,
    `${listed(users, 5)} cannot be without ${name}: delete what needs it first`,
  );
}
