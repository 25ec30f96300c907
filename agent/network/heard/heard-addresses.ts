import { z } from "zod";
import { readIfExists, writeFileAtomic } from "../../../lib/files.js";
import type { Log } from "../../../lib/log.js";
import { tagKeys } from "../bridge-operations.js";
import { tagsOf } from "../lans/bridge-rows.js";
import type { OvsdbMirror } from "../ovs/ovsdb-mirror.js";
import { type HeardFrame, HeardSocket, maxMuted } from "./heard-socket.js";
import { type HeardAddress, HeardTable, type HearingPort, instanceOf } from "./heard-table.js";
import { saidAddress } from "./said-address.js";

/** What was heard of instances, for those who show it. */
export interface HeardPart {
  /** Addresses that were heard at the NICs of an instance. @param instance resource name. */
  ofInstance(instance: string): readonly HeardAddress[];
  /** Addresses that were heard at one NIC. */
  ofNic(endpoint: string): readonly HeardAddress[];
  /** Calls back with the instances, by resource name, of which something else is known now. Returns the way to stop. */
  onChange(listener: (instances: ReadonlySet<string>) => void): () => void;
}

/** What this hears. */
export interface HeardAddressesOptions {
  readonly switch: {
    readonly mirror: OvsdbMirror;
    readonly agentUid: string;
    readonly netns: string;
    readonly onChange: (listener: (change: "structure" | "counters") => void) => () => void;
  };
  /** Where it is kept: what guests have said once they do not say again soon. */
  readonly file: string;
  readonly log: Log;
  readonly now?: () => number;
}

/** So often it is looked what has been heard, whoever says how much: one timer for the whole host. */
const intervalMs = 1000;
/** Frames that are read each time, and so many of them of one device: who says more is not heard for a while. */
const maxFrames = 512;
const maxFramesOfOne = 64;
const muteMs = 30_000;
/** What is new is written down so often at most. */
const writeEveryMs = 10_000;

const keptSchema = z.array(
  z.object({
    endpoint: z.string(),
    ifindex: z.number(),
    address: z.string(),
    mac: z.string(),
    sinceMs: z.number(),
    lastMs: z.number(),
  }),
);

/**
 * Learns from the wire which addresses guests have: from ARP and neighbour discovery that comes in at the ports of lans. What it costs is
 * bounded whatever guests send: the kernel filters, one timer reads, and who floods is filtered out as well.
 */
export class HeardAddresses implements HeardPart {
  readonly #options: HeardAddressesOptions;
  readonly #now: () => number;
  readonly #table = new HeardTable();
  readonly #listeners = new Set<(instances: ReadonlySet<string>) => void>();
  /** Devices that are not heard, and until when. */
  readonly #muted = new Map<number, number>();
  #socket: HeardSocket | undefined;
  #ports: ReadonlyMap<number, HearingPort> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopWatching: () => void = () => undefined;
  #writing: Promise<void> = Promise.resolve();
  #unwritten = false;
  #writtenMs = Number.NEGATIVE_INFINITY;
  #failed = false;

