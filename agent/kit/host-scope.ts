import { status } from "@grpc/grpc-js";
import { invalidArgument, ZorError } from "../../lib/errors.js";
import { parseHost, parseName, parseOnHost, quote, type ResourceId } from "../../lib/names.js";

/** Parses names in requests and refuses those of other hosts: an agent speaks only for itself. */
export class HostScope {
  readonly host: string;

  constructor(host: string) {
    this.host = host;
  }

  /** Checks "hosts/{host}". */
  parseSelf(field: string, name: string): void {
    this.#assertOwn(parseHost(field, name));
  }

  /** Checks a list's parent: this host, or "hosts/-"; "" as well where `emptyIsAll`. */
  parseListParent(field: string, parent: string, emptyIsAll = false): void {
    if (parent === "hosts/-" || (emptyIsAll && parent === "")) return;
    this.parseSelf(field, parent);
  }

  /** Id in "hosts/{host}/instances/{id}". */
  parseInstance(field: string, name: string): ResourceId {
    return this.#parse(field, name, "instances");
  }

  /** Id in "hosts/{host}/lans/{id}". */
  parseLan(field: string, name: string): ResourceId {
    return this.#parse(field, name, "lans");
  }

  /** Id in "hosts/{host}/a2bs/{id}". */
  parseA2b(field: string, name: string): ResourceId {
    return this.#parse(field, name, "a2bs");
  }

  /** Checks the name of an operation and returns it. */
  parseOperation(field: string, name: string): string {
    this.#parse(field, name, "operations");
    return name;
  }

  /** Instance and NIC in "hosts/{host}/instances/{instance}/nics/{nic}". */
  parseNic(field: string, name: string): { readonly instance: ResourceId; readonly nic: ResourceId } {
    const parsed = parseName(field, name);
    if (parsed.kind !== "nic") {
      throw invalidArgument(
        field,
        `${quote(name)} does not have the form "hosts/{host}/instances/{instance}/nics/{nic}"`,
      );
    }
    this.#assertOwn(parsed.host);
    return parsed;
  }

  #parse(field: string, name: string, collection: "instances" | "lans" | "a2bs" | "operations"): ResourceId {
    const { host, id } = parseOnHost(field, name, collection);
    this.#assertOwn(host);
    return id;
  }

  #assertOwn(host: string): void {
    if (host === this.host) return;
    throw new ZorError({
      reason: "WRONG_HOST",
      code: status.NOT_FOUND,
      message: `hosts/${host} is not served here: this is the agent of hosts/${this.host}; ask the hub or that host's own agent`,
      resource: `hosts/${host}`,
    });
  }
}
