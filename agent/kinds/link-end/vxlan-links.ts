import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { pause } from "../../../lib/backoff.js";
import { messageOf, notFound } from "../../../lib/errors.js";
import { readIfExists, setAside, writeFileAtomic } from "../../../lib/files.js";
import { KeyedQueue } from "../../../lib/keyed-queue.js";
import type { Log } from "../../../lib/log.js";
import type { CablePlugger } from "../../cable/plugger.js";
import { portFault, startFrames } from "./diagnose.js";
import { type Hop, lanHop, tapHop } from "./diagnosis.js";
import { RateMeter } from "../../../lib/rate-meter.js";
import {
  listVxlan,
  makeVxlan,
  pickRemote,
  removeVxlan,
  type VxlanDevice,
  vxlanPort,
} from "../../network/vxlan-device.js";
import { probeAddresses } from "./vxlan-probe.js";
import { VxlanProber } from "./vxlan-prober.js";
import { initialVxlanState, nextVxlanState, type VxlanState } from "./vxlan-state.js";

const specSchema = z.object({
  /** "links/{link}". */
  link: z.string(),
  linkUid: z.string(),
  lan: z.string(),
  role: z.enum(["listener", "dialer"]),
  vxlanId: z.int().min(1).max(16_777_215),
  /** IP addresses of the other host, best first. */
  peerIps: z.array(z.string()).min(1),
});

/** One end of a vxlan link, as the hub asks for it. */
export type VxlanSpec = z.infer<typeof specSchema>;

const fileSchema = z.object({ version: z.literal(1), links: z.array(specSchema) });

/** One end of a vxlan link as it is. */
export interface VxlanView {
  readonly spec: VxlanSpec;
  readonly state: VxlanState;
  readonly port: string;
  /** "ip:port" of the other host. */
  readonly remoteAddress: string;
  readonly device: VxlanDevice | undefined;
  readonly txBps: number;
  readonly rxBps: number;
}

/** Somebody who is told of changes. */
export type VxlanListener = (changed: readonly VxlanView[], removed: readonly string[]) => void;

/** What {@link VxlanLinks} work with. */
export interface VxlanOptions {
  readonly stateDirectory: string;
  /** Tells the names of this host's devices from those of another that shares the namespace. */
  readonly salt: Buffer;
  readonly netns: string | undefined;
  readonly underlayNetns?: string;
  /** The host's policy lets links go without encryption. */
  readonly allowed: boolean;
  readonly plugger: CablePlugger;
  readonly log: Log;
}

/** Between looks at the devices, each with a probe. */
const lookMs = 1_000;

interface Entry {
  readonly spec: VxlanSpec;
  readonly remote: string;
  readonly rates: RateMeter;
  readonly prober: VxlanProber;
  state: VxlanState;
  device: VxlanDevice | undefined;
}

/** The ends of vxlan links on this host: kernel devices in its lans, kept in a file and made again when they are gone. */
export class VxlanLinks {
  readonly #options: VxlanOptions;
  readonly #file: string;
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Set<VxlanListener>();
  readonly #ended = new AbortController();
  readonly #queue = new KeyedQueue();
  #running: Promise<void> = Promise.resolve();

  private constructor(options: VxlanOptions) {
    this.#options = options;
    this.#file = join(options.stateDirectory, "cable", "vxlan.json");
  }