  constructor(options: HeardAddressesOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** Begins to hear, with what was known before. */
  async open(): Promise<void> {
    await this.#restore();
    this.#stopWatching = this.#options.switch.onChange((change) => {
      if (change === "structure") this.#ports = undefined;
    });
    this.#timer = setInterval(() => this.look(), intervalMs).unref();
    this.look();
  }

  ofInstance(instance: string): readonly HeardAddress[] {
    return this.#table.ofInstance(instance);
  }

  ofNic(endpoint: string): readonly HeardAddress[] {
    return this.#table.ofNic(endpoint);
  }

  onChange(listener: (instances: ReadonlySet<string>) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#stopWatching();
    this.#socket?.close();
    this.#socket = undefined;
    if (this.#unwritten) this.#write();
    await this.#writing;
  }

  /** Reads what has come since it was read last. Never throws. */
  look(): void {
    const changed = new Set<string>();
    try {
      if (this.#ports === undefined) this.#follow(changed);
      this.#read(changed);
      this.#failed = false;
    } catch (error) {
      if (!this.#failed) this.#options.log.warn({ err: error }, "addresses of guests are not heard; it is tried again");
      this.#failed = true;
      this.#socket?.close();
      this.#socket = undefined;
    }
    for (const endpoint of this.#table.expire(this.#now())) changed.add(endpoint);
    if (changed.size > 0) this.#tell(changed);
    const isDue = performance.now() - this.#writtenMs >= writeEveryMs;
    if (this.#unwritten && isDue) this.#write();
  }

  /** Ports came and went: what was heard at those that are gone is nobody's. */
  #follow(changed: Set<string>): void {
    const ports = portsOf(this.#options.switch.mirror, this.#options.switch.agentUid);
    const present = new Map([...ports.values()].map(({ endpoint, ifindex }) => [endpoint, ifindex]));
    for (const endpoint of this.#table.endpoints) {
      const [known] = this.#table.ofNic(endpoint);
      if (present.get(endpoint) === known?.ifindex) continue;
      this.#table.forget(endpoint);
      changed.add(endpoint);
    }
    this.#ports = ports;
  }

  #read(changed: Set<string>): void {
    this.#socket ??= HeardSocket.open(this.#options.switch.netns);
    const counts = new Map<number, number>();
    const loud = new Set<number>();
    for (let read = 0; read < maxFrames; read += 1) {
      const heard = this.#socket.next();
      if (heard === undefined) break;
      const { ifindex } = heard;
      const count = (counts.get(ifindex) ?? 0) + 1;
      counts.set(ifindex, count);
      if (count > maxFramesOfOne || !this.#hear(heard, changed)) loud.add(ifindex);
    }
    this.#mute(loud);
  }

  /** Whether it may go on. */
  #hear({ ifindex, frame }: HeardFrame, changed: Set<string>): boolean {
    const port = this.#ports?.get(ifindex);
    const said = port === undefined ? undefined : saidAddress(frame);
    if (port === undefined || said === undefined) return true;
    const how = this.#table.hear(port, said, this.#now());
    if (how === "new") changed.add(port.endpoint);
    return how !== "refused";
  }

  /** Has the kernel leave out who says too much, and hear again those whose time is over. */
  #mute(loud: ReadonlySet<number>): void {
    const now = performance.now();
    const before = this.#muted.size;
    for (const [ifindex, untilMs] of this.#muted) if (untilMs <= now) this.#muted.delete(ifindex);
    let isChanged = this.#muted.size !== before;
    for (const ifindex of loud) {
      if (this.#muted.size >= maxMuted || this.#muted.has(ifindex)) continue;
      this.#muted.set(ifindex, now + muteMs);
      isChanged = true;
    }
    if (isChanged) this.#socket?.mute([...this.#muted.keys()]);
  }

  #tell(endpoints: ReadonlySet<string>): void {
    this.#unwritten = true;
    const instances = new Set([...endpoints].map(instanceOf));
    for (const listener of this.#listeners) listener(instances);
  }

  #write(): void {
    this.#unwritten = false;
    this.#writtenMs = performance.now();
    const text = JSON.stringify(this.#table.all);
    this.#writing = this.#writing
      .then(() => writeFileAtomic(this.#options.file, text))
      .catch((error: unknown) => this.#options.log.warn({ err: error }, "what was heard of guests cannot be kept"));
  }

  async #restore(): Promise<void> {
    const text = await readIfExists(this.#options.file);
    if (text === undefined) return;
    try {
      for (const { lastMs, ...entry } of keptSchema.parse(JSON.parse(text))) this.#table.restore(entry, lastMs);
    } catch {
      // Cut off by a full disk, or not ours: guests say it again.
    }
  }
}

/** The NICs in lans by the index of their device. */
function portsOf(mirror: OvsdbMirror, agentUid: string): ReadonlyMap<number, HearingPort> {
  const ports = new Map<number, HearingPort>();
  for (const row of mirror.list("Interface")) {
    const tags = tagsOf(row);
    const endpoint = tags.get(tagKeys.endpoint) ?? "";
    const ifindex = Number(tags.get(tagKeys.ifindex));
    if (tags.get(tagKeys.agent) !== agentUid || !endpoint.includes("/nics/") || !(ifindex > 0)) continue;
    ports.set(ifindex, { endpoint, ifindex });
  }
  return ports;
}
