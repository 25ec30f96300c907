import { isPluggedEnd, linkEndName } from "../../../lib/link-end.js";
import type { Bridges } from "../bridges.js";
import type { LinkCarrier, PluggedEnd, PluggedLan } from "../plugged-lan.js";
import type { WireConfig } from "./wire-ends.js";
import type { Wires } from "./wires.js";

/** A tap that is the other end of a NIC. */
interface PluggedNic {
  readonly endpoint: string;
  /** "instances/{instance}/nics/{nic}", "taps/{tap}" or "phys/{phy}". */
  readonly lan: string;
  readonly port: string;
}

/**
 * Plugs taps of the cable engine into lans, and into NICs: a tap is the other end of a wire then. An instance that does not run is a fault of
 * the port, which the link tells.
 */
export class NicPlugger {
  readonly #lans: Pick<Bridges, "plug" | "unplug" | "find" | "list" | "cross" | "onChange">;
  readonly #wires: Wires;
  readonly #host: string;
  /** By endpoint. */
  readonly #links = new Map<string, PluggedNic>();
  readonly #byLan = new Map<string, PluggedNic>();
  readonly #byPort = new Map<string, PluggedNic>();
  readonly #carriers = new Map<string, LinkCarrier>();

  constructor(options: {
    readonly lans: Pick<Bridges, "plug" | "unplug" | "find" | "list" | "cross" | "onChange">;
    readonly wires: Wires;
    readonly host: string;
  }) {
    this.#lans = options.lans;
    this.#wires = options.wires;
    this.#host = options.host;
  }

  async plug(options: { readonly lan: string; readonly port: string; readonly endpoint: string }): Promise<void> {
    const { lan, port, endpoint } = options;
    if (!isPluggedEnd(lan)) {
      await this.#forget(endpoint);
      return await this.#lans.plug(options);
    }
    const before = this.#links.get(endpoint);
    if (before === undefined || before.lan !== lan || before.port !== port) {
      await this.#forget(endpoint);
      await this.#lans.unplug(port);
      this.assertFree(lan, endpoint);
      this.#keep({ endpoint, lan, port });
    }
    await this.#wires.ensure(this.#configOf(endpoint, lan));
    await this.#wires.appeared(endpoint, { port, mtu: 0, isVeth: false });
  }

  async unplug(port: string): Promise<void> {
    const link = this.#byPort.get(port);
    if (link === undefined) await this.#lans.unplug(port);
    else {
      this.#carriers.delete(link.endpoint);
      await this.#forget(link.endpoint);
    }
  }

  find(lan: string): PluggedLan | undefined {
    if (!isPluggedEnd(lan)) return this.#lans.find(lan);
    const link = this.#byLan.get(lan);
    return link === undefined ? { ports: [] } : this.#seen(link);
  }

  list(): readonly PluggedLan[] {
    return [...this.#lans.list(), ...[...this.#links.values()].map((link) => this.#seen(link))];
  }

  pluggedEnds(): readonly PluggedEnd[] {
    return [...this.#links.values()]
      .filter(({ endpoint }) => endpoint.startsWith("links/"))
      .map(({ endpoint, lan, port }) => ({ link: endpoint, end: linkEndName(this.#host, lan), port }));
  }

  readonly cross: Bridges["cross"] = (test) => {
    const obstacle = "the end is no lan: behind it no frames of ours are answered";
    return isPluggedEnd(test.lan) ? Promise.resolve({ sent: 0, came: 0, obstacle }) : this.#lans.cross(test);
  };

  assertFree(lan: string, endpoint: string): void {
    if (isPluggedEnd(lan)) this.#wires.assertFree(linkEndName(this.#host, lan), endpoint);
  }

  async examine(lan: string): Promise<void> {
    if (isPluggedEnd(lan)) await this.#wires.examine(linkEndName(this.#host, lan));
  }

  setCarrier(endpoint: string, carrier: LinkCarrier): void {
    this.#carriers.set(endpoint, carrier);
    const link = this.#links.get(endpoint);
    // What fails is seen at the wire, and tried again there.
    if (link !== undefined) void this.#wires.ensure(this.#configOf(endpoint, link.lan)).catch(() => undefined);
  }

  onChange(listener: () => void): () => void {
    const stops = [this.#lans.onChange(listener), this.#wires.onChange(listener)];
    return () => {
      for (const stop of stops) stop();
    };
  }

  #configOf(endpoint: string, lan: string): WireConfig {
    const carrier = this.#carriers.get(endpoint) ?? "down";
    const nic = linkEndName(this.#host, lan);
    const ends = { name: endpoint, uid: endpoint, a: nic, b: endpoint, cut: false, mtu: undefined };
    return { ...ends, keepCarrier: carrier === "kept", isDark: carrier === "down" };
  }

  #keep(link: PluggedNic): void {
    this.#links.set(link.endpoint, link);
    this.#byLan.set(link.lan, link);
    this.#byPort.set(link.port, link);
  }

  async #forget(endpoint: string): Promise<void> {
    const link = this.#links.get(endpoint);
    if (link === undefined) return;
    this.#links.delete(endpoint);
    if (this.#byLan.get(link.lan) === link) this.#byLan.delete(link.lan);
    if (this.#byPort.get(link.port) === link) this.#byPort.delete(link.port);
    await this.#wires.remove(endpoint);
    await this.#wires.vanished(endpoint);
  }

  #seen({ endpoint, port }: PluggedNic): PluggedLan {
    return {
      fault: this.#wires.observe(endpoint)?.fault ?? "it is being made",
      ports: [{ port, endpoint, error: "" }],
    };
  }
}
