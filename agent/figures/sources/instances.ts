import { toMs } from "../../../lib/duration.js";
import { Figure } from "../../../proto/gen/zor/v1/figures.js";
import type { Instance } from "../../../proto/gen/zor/v1/instance.js";
import type { InstanceStatistics } from "../../../proto/gen/zor/v1/statistics_service.js";
import type { MeterPlace } from "../../drivers/abilities/measured.js";
import type { Subject, Subjects } from "../subject.js";
import type { Devices } from "./devices.js";
import { at, createMeter, figuresOf, type Meter, meterFigures, setDisks, tail } from "./meter.js";
import { type Source, turn } from "./source.js";
import { setTraffic, sumOf, turned } from "./traffic.js";

/** How an instance can be measured: the kernel counts it, its runtime tells when it is asked, or neither. */
export type HowMeasured =
  | { readonly kind: "place"; readonly place: MeterPlace }
  | { readonly kind: "asked"; readonly ask: () => Promise<InstanceStatistics> }
  | undefined;

/** What the source needs of the agent around it. */
interface Surroundings {
  readonly subjects: Subjects;
  readonly devices: Devices;
  /** How one that runs is measured. Never rejects. */
  readonly findHow: (name: string) => Promise<HowMeasured>;
}

/** What is known of an instance that runs. */
interface Known {
  /** Undefined until it is known how it is measured. */
  subject: Subject | undefined;
  /** Of which run: its process and start. */
  readonly run: string;
  meter: Meter | undefined;
  asked: Asked | undefined;
  cpus: number;
  memoryBytes: number;
  guestBytes: number;
  ports: readonly string[];
}

const [mib, chunk] = [2 ** 20, 200];
/** An instance that does nothing is looked at whole once in so many samples. */
const thoroughEvery = 30;
/** Runtimes that have to be asked are asked no more often. */
const askEveryMs = 10_000;

/** The instances of a host that run. */
export class InstanceSource implements Source {
  readonly #around: Surroundings;
  readonly #known = new Map<string, Known>();
  #closed = false;

  constructor(around: Surroundings) {
    this.#around = around;
  }

  /** Takes note of how an instance is now. */
  note(instance: Instance): void {
    const { name, spec, status } = instance;
    const pid = status?.pid ?? 0n;
    if (pid === 0n || this.#closed) {
      this.forget(name);
      return;
    }
    const run = `${pid} ${status?.startTime?.getTime() ?? 0}`;
    let known = this.#known.get(name);
    if (known !== undefined && known.run !== run) {
      this.forget(name);
      known = undefined;
    }
    if (known === undefined) {
      known = {
        subject: undefined,
        run,
        meter: undefined,
        asked: undefined,
        cpus: 0,
        memoryBytes: 0,
        guestBytes: 0,
        ports: [],
      };
      this.#known.set(name, known);
      void this.#findMeter(instance, known);
    }
    known.cpus = spec?.cpus ?? 0;
    known.memoryBytes = Number(spec?.memoryMib ?? 0) * mib;
    known.guestBytes = Number(status?.balloonMib ?? 0n) * mib;
    known.ports = (status?.nics ?? []).map(({ port }) => port).filter((port) => port !== "");
  }

  /** It is gone, or runs no more. */
  forget(name: string): void {
    const known = this.#known.get(name);
    if (known === undefined) return;
    this.#known.delete(name);
    known.meter?.[Symbol.dispose]();
    if (known.subject !== undefined) this.#around.subjects.remove(known.subject);
  }

  async collect(): Promise<void> {
    const { clock } = this.#around.subjects;
    let read = 0;
    for (const known of [...this.#known.values()]) {
      // Not all in the same sample.
      this.#measure(known, (clock.number + read) % thoroughEvery === 0);
      if (++read % chunk === 0) await turn();
      if (this.#closed) return;
    }
  }

  close(): void {
    this.#closed = true;
    for (const name of [...this.#known.keys()]) this.forget(name);
  }

  #measure(known: Known, thorough: boolean): void {
    const { subject, meter, asked, cpus, ports } = known;
    if (subject === undefined) return;
    meter?.read(subject, thorough || subject.changedAt === 0);
    asked?.apply(subject);
    if (cpus > 0)
      subject.set(at(Figure.FIGURE_CPU_OF_LIMIT), Math.min(1000, (subject.values[at(Figure.FIGURE_CPU)] ?? 0) / cpus));
    if (known.memoryBytes > 0) subject.set(at(Figure.FIGURE_MEMORY_LIMIT), known.memoryBytes);
    if (subject.figures[tail] === Figure.FIGURE_MEMORY_GUEST) subject.set(tail, known.guestBytes);
    const traffic = sumOf(ports.map((port) => this.#around.devices.find(port)));
    // The switch's side sees it the other way round.
    if (traffic !== undefined) setTraffic(subject, meterFigures.length, turned(traffic));
  }

  async #findMeter({ name }: Instance, known: Known): Promise<void> {
    const how = await this.#around.findHow(name);
    if (this.#known.get(name) !== known) return;
    const place = how?.kind === "place" ? how.place : undefined;
    if (place !== undefined) known.meter = createMeter(place);
    else if (how?.kind === "asked") known.asked = new Asked(how.ask);
    known.subject = this.#around.subjects.add(name, "", figuresOf(place));
  }
}

/** Statistics of a runtime that has to be asked for them. */
class Asked {
  readonly #ask: () => Promise<InstanceStatistics>;
  #askedMs = Number.NEGATIVE_INFINITY;
  #setMs: number | undefined;
  #answer: InstanceStatistics | undefined;

  constructor(ask: () => Promise<InstanceStatistics>) {
    this.#ask = ask;
  }

  /** Sets what was answered since the last time, and asks when it is time. */
  apply(subject: Subject): void {
    const answer = this.#answer;
    this.#answer = undefined;
    const nowMs = performance.now();
    if (nowMs - this.#askedMs >= askEveryMs) {
      this.#askedMs = nowMs;
      // One that does not answer is asked again in its time.
      void this.#ask().then(
        (statistics) => {
          this.#answer = statistics;
        },
        () => undefined,
      );
    }
    if (answer === undefined) return;
    const elapsedMs = this.#setMs === undefined ? 0 : nowMs - this.#setMs;
    this.#setMs = nowMs;
    const [rate, total] = [at(Figure.FIGURE_CPU), at(Figure.FIGURE_CPU_TIME)];
    if (answer.cpuTime !== undefined) subject.count(rate, total, toMs(answer.cpuTime), elapsedMs);
    if (answer.memoryBytes !== undefined) subject.set(at(Figure.FIGURE_MEMORY), Number(answer.memoryBytes));
    const sum = (of: "readBytes" | "writeBytes" | "readOperations" | "writeOperations"): number =>
      answer.disks.reduce((all, disk) => all + Number(disk[of]), 0);
    const [readOps, writeOps] = [sum("readOperations"), sum("writeOperations")];
    setDisks(subject, { readBytes: sum("readBytes"), writeBytes: sum("writeBytes"), readOps, writeOps }, elapsedMs);
  }
}
