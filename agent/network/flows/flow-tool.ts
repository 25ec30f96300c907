import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../host/exec.js";
import { type FlowChanges, type HeldFlows, meterText } from "./flow-set.js";
import { ourCookies, ourMeters } from "./pipeline.js";

/** Flows and meters of one bridge, by ovs-ofctl(8). OpenFlow 1.4 has bundles, meters and more than one table. */
export class FlowTool {
  readonly #target: string;
  /** What of flows is compared: standard input is nothing that the tool can open. */
  readonly #file: string;

  /** @param directory of the switch's sockets. */
  constructor(directory: string, bridge: string) {
    this.#target = `unix:${join(directory, `${bridge}.mgmt`)}`;
    this.#file = join(directory, `${bridge}.flows`);
  }

  /** What the bridge has of ours. @throws {ToolError} */
  async read(): Promise<ReadFlows> {
    const flows = await this.#run(["dump-flows", "--no-names"], [ourCookies]);
    const meters = await this.#run(["dump-meters"], []);
    return { flows: parseFlows(flows), meters: parseMeters(meters), frames: parseFrames(flows) };
  }

  /** How many frames each meter has dropped. @throws {ToolError} */
  async readDrops(): Promise<ReadonlyMap<number, bigint>> {
    return parseDrops(await this.#run(["meter-stats"], []));
  }

  /** All flows of the bridge with their counters, as ovs-ofctl prints them. @throws {ToolError} */
  async dump(): Promise<string> {
    return this.#run(["--no-names", "--sort=priority", "dump-flows"], []);
  }

  /** What of ours each flow of the bridge has met, by its cookie. @throws {ToolError} */
  async counts(): Promise<ReadonlyMap<string, FlowCount>> {
    return parseCounts(await this.#run(["dump-flows", "--no-names"], [ourCookies]));
  }

  /** Which of these flows the bridge does not have exactly as they are. @param wanted by their cookies. @throws {ToolError} */
  async findAltered(wanted: ReadonlyMap<string, string>): Promise<ReadonlySet<string>> {
    const text = [...wanted].map(([cookie, flow]) => `cookie=${cookie},${flow}\n`).join("");
    const argv = ["-O", "OpenFlow14", "--no-names", "diff-flows", this.#target, this.#file];
    await writeFile(this.#file, text, { mode: 0o600 });
    // It ends with 2 when there are differences: lines with "-" are at the bridge only, with "+" in what is wanted only.
    const accepted = { acceptedExitCodes: [0, 2] };
    const { stdout } = await run("ovs-ofctl", argv, accepted).finally(() => rm(this.#file, { force: true }));
    const found = [...stdout.matchAll(/^[-+].*?\bcookie=(0x[0-9a-f]+)/gm)].map(([, cookie = ""]) => cookie);
    return new Set(found.filter((cookie) => wanted.has(cookie)));
  }

  /** Whether the bridge has any flow that nobody's cookie is on and that takes what no other does. @throws {ToolError} */
  async hasDefault(): Promise<boolean> {
    const text = await this.#run(["dump-flows", "--no-stats", "--no-names"], ["table=0"]);
    return text.split("\n").some((line) => /^ *(cookie=0x[0-9a-f]+, )?priority=0 actions=/.test(line));
  }

  /**
   * Changes flows in one bundle, so that no frame meets half of them; meters come before the flows that refer to them, and go after.
   * @throws {ToolError} nothing of the flows was changed.
   */
  async change({ commands, changedMeters, newMeters, oldMeters }: FlowChanges): Promise<void> {
    for (const [id, text] of newMeters) await this.#run(["add-meter"], [`meter=${id},${text}`]);
    for (const [id, text] of changedMeters) await this.#run(["mod-meter"], [`meter=${id},${text}`]);
    if (commands.length > 0) await this.#run(["--bundle", "add-flows"], ["-"], `${commands.join("\n")}\n`);
    for (const id of oldMeters) await this.#run(["del-meter"], [`meter=${id}`]);
  }

  /** Gives a bridge what it has by itself. @throws {ToolError} */
  async addDefault(): Promise<void> {
    await this.#run(["add-flow"], ["table=0,priority=0,actions=NORMAL"]);
  }

  async #run(words: readonly string[], more: readonly string[], input?: string): Promise<string> {
    const argv = ["-O", "OpenFlow14", ...words, this.#target, ...more];
    const { stdout } = await run("ovs-ofctl", argv, input === undefined ? {} : { input });
    return stdout;
  }
}

/** What a bridge has of ours, and how many frames each flow has met, by its cookie. */
export interface ReadFlows extends HeldFlows {
  readonly frames: ReadonlyMap<string, bigint>;
}

/**
 * Reads "dump-flows": a line for each flow, " cookie=0x5a..., duration=1.5s, table=30, n_packets=9, n_bytes=642, priority=5,arp
 * actions=drop"; of a flow all that does not change by itself; pure.
 */
export function parseFlows(text: string): Map<string, string> {
  const flows = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, cookie, flow = ""] = /^ *cookie=(0x[0-9a-f]+), (.*)$/.exec(line) ?? [];
    if (cookie !== undefined) flows.set(cookie, flow.replace(counters, ""));
  }
  return flows;
}

const counters = /\b(duration=[^,]*|n_packets=\d+|n_bytes=\d+|idle_age=\d+|hard_age=\d+), /g;

/** The same, how many frames; pure. */
export function parseFrames(text: string): Map<string, bigint> {
  const found = text.matchAll(/^ *cookie=(0x[0-9a-f]+), .*?\bn_packets=(\d+),/gm);
  return new Map([...found].map(([, cookie = "", frames = "0"]) => [cookie, BigInt(frames)]));
}

/** What a flow has met. */
export interface FlowCount {
  readonly frames: bigint;
  readonly bytes: bigint;
  /** Since it was made, in whole seconds. */
  readonly ageSeconds: bigint;
}

/** The same, all that they count; pure. */
export function parseCounts(text: string): Map<string, FlowCount> {
  const form = /^ *cookie=(0x[0-9a-f]+), duration=(\d+)[^,]*,.*?\bn_packets=(\d+), n_bytes=(\d+),/gm;
  return new Map(
    [...text.matchAll(form)].map(([, cookie = "", seconds = "0", frames = "0", bytes = "0"]) => [
      cookie,
      { frames: BigInt(frames), bytes: BigInt(bytes), ageSeconds: BigInt(seconds) },
    ]),
  );
}

/** Reads "meter-stats": "meter:5 flow_count:1 ... bands:", and in the next line "0: packet_count:7 byte_count:1000"; pure. */
export function parseDrops(text: string): Map<number, bigint> {
  const found = text.matchAll(/^meter:(\d+) .*\n0: packet_count:(\d+) /gm);
  return new Map([...found].map(([, id, frames = "0"]) => [Number(id), BigInt(frames)]));
}

/** Reads "dump-meters": "meter=5 kbps burst stats bands=", and in the next line "type=drop rate=1000 burst_size=50"; pure. */
export function parseMeters(text: string): Map<number, string> {
  const meters = new Map<number, string>();
  const [first, last] = ourMeters;
  for (const [, number, kind = "", bands = ""] of text.matchAll(/^meter=(\d+) (.*) bands=\n((?:type=.*\n?)*)/gm)) {
    const id = Number(number);
    if (id < first || id > last) continue;
    const [, unit] = /^(kbps|pktps) burst stats$/.exec(kind) ?? [];
    const [, rate, burst] = /^type=drop rate=(\d+) burst_size=(\d+)\n?$/.exec(bands) ?? [];
    const isOurs = (unit === "kbps" || unit === "pktps") && rate !== undefined;
    meters.set(id, isOurs ? meterText({ unit, rate: Number(rate), burst: Number(burst) }) : `${kind} ${bands}`);
  }
  return meters;
}
