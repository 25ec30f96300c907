import { failedPrecondition } from "../../../lib/errors.js";
import { KeyedQueue } from "../../../lib/keyed-queue.js";
import type { Log } from "../../../lib/log.js";
import { runJson } from "../../host/exec.js";
import { toldOf } from "../../host/told.js";
import type { Bridges } from "../bridges.js";
import { destinations, HostAddresses } from "./host-addresses.js";
import type { Lease } from "./leases.js";
import { Nat } from "./nat.js";
import type { NatConfig, NatHosts } from "./nat-config.js";
import { NatDevices } from "./nat-devices.js";
import { overlaps } from "./subnet.js";

/** A nat as it is seen to be. */
export interface NatView {
  /** What is missing, for people; "": nothing. */
  readonly fault: string;
  /** What guests cannot do by how the host is set, for people; "": nothing. */
  readonly note: string;
  readonly leases: readonly Lease[];
}

/** Something that a nat has to tell. */
export interface NatNews {
  readonly uid: string;
  /** What was missing and is there again, for people; undefined: it only changed. */
  readonly repaired?: string;
}

/** The nats of a host, as their kind uses them. */
export interface NatNetworks {
  /** Makes a nat or brings it to a configuration. Idempotent; traffic goes on. @throws {ZorError} */
  ensure(config: NatConfig): Promise<void>;
  /** Removes all of a nat but its leases. Idempotent. */
  remove(uid: string): Promise<void>;
  /** Tells the names of a lan. Nothing happens to a nat that is not there. */
  setHosts(uid: string, hosts: NatHosts): Promise<void>;
  /** Undefined: it was never made. */
  find(uid: string): NatView | undefined;
  /** @throws {ZorError} FAILED_PRECONDITION when the host has a route to addresses of one of the subnets. */
  assertFree(subnets: readonly string[], resource: string): Promise<void>;
  /** Looks whether all are whole, and makes again what is missing. Never rejects. */
  heal(): Promise<void>;
  /** Has somebody told of what changes by itself. */
  follow(listener: (news: NatNews) => void): void;
  /** Looks no more; they go on. */
  close(): Promise<void>;
}

/** Routes that lead nowhere are no networks of the host. */
const nowhere = ["unreachable", "blackhole", "prohibit", "throw"];

/** The nats of a real host. */
export class Nats implements NatNetworks {
  readonly #options: { readonly netns: string; readonly agentUid: string; readonly log: Log };
  readonly #devices: NatDevices;
  readonly #addresses: HostAddresses;
  readonly #nats = new Map<string, Nat>();
  readonly #queue = new KeyedQueue();
  #tell: (news: NatNews) => void = () => undefined;
  #isClosed = false;

  /** @param options.hubs where the hub is, which guests do not reach. */
  constructor(options: {
    readonly netns: string;
    readonly agentUid: string;
    readonly lans: Pick<Bridges, "plug" | "unplug" | "find">;
    readonly udpSuperFrames: boolean;
    readonly hubs: () => Promise<readonly string[]>;
    readonly log: Log;
  }) {
    this.#options = options;
    this.#devices = new NatDevices(options);
    const onError = (error: unknown): void => options.log.error({ err: error }, "the host's addresses are not known");
    this.#addresses = new HostAddresses({ hubs: options.hubs, onChange: () => void this.#denyAll(), onError });
  }

  async ensure(config: NatConfig): Promise<void> {
    await this.#queue.run(config.uid, () => this.#need(config).bring(config));
  }

  async remove(uid: string): Promise<void> {
    await this.#queue.run(uid, async () => {
      await this.#nats.get(uid)?.remove();
      this.#nats.delete(uid);
    });
  }

  async setHosts(uid: string, hosts: NatHosts): Promise<void> {
    await this.#queue.run(uid, async () => this.#nats.get(uid)?.setHosts(hosts));
  }

  find(uid: string): NatView | undefined {
    return this.#nats.get(uid);
  }

  async assertFree(subnets: readonly string[], resource: string): Promise<void> {
    const show = ["-j", "route", "show", "table", "all"];
    const all = await Promise.all([runJson("ip", ["-4", ...show]), runJson("ip", ["-6", ...show])]);
    const routed = all.flatMap((routes) => destinations(Array.isArray(routes) ? routes.filter(leadsSomewhere) : []));
    for (const subnet of subnets) {
      const taken = routed.find((route) => overlaps(route, subnet));
      if (taken === undefined) continue;
      const message = `${resource}: the host has a route to ${taken}, so guests in ${subnet} could not reach what is there; choose another subnet`;
      throw failedPrecondition("SUBNET_ROUTED", resource, message);
    }
  }

  async heal(): Promise<void> {
    await Promise.all([...this.#nats.keys()].map((uid) => this.#heal(uid)));
  }

  follow(listener: (news: NatNews) => void): void {
    this.#tell = listener;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#addresses.close();
    await Promise.all([...this.#nats].map(([uid, nat]) => this.#queue.run(uid, async () => nat.close())));
  }

  #need(config: NatConfig): Nat {
    const present = this.#nats.get(config.uid);
    if (present !== undefined) return present;
    const { netns, agentUid } = this.#options;
    const nat: Nat = new Nat(config, {
      ...{ netns, agentUid, devices: this.#devices, addresses: this.#addresses },
      onLeases: () => this.#tell({ uid: config.uid }),
      // One that ends again and again is left to the next look.
      onExit: () => {
        if (nat.fault === "") void this.#heal(config.uid);
      },
    });
    this.#nats.set(config.uid, nat);
    return nat;
  }

  async #heal(uid: string): Promise<void> {
    if (this.#isClosed) return;
    await this.#queue
      .run(uid, async () => {
        const nat = this.#nats.get(uid);
        if (nat === undefined || this.#isClosed) return;
        await nat.tidy();
        const before = nat.fault;
        const missing =
          before === "" ? [...(await nat.missing()), await nat.lostLeases()].filter((each) => each !== "") : [before];
        if (missing.length === 0) return;
        nat.fault = missing.join("; ");
        const { name } = nat.config;
        try {
          await nat.bring(nat.config);
          this.#options.log.warn({ nat: name, missing }, "a nat was made whole again");
          this.#tell({ uid, repaired: toldOf(new Error(missing.join("; "))) });
        } catch (error) {
          if (nat.fault === before) return;
          this.#options.log.error({ err: error, nat: name }, "a nat could not be made whole again; it is tried on");
          this.#tell({ uid });
        }
      })
      // Much waits already: the next look finds it.
      .catch((error: unknown) => this.#options.log.error({ err: error, uid }, "a nat could not be looked at"));
  }

  async #denyAll(): Promise<void> {
    for (const [uid, nat] of this.#nats) {
      await this.#queue
        .run(uid, async () => (this.#nats.get(uid) === nat ? nat.deny() : undefined))
        .catch((error: unknown) => {
          // Seen at the next look, which sets them.
          nat.fault = `its rules could not be set: ${toldOf(error)}`;
          this.#options.log.error({ err: error, uid }, "a nat's rules could not be set");
        });
    }
  }
}

function leadsSomewhere(route: unknown): boolean {
  const type: unknown = typeof route === "object" && route !== null && "type" in route ? route.type : undefined;
  return typeof type !== "string" || !nowhere.includes(type);
}