  /** Takes up the links of the file; their devices are looked at, and made if need be, before it resolves. */
  static async open(options: VxlanOptions): Promise<VxlanLinks> {
    const links = new VxlanLinks(options);
    for (const spec of await links.#load()) await links.#add(spec);
    await links.#look();
    links.#running = links.#run();
    return links;
  }

  list(): readonly VxlanView[] {
    return [...this.#entries.values()].map((entry) => this.#view(entry));
  }

  /** Makes or changes an end; durable when it resolves. @throws {ZorError} NOT_FOUND: no such lan. */
  async ensure(spec: VxlanSpec): Promise<VxlanView> {
    if (this.#options.plugger.find(spec.lan) === undefined) {
      throw notFound(`lans/${spec.lan}`, "create it first, or list them with: zor get lans");
    }
    return this.#queue.run("", async () => {
      const { link } = spec;
      const before = this.#entries.get(link);
      if (before === undefined || JSON.stringify(before.spec) !== JSON.stringify(spec)) {
        const others = [...this.#entries.values()].filter((entry) => entry !== before).map((entry) => entry.spec);
        await this.#save([...others, spec]);
        // With the same uid the device is the same, and stays if it fits.
        if (before !== undefined && before.spec.linkUid !== spec.linkUid) await this.#remove(before);
        await this.#add(spec);
      }
      await this.#lookNow();
      const entry = this.#entries.get(link);
      if (entry === undefined) throw notFound(link, "it was deleted meanwhile");
      return this.#view(entry);
    });
  }

  /** Removes an end and its device; with a uid, only that link's. True when there was one. */
  async delete(link: string, linkUid: string): Promise<boolean> {
    return this.#queue.run("", async () => {
      const entry = this.#entries.get(link);
      if (entry === undefined || (linkUid !== "" && entry.spec.linkUid !== linkUid)) return false;
      await this.#save([...this.#entries.values()].filter((one) => one !== entry).map(({ spec }) => spec));
      // An end whose device cannot be removed stays: asked once more, that is tried again.
      await this.#remove(entry);
      this.#entries.delete(link);
      this.#tell([], [link]);
      return true;
    });
  }

  /** Tests the hops of an end, in order; undefined: there is no such end. */
  diagnose(link: string, token?: Buffer): AsyncIterable<Hop> | undefined {
    const entry = this.#entries.get(link);
    return entry === undefined ? undefined : this.#hops(entry, token);
  }

  /** Calls back with every change and, every second, figures. Returns the way to stop. */
  onChange(listener: VxlanListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Lets go of the devices, which stay. */
  async close(): Promise<void> {
    this.#ended.abort();
    await this.#running;
    for (const { prober } of this.#entries.values()) prober.close();
  }

  async #run(): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      await pause(lookMs, signal);
      if (signal.aborted) return;
      // Nobody waits for it. When too much waits in the queue, that looks as well.
      await this.#look().catch((error: unknown) => {
        this.#options.log.warn({ error: messageOf(error) }, "the vxlan links could not be looked at; trying again");
      });
    }
  }

  async #look(): Promise<void> {
    await this.#queue.run("", () => this.#lookNow());
  }

  /** Makes what is not as it should be and tells what was seen. */
  async #lookNow(): Promise<void> {
    if (this.#entries.size === 0) return;
    const { netns, log, allowed } = this.#options;
    const devices = await listVxlan(netns).catch((error: unknown) => {
      log.warn({ error: messageOf(error) }, "the vxlan devices cannot be listed");
      return [];
    });
    for (const entry of this.#entries.values()) {
      const device = devices.find(({ name }) => name === this.#portOf(entry));
      const fault = await this.#repair(entry, device).catch(messageOf);
      entry.device = device;
      entry.rates.sample(performance.now(), { txBytes: device?.txBytes ?? 0, rxBytes: device?.rxBytes ?? 0 });
      const answered = allowed && device !== undefined && this.#probe(entry, device);
      const seen = { fault, allowed, rxFrames: device?.rxFrames ?? 0, answered };
      entry.state = nextVxlanState(entry.state, seen, Date.now());
    }
    this.#tell(this.list(), []);
  }

  /** True: the other end has got a probe of ours. */
  #probe({ prober, spec }: Entry, { ifindex }: VxlanDevice): boolean {
    try {
      return prober.exchange(ifindex);
    } catch (error) {
      // That none is answered shows in the link's state; a device that was replaced a moment ago is no fault.
      this.#options.log.debug({ link: spec.link, error: messageOf(error) }, "a probe could not be sent");
      return false;
    }
  }

  /** Makes the device and plugs it if need be. Resolves to what is wrong until the next look; empty: nothing. */
  async #repair(entry: Entry, device: VxlanDevice | undefined): Promise<string> {
    const { plugger, netns, underlayNetns, allowed } = this.#options;
    const { lan, link, vxlanId } = entry.spec;
    const name = this.#portOf(entry);
    if (!allowed) {
      if (device !== undefined) await this.#remove(entry);
      return "";
    }
    if (device === undefined || !device.up || device.vxlanId !== vxlanId || device.remote !== entry.remote) {
      await makeVxlan({ name, vxlanId, remote: entry.remote }, { netns, underlayNetns });
    }
    const found = plugger.find(lan);
    if (found === undefined) return `lan ${lan} does not exist`;
    const plugged = found.ports.some(({ port, error }) => port === name && error === "");
    if (!plugged || device === undefined) await plugger.plug({ lan, port: name, endpoint: link });
    return found.fault ?? "";
  }

  async #add(spec: VxlanSpec): Promise<void> {
    const found = this.#entries.get(spec.link);
    const remote = await pickRemote(spec.peerIps, this.#options.underlayNetns);
    // What was proven of one way says nothing of another.
    const isSame =
      found?.remote === remote &&
      found.spec.linkUid === spec.linkUid &&
      found.spec.vxlanId === spec.vxlanId &&
      found.spec.role === spec.role;
    const before = isSame ? found : undefined;
    if (before === undefined) found?.prober.close();
    this.#entries.set(spec.link, {
      spec,
      remote,
      rates: before?.rates ?? new RateMeter(),
      prober: before?.prober ?? new VxlanProber(this.#options.netns, probeAddresses(spec.linkUid, spec.role)),
      state: before?.state ?? initialVxlanState(Date.now()),
      device: before?.device,
    });
  }

  async #remove(entry: Entry): Promise<void> {
    const { plugger, netns, underlayNetns } = this.#options;
    entry.prober.close();
    await plugger.unplug(this.#portOf(entry));
    await removeVxlan(this.#portOf(entry), { netns, underlayNetns });
  }

  async *#hops(entry: Entry, token: Buffer | undefined): AsyncIterable<Hop> {
    const { spec, remote } = entry;
    const name = this.#portOf(entry);
    const { plugger } = this.#options;
    const end = { lan: spec.lan, port: name, end: spec.role === "listener" ? "first" : "second" } as const;
    const frames = startFrames({ plugger, token }, end, "the other end's lan");
    yield lanHop(spec.lan, portFault(plugger, spec.lan, name));
    const device = (await listVxlan(this.#options.netns)).find((one) => one.name === name);
    yield device?.up === true
      ? { hop: "tap", verdict: "ok", detail: `device ${name} is up, network ${spec.vxlanId}`, remedy: "" }
      : tapHop({ name, up: device?.up, passesFrames: undefined });
    yield { hop: "engine", verdict: "ok", detail: "the kernel carries the frames of a vxlan link", remedy: "" };
    const detail = `frames go to ${remote} port ${vxlanPort}; UDP has no connection`;
    yield { hop: "socket", verdict: "ok", detail, remedy: "" };
    const { phase, reason } = entry.state;
    const remedy = `see that both hosts pass UDP port ${vxlanPort} to each other and that the other end is set up`;
    yield phase === "active"
      ? {
          hop: "path",
          verdict: "ok",
          detail: "frames of the other end come, and it answers ours",
          remedy: "",
        }
      : {
          hop: "path",
          verdict: phase === "down" ? "skipped" : "broken",
          detail: reason,
          remedy: phase === "down" ? "" : remedy,
        };
    yield {
      hop: "peer",
      verdict: "skipped",
      detail: "the other end of a vxlan link says no more of itself than that it gets our frames",
      remedy: "",
    };
    if (frames !== undefined) yield await frames;
  }

  #view(entry: Entry): VxlanView {
    const { spec, state, remote, device, rates } = entry;
    const shown = remote.includes(":") ? `[${remote}]` : remote;
    const remoteAddress = `${shown}:${vxlanPort}`;
    return { spec, state, port: this.#portOf(entry), remoteAddress, device, ...rates.read() };
  }

  #portOf({ spec }: Entry): string {
    const hash = createHash("sha256").update(this.#options.salt).update(spec.linkUid, "utf8").digest("hex");
    return `zv${hash.slice(0, 12)}`;
  }

  #tell(changed: readonly VxlanView[], removed: readonly string[]): void {
    for (const listener of this.#listeners) listener(changed, removed);
  }

  async #load(): Promise<readonly VxlanSpec[]> {
    const text = await readIfExists(this.#file);
    if (text === undefined) return [];
    try {
      return fileSchema.parse(JSON.parse(text)).links;
    } catch (error) {
      const aside = await setAside(this.#file, new Date());
      this.#options.log.error({ error: messageOf(error), aside }, "vxlan.json was damaged; it is kept aside");
      return [];
    }
  }

  async #save(links: readonly VxlanSpec[]): Promise<void> {
    await mkdir(dirname(this.#file), { recursive: true, mode: 0o700 });
    await writeFileAtomic(this.#file, `${JSON.stringify({ version: 1, links }, undefined, 1)}\n`);
  }
}
