import { Figure } from "../../proto/gen/zor/v1/figures.js";
import { measuredKindOf, type measuredKinds } from "../figures/subject-kind.js";
import type { Emit, Family } from "./family.js";

type MeasuredKind = (typeof measuredKinds)[number];

/** Something that is measured, with what it was measured at last. */
export interface FigureReading {
  readonly name: string;
  /** Part of it; "": the whole. */
  readonly part: string;
  readonly valueAt: (figure: Figure) => number | undefined;
}

/** What is told of one thing that is measured: its labels are those of its group. */
export interface FigureFamily extends Family {
  readonly sample: (reading: FigureReading, labels: readonly string[], emit: Emit) => void;
  /** Which figures it is made of. */
  readonly figures: readonly Figure[];
}

/** Families of one sort of things that are measured. */
export interface FigureGroup {
  /** Heading of docs/metrics.md. */
  readonly title: string;
  readonly families: readonly FigureFamily[];
  /** Values of its labels; undefined: it is of another sort. */
  readonly labelsOf: (kind: MeasuredKind, name: string, part: string) => readonly string[] | undefined;
}

/** What is counted in thousandths. */
const [perSecond, perDegree] = [1000, 1000];

/** Modes of processors, in the words of node_exporter. */
const modes = [
  ["user", Figure.FIGURE_CPU_USER_TIME],
  ["system", Figure.FIGURE_CPU_SYSTEM_TIME],
  ["idle", Figure.FIGURE_CPU_IDLE_TIME],
  ["iowait", Figure.FIGURE_CPU_IOWAIT_TIME],
  ["irq", Figure.FIGURE_CPU_IRQ_TIME],
  ["steal", Figure.FIGURE_CPU_STEAL_TIME],
] as const;

const [ofHost, ofDisk, ofSensor] = [["host"], ["host", "device"], ["host", "sensor"]];
const [ofInstance, ofWire, ofLink] = [
  ["host", "instance_id"],
  ["host", "wire", "end"],
  ["host", "link", "endpoint"],
];
/** Kinds that are told of; what passes lans is in their resources. */
export const kindsOfMetrics: readonly MeasuredKind[] = ["host", "instance", "wire", "link"];

/** What is measured, for Prometheus, in the order in which it is told. What follows from the resources themselves is in fleetFamilies. */
export const figureGroups: readonly FigureGroup[] = [
  {
    title: "hosts: what they use",
    labelsOf: (kind, name, part) => (kind === "host" && part === "" ? [hostOf(name)] : undefined),
    families: [
      {
        name: "zor_host_cpu_seconds_total",
        type: "counter",
        help: "Time that the host's processors spent in each mode.",
        labels: ["host", "mode"],
        figures: modes.map(([, figure]) => figure),
        sample: (reading, [host = ""], emit) => {
          for (const [mode, figure] of modes) emit([host, mode], scaled(reading.valueAt(figure), perSecond));
        },
      },
      gauge("zor_host_swap_used_bytes", ofHost, Figure.FIGURE_SWAP, "Swap of the host in use."),
      gauge("zor_host_ksm_saved_bytes", ofHost, Figure.FIGURE_KSM_SAVED, "Memory saved by sharing equal pages."),
      ...pressures("zor_host", ofHost, "on the host"),
    ],
  },
  {
    title: "disks of hosts",
    labelsOf: (kind, name, part) =>
      kind === "host" && part.startsWith("disk:") ? [hostOf(name), part.slice("disk:".length)] : undefined,
    families: [
      ...disks("zor_host", ofDisk, "the disk"),
      time("zor_host_disk_io_time_seconds_total", ofDisk, Figure.FIGURE_DISK_BUSY_TIME, "Time the disk was busy."),
    ],
  },
  {
    title: "sensors of hosts",
    labelsOf: (kind, name, part) =>
      kind === "host" && part.startsWith("sensor:") ? [hostOf(name), part.slice("sensor:".length)] : undefined,
    families: [
      family(
        { name: "zor_host_temperature_celsius", type: "gauge", labels: ofSensor, help: "What a sensor tells." },
        Figure.FIGURE_TEMPERATURE,
        perDegree,
      ),
    ],
  },
  {
    title: "instances: what they use",
    labelsOf: (kind, name) => (kind === "instance" ? [hostOf(name), lastOf(name)] : undefined),
    families: [
      time("zor_instance_cpu_seconds_total", ofInstance, Figure.FIGURE_CPU_TIME, "Processor time of the instance."),
      gauge("zor_instance_memory_bytes", ofInstance, Figure.FIGURE_MEMORY, "Memory of the host that it has."),
      gauge("zor_instance_memory_limit_bytes", ofInstance, Figure.FIGURE_MEMORY_LIMIT, "Memory that it may have."),
      present(
        gauge("zor_instance_memory_guest_bytes", ofInstance, Figure.FIGURE_MEMORY_GUEST, "What its balloon leaves it."),
      ),
      present(
        gauge(
          "zor_instance_memory_guest_available_bytes",
          ofInstance,
          Figure.FIGURE_MEMORY_GUEST_AVAILABLE,
          "What its guest says its programs can still have.",
        ),
      ),
      ...disks("zor_instance", ofInstance, "its disks"),
      ...traffic("zor_instance_network", ofInstance, ["came to the instance", "came from the instance"]),
      ...pressures("zor_instance", ofInstance, "in the container"),
    ],
  },
  {
    title: "ends of wires",
    labelsOf: (kind, name, part) => (kind === "wire" ? [hostOf(name), lastOf(name), part] : undefined),
    families: traffic("zor_wire_end", ofWire, ["went into the wire at an end", "came out of the wire at an end"]),
  },
  {
    title: "ends of links, where they are plugged in",
    // Of both ends each host knows its own; which host has measured is in the name of what it is plugged into.
    labelsOf: (kind, name, part) => (kind === "link" && part !== "" ? [hostOf(part), lastOf(name), part] : undefined),
    families: traffic("zor_link_port", ofLink, ["came out of the link", "went into the link"]),
  },
];

