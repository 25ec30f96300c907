import { join } from "node:path";
import { Figure } from "../../../proto/gen/zor/v1/figures.js";
import type { DiskUse, MeterPlace } from "../../drivers/abilities/measured.js";
import { KeptFile, numberAfter, pressureOf, readOnce } from "../kept-file.js";
import type { Subject } from "../subject.js";
import { diskUseFigures } from "./disk-figures.js";
import { trafficFigures } from "./traffic.js";

/** Figures of every instance by itself; those of its traffic come behind them, and then what not all have. */
export const meterFigures = [
  Figure.FIGURE_CPU,
  Figure.FIGURE_CPU_TIME,
  Figure.FIGURE_CPU_OF_LIMIT,
  Figure.FIGURE_MEMORY,
  Figure.FIGURE_MEMORY_LIMIT,
  ...diskUseFigures,
] as const;
const pressures = [
  ...[Figure.FIGURE_PRESSURE_CPU, Figure.FIGURE_PRESSURE_MEMORY, Figure.FIGURE_PRESSURE_IO],
  ...[Figure.FIGURE_PRESSURE_CPU_TIME, Figure.FIGURE_PRESSURE_MEMORY_TIME, Figure.FIGURE_PRESSURE_IO_TIME],
];
const guests = [Figure.FIGURE_MEMORY_GUEST, Figure.FIGURE_MEMORY_GUEST_AVAILABLE];
/** Position of the first of what not all instances have. */
export const tail = meterFigures.length + trafficFigures.length;

/** Figures of an instance that is counted at a place; undefined: its runtime is asked. */
export function figuresOf(place: MeterPlace | undefined): readonly Figure[] {
  const own = place?.kind === "group" ? (place.version === "v2" ? pressures : []) : guests;
  return [...meterFigures, ...trafficFigures, ...own];
}

/** Position of a figure of an instance. */
export const at = (figure: (typeof meterFigures)[number]): number => meterFigures.indexOf(figure);

const cpu = { rate: at(Figure.FIGURE_CPU), total: at(Figure.FIGURE_CPU_TIME) };
const memory = at(Figure.FIGURE_MEMORY);
const disks = [
  { rate: at(Figure.FIGURE_DISK_READ), total: at(Figure.FIGURE_DISK_READ_TOTAL) },
  { rate: at(Figure.FIGURE_DISK_WRITE), total: at(Figure.FIGURE_DISK_WRITE_TOTAL) },
  { rate: at(Figure.FIGURE_DISK_READ_OPS), total: at(Figure.FIGURE_DISK_READ_OPS_TOTAL) },
  { rate: at(Figure.FIGURE_DISK_WRITE_OPS), total: at(Figure.FIGURE_DISK_WRITE_OPS_TOTAL) },
] as const;

/** Reads what one instance uses. */
export interface Meter extends Disposable {
  /**
   * Sets the figures. False: its processor time is what it was, and nothing else was looked at.
   * @param thorough everything is looked at.
   */
  read(subject: Subject, thorough: boolean): boolean;
}

/** Makes the meter for a place. */
export function createMeter(place: MeterPlace): Meter {
  if (place.kind === "process") return new ProcessMeter(place);
  return place.version === "v2" ? new GroupMeter(place) : new OldGroupMeter(place);
}

/** Sets the totals of disks and their rates. @param elapsedMs since they were set last; default: since the last sample. */
export function setDisks(subject: Subject, use: DiskUse, elapsedMs?: number): void {
  for (const [index, total] of [use.readBytes, use.writeBytes, use.readOps, use.writeOps].entries()) {
    const position = disks[index];
    if (position !== undefined) subject.count(position.rate, position.total, total, elapsedMs);
  }
}

/** Nothing was read and written since the sample before. */
function restDisks(subject: Subject): void {
  for (const { rate } of disks) subject.set(rate, 0);
}

/** Nothing was used since the sample before. */
function rest(subject: Subject): false {
  subject.set(cpu.rate, 0);
  restDisks(subject);
  return false;
}

