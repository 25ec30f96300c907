import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Figure } from "../../../proto/gen/zor/v1/figures.js";
import { KeptFile, numberAfter, pressureOf, readOnce } from "../kept-file.js";
import type { Subject, Subjects } from "../subject.js";
import { diskUseFigures } from "./disk-figures.js";
import { Sensors, sensorFigures } from "./sensors.js";
import type { Source } from "./source.js";

const hostFigures = [
  Figure.FIGURE_CPU,
  Figure.FIGURE_CPU_TIME,
  Figure.FIGURE_CPU_OF_LIMIT,
  Figure.FIGURE_CPU_USER,
  Figure.FIGURE_CPU_SYSTEM,
  Figure.FIGURE_CPU_IOWAIT,
  Figure.FIGURE_CPU_IRQ,
  Figure.FIGURE_CPU_STEAL,
  Figure.FIGURE_LOAD,
  Figure.FIGURE_MEMORY,
  Figure.FIGURE_MEMORY_LIMIT,
  Figure.FIGURE_MEMORY_AVAILABLE,
  Figure.FIGURE_SWAP,
  Figure.FIGURE_KSM_SAVED,
  Figure.FIGURE_PRESSURE_CPU,
  Figure.FIGURE_PRESSURE_MEMORY,
  Figure.FIGURE_PRESSURE_IO,
  Figure.FIGURE_CPU_USER_TIME,
  Figure.FIGURE_CPU_SYSTEM_TIME,
  Figure.FIGURE_CPU_IDLE_TIME,
  Figure.FIGURE_CPU_IOWAIT_TIME,
  Figure.FIGURE_CPU_IRQ_TIME,
  Figure.FIGURE_CPU_STEAL_TIME,
  Figure.FIGURE_PRESSURE_CPU_TIME,
  Figure.FIGURE_PRESSURE_MEMORY_TIME,
  Figure.FIGURE_PRESSURE_IO_TIME,
] as const;
const diskFigures = [...diskUseFigures, Figure.FIGURE_DISK_BUSY, Figure.FIGURE_DISK_BUSY_TIME];
/** Modes of processors, by the positions of their counters in the first line of /proc/stat. */
const modeTimes: readonly (readonly [HostFigure, readonly number[]])[] = [
  [Figure.FIGURE_CPU_USER_TIME, [0, 1]],
  [Figure.FIGURE_CPU_SYSTEM_TIME, [2]],
  [Figure.FIGURE_CPU_IDLE_TIME, [3]],
  [Figure.FIGURE_CPU_IOWAIT_TIME, [4]],
  [Figure.FIGURE_CPU_IRQ_TIME, [5, 6]],
  [Figure.FIGURE_CPU_STEAL_TIME, [7]],
];
const [sectorBytes, kib, pageBytes, msPerTick] = [512, 1024, 4096, 10];
const maxDisks = 64;

type HostFigure = (typeof hostFigures)[number];

/** What files of the host are read; tests have some of their own. */
export interface HostPaths {
  readonly proc: string;
  readonly sys: string;
}

/** The host itself: processors, memory, disks, sensors. */
export class HostSource implements Source {
  readonly #subjects: Subjects;
  readonly #subject: Subject;
  readonly #disks = new Map<string, { readonly subject: Subject; busyMs: number | undefined }>();
  readonly #sensors: Sensors;
  readonly #sys: string;
  readonly #files: Readonly<Record<"stat" | "load" | "memory" | "cpu" | "mem" | "io" | "ksm", KeptFile>>;
  readonly #diskTable: string;
  /** Ticks of each mode, as they were. */
  #modes: readonly number[] | undefined;

