import { randomBytes } from "node:crypto";
import { BlockList, isIP } from "node:net";
import { failedPrecondition, invalidArgument, resourceExhausted } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { visitNetns } from "../../../lib/net/visit-netns.js";
import { uninterrupted } from "../../../lib/uninterrupted.js";
import { Nic } from "../../../proto/gen/zor/v1/instance.js";
import type { CallOptions } from "../../drivers/driver.js";
import { type Dialled, dial } from "../../network/dial.js";
import type { FromServer } from "../../network/socket-stream.js";
import type { InstanceNetworks, NetworkOwner } from "../../network/instance-networks.js";
import { findLink, ip } from "../../network/ip.js";

/** What is asked of a neighbour. */
export interface Visit extends CallOptions {
  /** Resource name of the instance that is visited. */
  readonly resource: string;
  /** Its NICs; plugged ones have a lan. */
  readonly nics: readonly Nic[];
  /** Name of the NIC to come through; "": the one that has the address, else the first that is plugged. */
  readonly through: string;
  /** "": the address that the specification gives, else the one that the guest shows. */
  readonly address: string;
}

/** A throw-away net namespace that is plugged into a guest's lan. */
interface Neighbour {
  readonly owner: NetworkOwner;
  readonly netns: string;
  readonly target: string;
}

/**
 * What is taken for the prefix of an address that is known without. Its guest may have a longer one and must find the way back: an address
 * next to its own is in all of them.
 */
const [usualPrefix4, usualPrefix6] = [24, 64];
const nearby = [29, 28, 27, 26, 25, 24];
const learnMs = 8000;
/** Each is a net namespace with a device in a lan. */
const maxNeighbours = 64;
const device = "eth0";

/**
 * Connects to guests as another machine of their lan would: what has no agent, or nothing that could connect from inside, is reached by its
 * address from a net namespace that has a free address of its subnet for as long as there are connections. What a killed agent left is swept
 * with all that belongs to no instance when the next one starts.
 */
export class Neighbours {
  readonly #networks: InstanceNetworks;
  /** By instance, NIC and address: connections at the same time share one. */
  readonly #there = new Map<string, { readonly neighbour: Promise<Neighbour>; users: number }>();

  constructor(networks: InstanceNetworks) {
    this.#networks = networks;
  }

  /** @throws {ZorError} FAILED_PRECONDITION when it has no plugged NIC, no known address, or there is no free one beside it. */
  async *connect(visit: Visit, to: Pick<Dialled, "port" | "input">): AsyncGenerator<FromServer> {
    const { resource, signal } = visit;
    const nic = chooseNic(visit);
    const key = JSON.stringify([resource, nic.name, nic.lan, visit.address]);
    if (!this.#there.has(key) && this.#there.size >= maxNeighbours) {
      const message = `${resource}: the host visits ${maxNeighbours} places in its lans already; end some connections first`;
      throw resourceExhausted("TOO_MANY_NEIGHBOURS", message, resource);
    }
    const shared = this.#there.get(key) ?? { neighbour: this.#make(visit, nic), users: 0 };
    this.#there.set(key, shared);
    shared.users += 1;
    try {
      const { netns, target } = await shared.neighbour;
      signal.throwIfAborted();
      const { createStreamSocket } = await import("../../../lib/net/socket-calls.js");
      const fd = visitNetns(netns, () => createStreamSocket(isIP(target) === 6 ? "ipv6" : "ipv4"));
      if (fd === undefined) throw failedPrecondition("NO_NEIGHBOUR", resource, `${resource}: its neighbour is gone`);
      yield* dial(fd, { ...to, address: target }, { signal, resource, from: `through lan ${nic.lan}` });
    } finally {
      shared.users -= 1;
      if (shared.users === 0) {
        this.#there.delete(key);
        const made = await shared.neighbour.catch(() => undefined);
        if (made !== undefined) await this.#networks.release(made.owner, { signal: uninterrupted });
      }
    }
  }