/** All figures that metrics are made of. */
export const figuresOfMetrics: readonly Figure[] = [
  ...new Set(figureGroups.flatMap(({ families }) => families.flatMap(({ figures }) => figures))),
];

/** The group of something that is measured, with the values of its labels. */
export function findFigureGroup(
  name: string,
  part: string,
): { readonly group: FigureGroup; readonly labels: readonly string[] } | undefined {
  const kind = measuredKindOf(name);
  if (kind === undefined) return undefined;
  for (const group of figureGroups) {
    const labels = group.labelsOf(kind, name, part);
    if (labels !== undefined) return { group, labels };
  }
  return undefined;
}

/** @param parts how many of what is measured make one of what is told. */
function family(head: Family, figure: Figure, parts: number): FigureFamily {
  return {
    ...head,
    figures: [figure],
    sample: (reading, labels, emit) => emit(labels, scaled(reading.valueAt(figure), parts)),
  };
}

/** What goes up and down. */
function gauge(name: string, labels: readonly string[], figure: Figure, help: string): FigureFamily {
  return family({ name, type: "gauge", labels, help }, figure, 1);
}

function counter(name: string, labels: readonly string[], figure: Figure, help: string): FigureFamily {
  return family({ name, type: "counter", labels, help }, figure, 1);
}

/** Milliseconds as seconds. */
function time(name: string, labels: readonly string[], figure: Figure, help: string): FigureFamily {
  return family({ name, type: "counter", labels, help }, figure, perSecond);
}

/** Of a figure that says with 0 that there is none. */
function present(of: FigureFamily): FigureFamily {
  const sample: FigureFamily["sample"] = (reading, labels, emit) =>
    of.sample(reading, labels, (each, value) => emit(each, value === 0 ? undefined : value));
  return { ...of, sample };
}

function disks(prefix: string, labels: readonly string[], what: string): readonly FigureFamily[] {
  const of = (word: string, figure: Figure, help: string): FigureFamily =>
    counter(`${prefix}_disk_${word}_total`, labels, figure, help);
  return [
    of("read_bytes", Figure.FIGURE_DISK_READ_TOTAL, `Bytes read from ${what}.`),
    of("written_bytes", Figure.FIGURE_DISK_WRITE_TOTAL, `Bytes written to ${what}.`),
    of("reads_completed", Figure.FIGURE_DISK_READ_OPS_TOTAL, `Requests to read from ${what}.`),
    of("writes_completed", Figure.FIGURE_DISK_WRITE_OPS_TOTAL, `Requests to write to ${what}.`),
  ];
}

function traffic(
  prefix: string,
  labels: readonly string[],
  [inwards, outwards]: readonly [string, string],
): readonly FigureFamily[] {
  const of = (word: string, figure: Figure, help: string): FigureFamily =>
    counter(`${prefix}_${word}_total`, labels, figure, help);
  return [
    of("receive_frames", Figure.FIGURE_NET_IN_FRAMES_TOTAL, `Frames that ${inwards}.`),
    of("receive_bytes", Figure.FIGURE_NET_IN_TOTAL, `Bytes that ${inwards}.`),
    of("transmit_frames", Figure.FIGURE_NET_OUT_FRAMES_TOTAL, `Frames that ${outwards}.`),
    of("transmit_bytes", Figure.FIGURE_NET_OUT_TOTAL, `Bytes that ${outwards}.`),
    of("dropped_frames", Figure.FIGURE_NET_DROPS_TOTAL, "Frames dropped either way."),
    of("error_frames", Figure.FIGURE_NET_ERRORS_TOTAL, "Frames with errors either way."),
  ];
}

function pressures(prefix: string, labels: readonly string[], where: string): readonly FigureFamily[] {
  const of = (word: string, figure: Figure, what: string): FigureFamily =>
    time(
      `${prefix}_pressure_${word}_waiting_seconds_total`,
      labels,
      figure,
      `Time in which something ${where} waited for ${what}.`,
    );
  return [
    of("cpu", Figure.FIGURE_PRESSURE_CPU_TIME, "a processor"),
    of("memory", Figure.FIGURE_PRESSURE_MEMORY_TIME, "memory"),
    of("io", Figure.FIGURE_PRESSURE_IO_TIME, "disks"),
  ];
}

function scaled(value: number | undefined, parts: number): number | undefined {
  return value === undefined || parts === 1 ? value : value / parts;
}

function hostOf(name: string): string {
  return name.split("/", 2)[1] ?? "";
}

function lastOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}
