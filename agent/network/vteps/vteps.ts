import { failedPrecondition } from "../../../lib/errors.js";
import type { PortSettings } from "../../../proto/gen/zor/v1/port.js";
import { toldOf } from "../../host/told.js";
import type { Bridges } from "../bridges.js";
import { toVtepPortName } from "../names.js";
import { listVxlan, makeVxlan, removeVxlan, toldAsMissing, type VxlanDevice } from "../vxlan-device.js";
import { type RouteTo, routeTo } from "./route-to.js";

/** What a vtep should be, checked. */
export interface VtepConfig {
  readonly uid: string;
  /** Resource name, the endpoint in its lan. */
  readonly name: string;
  /** "": in no lan; then it has no device. */
  readonly lan: string;
  readonly remote: string;
  readonly vni: number;
  readonly dstPort: number;
  /** "": the address of the route. */
  readonly local: string;
  readonly portSettings: PortSettings | undefined;
}

/** What was last seen of one. */
export interface VtepFacts {
  readonly port: string;
  readonly route: RouteTo;
  /** Undefined: there is none. */
  readonly device: Pick<VxlanDevice, "rxFrames" | "rxBytes" | "txFrames" | "txBytes" | "droppedFrames"> | undefined;
  /** When frames were last seen to have come; undefined: not since the agent began. */
  readonly heard: Date | undefined;
}

/** The vteps of a host, as their kind uses them. */
export interface VtepNetworks {
  /** Makes a vtep or brings it to a configuration. Idempotent. @throws {ZorError} */
  ensure(config: VtepConfig): Promise<void>;
  /** Removes a vtep. Idempotent. */
  remove(config: Pick<VtepConfig, "uid">): Promise<void>;
  /** Looks at the devices of all, and at the ways to where they lead. @throws {ToolError} */
  look(configs: readonly VtepConfig[]): Promise<void>;
  /** What of a vtep was missing when it was last looked, for people; "": nothing. */
  missing(config: VtepConfig): string;
  /** What was last seen of it. */
  facts(uid: string): VtepFacts;
}

/** The vteps of a real host: kernel vxlan devices that speak from the host's own network, as ports of lans. */
export class Vteps implements VtepNetworks {
  readonly #netns: string;
  readonly #lans: Pick<Bridges, "plug" | "unplug" | "find">;
  readonly #now: () => Date;
  #devices: readonly VxlanDevice[] = [];
  readonly #routes = new Map<string, RouteTo>();
  /** Frames that had come, and when more were seen, by uid. */
  readonly #heard = new Map<string, { readonly rxFrames: number; readonly at: Date | undefined }>();

  /** @param options.netns net namespace of the switch. */
  constructor(options: {
    readonly netns: string;
    readonly lans: Pick<Bridges, "plug" | "unplug" | "find">;
    readonly now: () => Date;
  }) {
    this.#netns = options.netns;
    this.#lans = options.lans;
    this.#now = options.now;
  }

  async ensure(config: VtepConfig): Promise<void> {
    const { uid, name, lan, remote, vni, dstPort, local, portSettings } = config;
    const port = toVtepPortName(uid);
    // In no lan it listens for nobody.
    if (lan === "") return await this.remove(config);
    this.#devices = await listVxlan(this.#netns);
    if (!isAsSaid(this.#deviceOf(uid), config)) {
      const wanted = { name: port, vxlanId: vni, remote, dstPort, local };
      await makeVxlan(wanted, { netns: this.#netns, underlayNetns: undefined }).catch((error: unknown) => {
        throw notMade(config, error);
      });
    }
    await this.#lans.plug({ lan, port, endpoint: name, settings: portSettings });
    await this.#lookAt([config]);
  }

  async remove({ uid }: Pick<VtepConfig, "uid">): Promise<void> {
    const port = toVtepPortName(uid);
    await this.#lans.unplug(port);
    await removeVxlan(port, { netns: this.#netns, underlayNetns: undefined });
    this.#devices = this.#devices.filter(({ name }) => name !== port);
    this.#routes.delete(uid);
    this.#heard.delete(uid);
  }

  async look(configs: readonly VtepConfig[]): Promise<void> {
    const plugged = configs.filter(({ lan }) => lan !== "");
    if (plugged.length > 0) await this.#lookAt(plugged);
  }

  missing(config: VtepConfig): string {
    const port = toVtepPortName(config.uid);
    const device = this.#deviceOf(config.uid);
    if (config.lan === "") return device === undefined ? "" : `device ${port} is there and should not be`;
    if (device === undefined) return `device ${port} is gone`;
    if (!isAsSaid(device, config)) return `device ${port} was changed`;
    const ports = this.#lans.find(config.lan)?.ports ?? [];
    return ports.some((each) => each.port === port) ? "" : "its port in the lan is gone";
  }

  facts(uid: string): VtepFacts {
    return {
      port: toVtepPortName(uid),
      route: this.#routes.get(uid) ?? { fault: "", maxPacket: undefined },
      device: this.#deviceOf(uid),
      heard: this.#heard.get(uid)?.at,
    };
  }

  async #lookAt(configs: readonly VtepConfig[]): Promise<void> {
    const [devices] = await Promise.all([
      listVxlan(this.#netns),
      ...configs.map(async ({ uid, remote, local }) => void this.#routes.set(uid, await routeTo(remote, local))),
    ]);
    this.#devices = devices;
    for (const { uid } of configs) this.#listen(uid);
  }

  /** Frames that had come before this agent began say nothing of when. */
  #listen(uid: string): void {
    const rxFrames = this.#deviceOf(uid)?.rxFrames ?? 0;
    const before = this.#heard.get(uid);
    const isMore = before !== undefined && rxFrames > before.rxFrames;
    this.#heard.set(uid, { rxFrames, at: isMore ? this.#now() : before?.at });
  }

  #deviceOf(uid: string): VxlanDevice | undefined {
    const port = toVtepPortName(uid);
    return this.#devices.find(({ name }) => name === port);
  }
}

function isAsSaid(device: VxlanDevice | undefined, { remote, vni, dstPort, local }: VtepConfig): boolean {
  if (device?.up !== true || device.vxlanId !== vni || device.remote !== remote) return false;
  return device.dstPort === dstPort && device.local === local;
}

function notMade({ name, vni, dstPort }: VtepConfig, error: unknown): Error {
  const said = toldOf(error);
  const isTaken = /already exists|File exists/i.test(said);
  const why = isTaken
    ? `the host has a vxlan device with VNI ${vni} and port ${dstPort} already; choose another VNI`
    : toldAsMissing(said);
  return failedPrecondition(isTaken ? "VNI_TAKEN" : "NO_VXLAN", name, `${name}: ${why}`);
}
