import type { Connection } from "../../../lib/grpc/connection.js";
import { type AnyMethod, codecOf, type ResourceMeta } from "../../../lib/kinds/codecs.js";
import { type Kind, kindNamed, type MethodRule } from "../../../lib/kinds/kinds.js";
import { findStandardMethod, requestOf, type StandardMethod, type StandardVerb } from "../../../lib/kinds/verbs.js";
import { type Operation, OperationState } from "../../../proto/gen/zor/v1/operation.js";
import { OperationServiceService } from "../../../proto/gen/zor/v1/operation_service.js";

/** A resource of any kind, as far as all kinds are alike. */
export interface AnyMeta extends ResourceMeta {
  readonly spec?: Readonly<Record<string, unknown>>;
}

/** What a page of a list has. */
export interface AnyPage {
  readonly resources: readonly AnyMeta[];
  readonly nextPageToken: string;
  readonly totalSize: number;
}

type Fields = Readonly<Record<string, unknown>>;

/** The standard methods of a kind, called by what the options in its proto files say of them: no kind is known here by name. */
export class Verbs {
  readonly kind: Kind;
  readonly #connection: Connection;
  readonly #parent: string;

  /** @param parent "hosts/h1"; "" for kinds of the hub. */
  constructor(singular: string, connection: Connection, parent: string) {
    this.kind = kindNamed(singular);
    this.#connection = connection;
    this.#parent = parent;
  }

  nameOf(id: string): string {
    return `${this.#parent === "" ? "" : `${this.#parent}/`}${this.kind.plural}/${id}`;
  }

  /** Creates a resource, and waits for its operation where there is one. */
  async create(id: string, resource: Fields, more: Fields = {}): Promise<AnyMeta> {
    const { method, rule } = this.#method("create");
    const request = {
      parent: this.#parent,
      [rule.id ?? ""]: id,
      [rule.request ?? ""]: this.#message(resource),
      ...more,
    };
    const answer = await this.#call(method, request);
    if (rule.response !== "operation") return this.#resource(answer, rule);
    if (more["validateOnly"] !== true) await this.#finish(answer["operation"] as Operation);
    return more["validateOnly"] === true ? ({ name: this.nameOf(id) } as AnyMeta) : this.get(id);
  }

  async get(id: string): Promise<AnyMeta> {
    const { method, rule } = this.#method("get");
    return this.#resource(await this.#call(method, { name: this.nameOf(id) }), rule);
  }

  async list(more: Fields = {}): Promise<AnyPage> {
    const { method, rule } = this.#method("list");
    const answer = await this.#call(method, { parent: this.#parent, ...more });
    const { nextPageToken, totalSize } = answer as unknown as AnyPage;
    return { resources: answer[rule.response ?? ""] as readonly AnyMeta[], nextPageToken, totalSize };
  }

  async update(id: string, change: Fields, more: Fields = {}): Promise<AnyMeta> {
    const { method, rule } = this.#method("update");
    const request = { [rule.request ?? ""]: this.#message({ name: this.nameOf(id), ...change }), ...more };
    return this.#resource(await this.#call(method, request), rule);
  }

  async delete(id: string, more: Fields = {}): Promise<void> {
    const { method } = this.#method("delete");
    const answer = await this.#call(method, { name: this.nameOf(id), ...more });
    if (answer["operation"] !== undefined && more["validateOnly"] !== true)
      await this.#finish(answer["operation"] as Operation);
  }

  #message(partial: Fields): unknown {
    return codecOf(this.kind.singular).fromPartial(partial);
  }

  #method(verb: StandardVerb): StandardMethod {
    const found = findStandardMethod(this.kind.singular, verb);
    if (found === undefined) throw new Error(`${this.kind.plural} have no method to ${verb} them`);
    return found;
  }

  async #call(method: AnyMethod, fields: Fields): Promise<Fields> {
    return (await this.#connection.unary(method, requestOf(method, fields), { timeoutMs: 60_000 })) as Fields;
  }

  #resource(answer: Fields, rule: MethodRule): AnyMeta {
    return answer[rule.response ?? ""] as AnyMeta;
  }

  async #finish(operation: Operation): Promise<void> {
    const request = { name: operation.name, timeout: { seconds: 15n, nanos: 0 } };
    const { operation: ended } = await this.#connection.unary(OperationServiceService.waitOperation, request);
    if (ended?.state !== OperationState.OPERATION_STATE_SUCCEEDED) {
      throw new Error(`${operation.verb} of ${operation.target}: ${ended?.error?.message ?? "not ended"}`);
    }
  }
}