  async #make(visit: Visit, nic: Nic): Promise<Neighbour> {
    // Whoever asked first may go while others still want it: making it is short, and is not given up.
    const signal = uninterrupted;
    const uid = `neighbour-${randomBytes(8).toString("hex")}`;
    const mac = ["02", ...(randomBytes(5).toString("hex").match(/../g) ?? [])].join(":");
    const nics = [Nic.fromPartial({ name: device, mac, lan: nic.lan })];
    const owner: NetworkOwner = { name: `${visit.resource}/neighbours/${uid}`, uid, model: "join", nics };
    await using undo = new AsyncDisposableStack();
    undo.defer(() => this.#networks.release(owner, { signal }));
    const { netns } = await this.#networks.prepare(owner, { signal });
    const link = await findLink(device, { netns, signal });
    if (link === undefined) throw new Error(`${netns} has no ${device}`);
    const near = { netns, ifindex: link.ifindex, mac };
    const target = visit.address || firstAddress(nic) || (await this.#learn(visit, nic, near));
    const subnet = subnetOf(target, nic.addresses);
    const taken = [target, ...nic.addresses.map((each) => each.replace(/\/.*$/, ""))];
    const { findFreeAddress } = await import("../../network/free-address.js");
    let own = isIP(target) === 6 ? randomAddress6(subnet) : undefined;
    for (const prefix of isIP(target) === 4 ? subnet.places : []) {
      own ??= await findFreeAddress(near, { network: target, prefix, taken }, { signal });
    }
    if (own === undefined) {
      const where = `${target}/${subnet.prefix}`;
      throw failedPrecondition(
        "NO_FREE_ADDRESS",
        visit.resource,
        `${visit.resource}: no address of the subnet of ${where} is free to come from; give the NIC its address with a shorter prefix`,
      );
    }
    const nodad = isIP(target) === 6 ? ["nodad"] : [];
    await ip(["address", "replace", `${own}/${subnet.prefix}`, "dev", device, ...nodad], { netns, signal });
    undo.move();
    return { owner, netns, target };
  }

  async #learn(
    { resource }: Visit,
    nic: Nic,
    near: { readonly netns: string; readonly ifindex: number; readonly mac: string },
  ): Promise<string> {
    const { learnAddress } = await import("../../network/free-address.js");
    const learned = await learnAddress(near, nic.mac, { signal: uninterrupted, limitMs: learnMs });
    if (learned !== undefined) return learned;
    throw failedPrecondition(
      "NO_ADDRESS",
      resource,
      `${resource}: the specification gives NIC ${nic.name} no address, and the guest showed none on lan ${nic.lan} in ${learnMs / 1000} s; say which: --to ADDRESS`,
    );
  }
}

/** The NIC to come through. @throws {ZorError} INVALID_ARGUMENT, FAILED_PRECONDITION */
function chooseNic({ nics, through, address, resource }: Visit): Nic {
  if (address !== "" && !isVisitable(address)) {
    throw invalidArgument("open.address", `${address} cannot be reached from a lan; give the address of a NIC`);
  }
  const named = nics.find(({ name }) => name === through);
  if (through !== "" && named === undefined)
    throw invalidArgument("open.nic", `${resource} has no NIC ${quote(through)}`);
  const plugged = nics.filter(({ lan }) => lan !== "");
  const fitting = plugged.find((nic) => nic.addresses.some((cidr) => contains(cidr, address)));
  const nic = named ?? fitting ?? plugged[0];
  if (nic === undefined || nic.lan === "") {
    const which = nic === undefined ? "none of its NICs" : `its NIC ${nic.name} not`;
    throw failedPrecondition(
      "NOT_PLUGGED",
      resource,
      `${resource}: ${which} is in a lan that it could be reached through`,
    );
  }
  return nic;
}

function isVisitable(address: string): boolean {
  return !/^(0\.|127\.|22[4-9]\.|23\d\.|255\.|::1?$|ff|fe[89ab])/i.test(address);
}

function firstAddress({ addresses }: Nic): string {
  return addresses.map((cidr) => cidr.replace(/\/.*$/, "")).find(isVisitable) ?? "";
}

interface Subnet {
  readonly address: string;
  readonly prefix: number;
  /** Where to look for an address of IPv4, by prefix. */
  readonly places: readonly number[];
}

function subnetOf(address: string, addresses: readonly string[]): Subnet {
  const own = addresses.find((cidr) => contains(cidr, address));
  const known = own === undefined ? undefined : Number(own.split("/")[1]);
  const prefix = known ?? (isIP(address) === 6 ? usualPrefix6 : usualPrefix4);
  return { address, prefix, places: known === undefined ? nearby : [known] };
}

function contains(cidr: string, address: string): boolean {
  const [network = "", prefix = ""] = cidr.split("/");
  if (isIP(address) === 0 || isIP(network) !== isIP(address)) return false;
  const family = isIP(address) === 6 ? "ipv6" : "ipv4";
  const list = new BlockList();
  list.addSubnet(network, Number(prefix), family);
  return list.check(address, family);
}

/** An address of a subnet that is large enough for nobody to have the same by chance. */
function randomAddress6({ address, prefix }: Subnet): string | undefined {
  const host = 128 - prefix;
  if (host < 32) return undefined;
  const random = BigInt(`0x${randomBytes(16).toString("hex")}`) & ((1n << BigInt(host)) - 1n);
  const number = ((toBig(address) >> BigInt(host)) << BigInt(host)) | random;
  return number.toString(16).padStart(32, "0").match(/.{4}/g)?.join(":") ?? undefined;
}

function toBig(address: string): bigint {
  // The URL parser writes an address in its shortest form, an embedded IPv4 address in hexadecimal.
  const short = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [head = "", tail = ""] = short.split("::");
  const [front, back] = [head, tail].map((half) => (half === "" ? [] : half.split(":")));
  const [left, right] = [front ?? [], back ?? []];
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => "0");
  return [...left, ...zeros, ...right].reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}
