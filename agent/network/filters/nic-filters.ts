import { createHash } from "node:crypto";
import { KeyedQueue } from "../../../lib/keyed-queue.js";
import type { Log } from "../../../lib/log.js";
import type { PortFilter } from "../../../proto/gen/zor/v1/acl.js";
import type { GetLanFiltersResponse } from "../../../proto/gen/zor/v1/lan_service.js";
import type { CountedFlows } from "../flows/flow-keeper.js";
import type { FlowBuild } from "../flows/flow-set.js";
import { compileFilters, type FilteredNic, type LanFilters, numbersOf } from "./compile-filter.js";
import { countFilters } from "./count-filters.js";

/** A NIC that is plugged into a lan, and what its filter says. */
export interface NicFilter {
  readonly lan: string;
  /** Resource name of the NIC. */
  readonly endpoint: string;
  readonly mac: string;
  /** With prefix length. */
  readonly addresses: readonly string[];
  readonly filter: PortFilter;
}

/** Who knows the instances of the host. */
export interface FilterSource {
  /** Addresses of the instances for which an expression holds. */
  addressesOf(expression: string): readonly string[];
  /** Addresses that were heard of a NIC. */
  heardOf(endpoint: string): readonly string[];
}

/** What filters need of a switch. */
export interface FilterSwitch {
  readonly flows: {
    set(lan: string, part: "acl", build: FlowBuild | undefined): Promise<void>;
    count(lan: string, part: "acl"): Promise<CountedFlows | undefined>;
  };
  /** @throws {ZorError} FAILED_PRECONDITION: the datapath of a lan knows no connections. */
  assertConntrack(lan: string): Promise<void>;
  readonly log: Log;
}

const zones = 65_535;

/** The filters of NICs as flows of the lans that they are in. */
export class NicFilters {
  readonly #switch: FilterSwitch;
  readonly #nics = new Map<string, NicFilter>();
  readonly #zones = new Map<string, number>();
  readonly #queue = new KeyedQueue(1024);
  /** What sets of flows were made of. */
  readonly #made = new WeakMap<FlowBuild, LanFilters>();
  #source: FilterSource = { addressesOf: () => [], heardOf: () => [] };
  #isAsked = false;

  constructor(options: FilterSwitch) {
    this.#switch = options;
  }

  /** Who is asked for addresses from now on. */
  follow(source: FilterSource): void {
    this.#source = source;
  }

  /**
   * A NIC is plugged into a lan, or is about to be; with another filter than before, or none. Before it is plugged in only what is sent to
   * it is held back: call it again when it is. @throws {ZorError} and then nothing has changed.
   */
  async set(endpoint: string, wanted: NicFilter | undefined): Promise<void> {
    const before = this.#nics.get(endpoint);
    if (before === undefined && wanted === undefined) return;
    if (wanted !== undefined) await this.#switch.assertConntrack(wanted.lan);
    this.#put(endpoint, wanted);
    try {
      if (wanted !== undefined) await this.#apply(wanted.lan);
    } catch (error) {
      this.#put(endpoint, before);
      throw error;
    }
    if (before !== undefined && before.lan !== wanted?.lan) await this.#apply(before.lan);
  }

  /** Plugs a NIC in with its filter, which holds from its first frame on. @throws what `plug` throws; then the filter is what it was. */
  async plugging(endpoint: string, wanted: NicFilter | undefined, plug: () => Promise<void>): Promise<void> {
    const before = this.#nics.get(endpoint);
    await this.set(endpoint, wanted);
    try {
      await plug();
      // By now its port has a number.
      if (wanted !== undefined) await this.#apply(wanted.lan);
    } catch (error) {
      await this.set(endpoint, before).catch(() => undefined);
      throw error;
    }
  }

  /** Addresses may have changed: brings the flows to that before long. Never throws. */
  refresh(): void {
    if (this.#isAsked || this.#nics.size === 0) return;
    this.#isAsked = true;
    queueMicrotask(() => {
      this.#isAsked = false;
      for (const lan of new Set([...this.#nics.values()].map((nic) => nic.lan)))
        this.#apply(lan).catch((error: unknown) =>
          this.#switch.log.warn({ err: error, lan }, "the filters of a lan could not be brought up to date"),
        );
    });
  }

  /** The filters of a lan as its switch has them, and what each part of them has met. @throws {ZorError} {ToolError} */
  async count(lan: string): Promise<GetLanFiltersResponse> {
    const counted = await this.#switch.flows.count(lan, "acl");
    const filters = counted && this.#made.get(counted.build);
    return countFilters(filters, counted);
  }

  #put(endpoint: string, filter: NicFilter | undefined): void {
    if (filter === undefined) this.#nics.delete(endpoint);
    else this.#nics.set(endpoint, filter);
  }

  async #apply(lan: string): Promise<void> {
    await this.#queue.run(lan, async () => {
      const own = [...this.#nics.values()].filter((nic) => nic.lan === lan);
      const nics = own.map((nic) => this.#known(nic)).sort((a, b) => (a.endpoint < b.endpoint ? -1 : 1));
      const zone = this.#zoneOf(lan);
      // What is known now: the keeper asks again when ports change, and is told anew when addresses do.
      const expressions = nics.flatMap(({ filter }) => filter.rules.map(({ remoteInstances }) => remoteInstances));
      const members = new Map([...new Set(expressions)].map((text) => [text, this.#source.addressesOf(text)]));
      const filters = { nics, zone, addressesOf: (text: string) => members.get(text) ?? [] };
      const build: FlowBuild = (ports) => ({
        flows: compileFilters(filters, numbersOf(ports)).map(({ flow }) => flow),
      });
      this.#made.set(build, filters);
      await this.#switch.flows.set(lan, "acl", nics.length === 0 ? undefined : build);
    });
  }

  #known({ endpoint, mac, addresses, filter }: NicFilter): FilteredNic {
    const plain = addresses.map((address) => address.split("/")[0] ?? address);
    const all = new Set([...plain, ...this.#source.heardOf(endpoint)]);
    return { endpoint, mac, filter, addresses: [...all].sort() };
  }

  /** The same after a restart of the agent, unless another lan has it by then. */
  #zoneOf(lan: string): number {
    const known = this.#zones.get(lan);
    if (known !== undefined) return known;
    const taken = new Set(this.#zones.values());
    let zone = (createHash("sha256").update(lan).digest().readUInt16BE(0) % zones) + 1;
    while (taken.has(zone)) zone = (zone % zones) + 1;
    this.#zones.set(lan, zone);
    return zone;
  }
}