/** In the order of their figures. */
const pressureFiles = ["cpu.pressure", "memory.pressure", "io.pressure"];

type Group = MeterPlace & { readonly kind: "group" };

/** A control group of version 2. */
class GroupMeter implements Meter {
  readonly #directory: string;
  readonly #stat: KeptFile;

  constructor({ root, path }: Group) {
    this.#directory = join(root, path);
    this.#stat = new KeptFile(join(this.#directory, "cpu.stat"));
  }

  read(subject: Subject, thorough: boolean): boolean {
    const news = this.#stat.readNews() ?? "";
    if (news !== "") subject.count(cpu.rate, cpu.total, Math.floor((numberAfter(news, "usage_usec") ?? 0) / 1000));
    if (news === "" && !thorough) return rest(subject);
    if (news === "") subject.set(cpu.rate, 0);
    const read = (file: string): string | undefined => readOnce(`${this.#directory}/${file}`);
    subject.set(memory, Number.parseInt(read("memory.current") ?? "0", 10));
    setDisks(subject, parseIoStat(read("io.stat") ?? ""));
    for (const [index, file] of pressureFiles.entries()) {
      const pressure = pressureOf(read(file));
      subject.set(tail + index, pressure?.share ?? 0);
      subject.set(tail + pressureFiles.length + index, pressure?.totalMs ?? 0);
    }
    return true;
  }

  [Symbol.dispose](): void {
    this.#stat[Symbol.dispose]();
  }
}

/** Control groups of version 1: one for each controller. */
class OldGroupMeter implements Meter {
  readonly #place: Group;
  readonly #usage: KeptFile;

  constructor(place: Group) {
    this.#place = place;
    this.#usage = new KeptFile(join(place.root, "cpuacct", place.path, "cpuacct.usage"));
  }

  read(subject: Subject, thorough: boolean): boolean {
    const news = this.#usage.readNews() ?? "";
    if (news !== "") subject.count(cpu.rate, cpu.total, Math.floor(Number.parseInt(news, 10) / 1_000_000));
    if (news === "" && !thorough) return rest(subject);
    if (news === "") subject.set(cpu.rate, 0);
    const { root, path } = this.#place;
    const read = (controller: string, file: string): string | undefined =>
      readOnce(`${root}/${controller}/${path}/${controller}.${file}`);
    subject.set(memory, Number.parseInt(read("memory", "usage_in_bytes") ?? "0", 10));
    const [bytes = "", requests = ""] = ["io_service_bytes", "io_serviced"].map((file) =>
      read("blkio", `throttle.${file}`),
    );
    setDisks(subject, parseBlkio(bytes, requests));
    return true;
  }

  [Symbol.dispose](): void {
    this.#usage[Symbol.dispose]();
  }
}

const [msPerTick, pageBytes] = [10, 4096];
/** Guests do not say how they use their memory more often. */
const askGuestEveryMs = 10_000;

/** A process that is the whole instance. */
class ProcessMeter implements Meter {
  readonly #stat: KeptFile;
  readonly #readDisks: (() => Promise<DiskUse | undefined>) | undefined;
  readonly #readGuestAvailable: (() => Promise<number | undefined>) | undefined;
  #guestAskedMs = Number.NEGATIVE_INFINITY;
  #guestAvailable = 0;
  #before = "";
  #asking = false;
  #askedMs: number | undefined;
  #answer: { readonly use: DiskUse; readonly elapsedMs: number } | undefined;

  constructor({ pid, readDisks, readGuestAvailable }: MeterPlace & { readonly kind: "process" }) {
    this.#stat = new KeptFile(`/proc/${pid}/stat`);
    this.#readDisks = readDisks;
    this.#readGuestAvailable = readGuestAvailable;
  }