  constructor(subjects: Subjects, host: string, { proc, sys }: HostPaths = { proc: "/proc", sys: "/sys" }) {
    this.#subjects = subjects;
    this.#subject = subjects.add(`hosts/${host}`, "", hostFigures);
    this.#sys = sys;
    this.#sensors = new Sensors(sys);
    this.#diskTable = join(proc, "diskstats");
    const file = (path: string): KeptFile => new KeptFile(join(proc, path));
    this.#files = {
      ...{ stat: file("stat"), load: file("loadavg"), memory: file("meminfo") },
      ...{ cpu: file("pressure/cpu"), mem: file("pressure/memory"), io: file("pressure/io") },
      ksm: new KeptFile(join(sys, "kernel/mm/ksm/pages_sharing")),
    };
  }

  collect(): void {
    this.#readProcessors();
    this.#readMemory();
    this.#set(Figure.FIGURE_LOAD, Number.parseFloat(this.#files.load.read() ?? "") * 100);
    this.#readPressures();
    this.#readDisks(readOnce(this.#diskTable) ?? "");
    for (const { name, isNew, milliDegrees } of this.#sensors.read()) {
      const subject = isNew
        ? this.#subjects.add(this.#subject.name, `sensor:${name}`, sensorFigures)
        : [...this.#subjects.all].find(({ part }) => part === `sensor:${name}`);
      subject?.set(0, milliDegrees);
    }
  }

  close(): void {
    for (const file of Object.values(this.#files)) file[Symbol.dispose]();
    this.#sensors.close();
  }

  #set(figure: HostFigure, value: number | undefined): void {
    if (value !== undefined && !Number.isNaN(value)) this.#subject.set(hostFigures.indexOf(figure), value);
  }

  #readProcessors(): void {
    const text = this.#files.stat.read();
    if (text === undefined) return;
    // user nice system idle iowait irq softirq steal; guests are in user already.
    const modes = text.slice(0, text.indexOf("\n")).split(/\s+/).slice(1, 9).map(Number);
    const cpus = text.split("\ncpu").length - 1;
    const before = this.#modes;
    this.#modes = modes;
    const at = (index: number): number => modes[index] ?? 0;
    const busy = (at(0) + at(1) + at(2) + at(5) + at(6) + at(7)) * msPerTick;
    this.#set(Figure.FIGURE_CPU_TIME, busy);
    for (const [figure, indexes] of modeTimes) {
      this.#set(figure, indexes.reduce((sum, index) => sum + at(index), 0) * msPerTick);
    }
    if (before === undefined) return;
    const grown = modes.map((ticks, index) => Math.max(0, ticks - (before[index] ?? 0)));
    const all = grown.reduce((sum, ticks) => sum + ticks, 0);
    if (all === 0) return;
    const share = (...indexes: readonly number[]): number =>
      (indexes.reduce((sum, index) => sum + (grown[index] ?? 0), 0) / all) * cpus * 1000;
    this.#set(Figure.FIGURE_CPU, share(0, 1, 2, 5, 6, 7));
    this.#set(Figure.FIGURE_CPU_OF_LIMIT, share(0, 1, 2, 5, 6, 7) / cpus);
    this.#set(Figure.FIGURE_CPU_USER, share(0, 1));
    this.#set(Figure.FIGURE_CPU_SYSTEM, share(2));
    this.#set(Figure.FIGURE_CPU_IOWAIT, share(4));
    this.#set(Figure.FIGURE_CPU_IRQ, share(5, 6));
    this.#set(Figure.FIGURE_CPU_STEAL, share(7));
  }

  #readPressures(): void {
    for (const [share, time, file] of [
      [Figure.FIGURE_PRESSURE_CPU, Figure.FIGURE_PRESSURE_CPU_TIME, this.#files.cpu],
      [Figure.FIGURE_PRESSURE_MEMORY, Figure.FIGURE_PRESSURE_MEMORY_TIME, this.#files.mem],
      [Figure.FIGURE_PRESSURE_IO, Figure.FIGURE_PRESSURE_IO_TIME, this.#files.io],
    ] as const) {
      const pressure = pressureOf(file.read());
      this.#set(share, pressure?.share);
      this.#set(time, pressure?.totalMs);
    }
  }

  #readMemory(): void {
    const text = (this.#files.memory.read() ?? "").replaceAll(/: +/g, " ");
    const [total = 0, available = 0] = ["MemTotal", "MemAvailable"].map((word) => numberAfter(text, word));
    if (total === 0) return;
    this.#set(Figure.FIGURE_MEMORY_LIMIT, total * kib);
    this.#set(Figure.FIGURE_MEMORY_AVAILABLE, available * kib);
    this.#set(Figure.FIGURE_MEMORY, (total - available) * kib);
    const [swap = 0, free = 0] = ["SwapTotal", "SwapFree"].map((word) => numberAfter(text, word));
    this.#set(Figure.FIGURE_SWAP, (swap - free) * kib);
    this.#set(Figure.FIGURE_KSM_SAVED, Number.parseInt(this.#files.ksm.read() ?? "0", 10) * pageBytes);
  }

  #readDisks(table: string): void {
    for (const line of table.split("\n")) {
      const words = line.trim().split(/\s+/);
      const name = words[2] ?? "";
      const at = (index: number): number => Number(words[index] ?? 0);
      let disk = this.#disks.get(name);
      if (disk === undefined) {
        if (at(3) + at(7) === 0 || this.#disks.size >= maxDisks || !this.#isWhole(name)) continue;
        disk = {
          subject: this.#subjects.add(this.#subject.name, `disk:${name}`, diskFigures),
          busyMs: undefined,
        };
        this.#disks.set(name, disk);
      }
      const { subject, busyMs } = disk;
      subject.count(0, 4, at(5) * sectorBytes);
      subject.count(1, 5, at(9) * sectorBytes);
      subject.count(2, 6, at(3));
      subject.count(3, 7, at(7));
      const { elapsedMs } = this.#subjects.clock;
      if (busyMs !== undefined && elapsedMs > 0) subject.set(8, Math.min(1000, ((at(12) - busyMs) * 1000) / elapsedMs));
      disk.busyMs = at(12);
      subject.set(9, at(12));
    }
  }

  /** Partitions, loops and memory are left out. */
  #isWhole(name: string): boolean {
    if (!/^[A-Za-z0-9_-]{1,32}$/.test(name) || /^(loop|ram|zram)\d/.test(name)) return false;
    return listed(join(this.#sys, "block")).includes(name);
  }
}

function listed(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
