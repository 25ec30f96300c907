import { status } from "@grpc/grpc-js";
import { invalidArgument, ZorError } from "../../lib/errors.js";
import { kindNamed } from "../../lib/kinds/kinds.js";
import { parseHost, parseHostParent, parseName, parseOnHost, quote, type ResourceId } from "../../lib/names.js";

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

  /** Checks the host of any name of something on a host. */
  parseHostOf(field: string, name: string): void {
    const parsed = parseName(field, name);
    if (parsed.kind === "hub") throw invalidArgument(field, `${quote(name)} is not on a host`);
    this.#assertOwn(parsed.host);
  }

  /** Checks a list's parent: this host, or "hosts/-" or "" for every host that the server has. */
  parseListParent(field: string, parent: string): void {
    const host = parseHostParent(field, parent, true);
    if (host !== "-") this.#assertOwn(host);
  }

  /** Id in "hosts/{host}/{plural}/{id}". @param kind singular. */
  parse(kind: string, field: string, name: string): ResourceId {
    const { host, id } = parseOnHost(field, name, kindNamed(kind).plural);
    this.#assertOwn(host);
    return id;
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
