import { failedPrecondition, invalidFields, notFound } from "../../../lib/errors.js";
import { listed } from "../../../lib/words.js";
import type { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import type { InstanceDriver } from "../../drivers/driver.js";
import { findDriver } from "../../drivers/find-driver.js";
import type { InstanceNetwork } from "../../network/instance-networks.js";
import { isNetnsOf } from "../../network/netns.js";
import { type InstanceRecord, networkOf, specOf } from "./record.js";

/** What an instance that joins the net namespace of another one finds there. */
type Found =
  | { readonly network: InstanceNetwork }
  /** Why not; `again`: it would, were it started anew. */
  | { readonly network: undefined; readonly reason: string; readonly again: boolean };

/** What a host has. */
interface DriversOfHost {
  /** Its id. */
  readonly host: string;
  readonly drivers: readonly InstanceDriver[];
}

/** Instances that live in the net namespaces of others: who in whose, and what becomes of them when those end. */
export class SharedNetworks {
  readonly #find: (id: string) => InstanceRecord | undefined;
  /** Ids of those that join a namespace, by that of whose it is. */
  readonly #joined = new Map<string, Set<string>>();
  /** Whose namespaces each joins: now, and with its next start. */
  readonly #owners = new Map<string, readonly string[]>();
  /** Runs of those whose namespaces are joined, as last seen. */
  readonly #runs = new Map<string, string>();

  constructor(find: (id: string) => InstanceRecord | undefined) {
    this.#find = find;
  }

  /** Told how an instance is now. Resolves to those that must be looked at, since the namespace that they are in may be gone. */
  seen(record: InstanceRecord): readonly string[] {
    const { id, resource } = record.stored;
    const owners = [networkOf(record, resource.spec), networkOf(record, specOf(record))].filter(
      (owner) => owner !== "",
    );
    for (const owner of this.#owners.get(id) ?? []) if (!owners.includes(owner)) this.#leave(owner, id);
    if (owners.length > 0) this.#owners.set(id, owners);
    else this.#owners.delete(id);
    for (const owner of owners) this.#joined.set(owner, (this.#joined.get(owner) ?? new Set()).add(id));
    const joined = this.#joined.get(id);
    if (joined === undefined) return [];
    const run = `${record.handle?.pid ?? ""} ${record.handle?.startTicks ?? ""} ${record.network === undefined ? "" : "known"}`;
    if (this.#runs.get(id) === run) return [];
    this.#runs.set(id, run);
    return [...joined];
  }

  /** An instance is gone. */
  forget(id: string): void {
    for (const owner of this.#owners.get(id) ?? []) this.#leave(owner, id);
    this.#owners.delete(id);
    this.#runs.delete(id);
  }

  /** Refuses what a specification says of another one's network. @throws {ZorError} */
  check({ host, drivers }: DriversOfHost, id: string, spec: InstanceSpec): void {
    const sharing = findDriver(drivers, spec)?.sharing;
    const wanted = sharing?.networkOf(spec) ?? "";
    if (sharing === undefined || wanted === "") return;
    const name = `hosts/${host}/instances/${id}`;
    const refuse = (description: string) =>
      invalidFields([{ field: `instance.spec.${sharing.field}`, description }], name);
    if (wanted === id) throw refuse("is this instance itself; leave it out");
    const owner = this.#find(wanted);
    if (owner === undefined || owner.activity === "deleting") {
      throw notFound(`hosts/${host}/instances/${wanted}`, "create it first; its network is to be joined");
    }
    const named = owner.stored.resource.name;
    if (owner.driver.network !== "join") throw refuse(`${named} is no container, so that its network cannot be joined`);
    if (sharing.kinds?.includes(owner.driver.kind) === false) {
      const theirs = listed(sharing.kinds, 3);
      throw refuse(
        `${named} is run by ${owner.driver.kind}, and only the networks of ${theirs} can be joined; name one of those`,
      );
    }
    if (networkOf(owner, owner.stored.resource.spec) !== "") {
      throw refuse(`${named} has no network of its own but joins another one's; name that`);
    }
    if (this.#joined.has(id)) throw refuse(`others join the network of ${name}, which would be gone`);
  }

  /** Refuses to have one deleted whose network others join. @throws {ZorError} FAILED_PRECONDITION */
  assertUnused({ stored }: InstanceRecord): void {
    const joined = [...(this.#joined.get(stored.id) ?? [])].flatMap((id) => this.#find(id)?.stored.resource.name ?? []);
    if (joined.length === 0) return;
    const { name } = stored.resource;
    const who = `${listed(joined, 3)}, which ${joined.length === 1 ? "joins" : "join"} its network`;
    throw failedPrecondition("INSTANCE_IN_USE", name, `${name} is in use by ${who}; delete what uses it first`);
  }

  /** The network to start an instance in that joins another one's. @throws {ZorError} FAILED_PRECONDITION when that does not run. */
  forStart(record: InstanceRecord): InstanceNetwork {
    const { name } = record.stored.resource;
    const owner = this.#find(networkOf(record, record.stored.resource.spec));
    const named = owner?.stored.resource.name ?? `${networkOf(record, record.stored.resource.spec)}, which is gone`;
    if (owner?.handle !== undefined && owner.network !== undefined) return { netns: owner.network.netns, nics: [] };
    throw failedPrecondition(
      "NETWORK_NOT_RUNNING",
      name,
      `${name} joins the network of ${named}, which does not run; start that first`,
    );
  }

  /** What a running instance that joins another one's network has of it. */
  async look(record: InstanceRecord): Promise<Found> {
    const id = networkOf(record, specOf(record));
    const owner = this.#find(id);
    const lost = (why: string, again: boolean): Found => ({
      network: undefined,
      reason: `has no network: ${why}`,
      again,
    });
    if (owner === undefined) return lost(`${id}, whose network it joined, is gone`, false);
    const { name } = owner.stored.resource;
    if (owner.handle === undefined || owner.network === undefined) {
      return lost(`${name}, whose network it joined, does not run; it is restarted when that runs again`, false);
    }
    const { netns } = owner.network;
    const isThere = record.handle !== undefined && (await isNetnsOf(netns, record.handle.pid));
    return isThere
      ? { network: { netns, nics: [] } }
      : lost(`${name}, whose network it joined, was started anew`, true);
  }

  #leave(owner: string, id: string): void {
    const joined = this.#joined.get(owner);
    joined?.delete(id);
    if (joined?.size !== 0) return;
    this.#joined.delete(owner);
    this.#runs.delete(owner);
  }
}