  read(subject: Subject, thorough: boolean): boolean {
    const text = this.#stat.read();
    if (text === undefined) return false;
    // The name before it, in brackets, may hold anything.
    const words = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const ticks = Number(words[11] ?? 0) + Number(words[12] ?? 0);
    subject.count(cpu.rate, cpu.total, ticks * msPerTick);
    subject.set(memory, Number(words[21] ?? 0) * pageBytes);
    subject.set(tail + 1, this.#guestAvailable);
    this.#askGuest();
    const answer = this.#answer;
    this.#answer = undefined;
    if (answer !== undefined) setDisks(subject, answer.use, answer.elapsedMs);
    const use = `${ticks}`;
    const isSame = use === this.#before;
    this.#before = use;
    if (isSame && !thorough) {
      if (answer === undefined) restDisks(subject);
      return false;
    }
    void this.#ask();
    return true;
  }

  [Symbol.dispose](): void {
    this.#stat[Symbol.dispose]();
  }

  #askGuest(): void {
    const nowMs = performance.now();
    if (this.#readGuestAvailable === undefined || nowMs - this.#guestAskedMs < askGuestEveryMs) return;
    this.#guestAskedMs = nowMs;
    const take = (bytes: number | undefined): void => {
      // None is left to a guest that says so; 0 would be one that says nothing.
      this.#guestAvailable = bytes === undefined ? 0 : Math.max(1, bytes);
    };
    void this.#readGuestAvailable().then(take, () => take(undefined));
  }

  /** The answer comes between two samples and counts in the next. */
  async #ask(): Promise<void> {
    if (this.#readDisks === undefined || this.#asking) return;
    this.#asking = true;
    const nowMs = performance.now();
    // A machine that does not answer now is asked again with the next sample.
    const use = await this.#readDisks().catch(() => undefined);
    this.#asking = false;
    if (use === undefined) return;
    this.#answer = { use, elapsedMs: this.#askedMs === undefined ? 0 : nowMs - this.#askedMs };
    this.#askedMs = nowMs;
  }
}

/** Adds up io.stat of version 2; pure. */
export function parseIoStat(text: string): DiskUse {
  const sums = [noUse(), noUse()] as const;
  for (const line of text.split("\n")) {
    const sum = sums[isLoop(line) ? 1 : 0];
    for (const [, word = "", digits = ""] of line.matchAll(/ (rbytes|wbytes|rios|wios)=(\d{1,18})/g)) {
      if (word === "rbytes") sum.readBytes += Number(digits);
      else if (word === "wbytes") sum.writeBytes += Number(digits);
      else if (word === "rios") sum.readOps += Number(digits);
      else sum.writeOps += Number(digits);
    }
  }
  return more(...sums);
}

/** Adds up files of blkio of version 1, which have a line for each device and way: "8:0 Read 4096"; pure. */
export function parseBlkio(bytes: string, requests: string): DiskUse {
  const sums = [noUse(), noUse()] as const;
  for (const [text, read, write] of [
    [bytes, "readBytes", "writeBytes"],
    [requests, "readOps", "writeOps"],
  ] as const) {
    for (const [line, way = "", digits = ""] of text.matchAll(/^\d+:\d+ (Read|Write) (\d{1,18})$/gm)) {
      sums[isLoop(line) ? 1 : 0][way === "Read" ? read : write] += Number(digits);
    }
  }
  return more(...sums);
}

/** A loop device is a file on a disk: what goes through it is counted there once more, or only here. */
function isLoop(line: string): boolean {
  return line.startsWith("7:");
}

type Sum = { -readonly [Key in keyof DiskUse]: number };

function noUse(): Sum {
  return { readBytes: 0, writeBytes: 0, readOps: 0, writeOps: 0 };
}

function more(a: DiskUse, b: DiskUse): DiskUse {
  return {
    readBytes: Math.max(a.readBytes, b.readBytes),
    writeBytes: Math.max(a.writeBytes, b.writeBytes),
    readOps: Math.max(a.readOps, b.readOps),
    writeOps: Math.max(a.writeOps, b.writeOps),
  };
}
