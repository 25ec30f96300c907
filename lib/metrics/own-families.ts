import type { Hook } from "../../proto/gen/zor/v1/hook_service.js";
import { version } from "../program.js";
import type { Sampled } from "./family.js";

/** What a program tells of itself. */
export interface OwnFacts {
  /** "hub" or "agent". */
  readonly program: string;
  readonly hooks: readonly Hook[];
  readonly events: { readonly last: number };
  /** Its spans; undefined: it makes none. */
  readonly traces?: { readonly exported: number; readonly dropped: number } | undefined;
}

/** Families about the program that is asked. */
export const ownFamilies: readonly Sampled<OwnFacts>[] = [
  {
    name: "zor_build_info",
    type: "gauge",
    help: "Program and version; always 1.",
    labels: ["program", "version"],
    sample: ({ program }, emit) => emit([program, version], 1),
  },
  {
    name: "zor_process_start_time_seconds",
    type: "gauge",
    help: "When the program was started, seconds since 1970.",
    labels: [],
    sample: (_, emit) => emit([], Math.trunc(Date.now() / 1000 - process.uptime())),
  },
  {
    name: "zor_process_resident_memory_bytes",
    type: "gauge",
    help: "Memory of the program.",
    labels: [],
    sample: (_, emit) => emit([], process.memoryUsage.rss()),
  },
  {
    name: "zor_process_cpu_seconds_total",
    type: "counter",
    help: "Processor time of the program.",
    labels: [],
    sample: (_, emit) => {
      const { user, system } = process.cpuUsage();
      emit([], (user + system) / 1e6);
    },
  },
  {
    name: "zor_events_position_total",
    type: "counter",
    help: "Position of the newest event that is kept; positions are left out at restarts.",
    labels: [],
    sample: ({ events }, emit) => emit([], events.last),
  },
  {
    name: "zor_traces_exported_spans_total",
    type: "counter",
    help: "Spans that the collector of traces has taken since the program was started.",
    labels: [],
    sample: ({ traces }, emit) => emit([], traces?.exported),
  },
  {
    name: "zor_traces_dropped_spans_total",
    type: "counter",
    help: "Spans that no collector will see: it did not answer, or refused them.",
    labels: [],
    sample: ({ traces }, emit) => emit([], traces?.dropped),
  },
  {
    name: "zor_hook_delivered_total",
    type: "counter",
    help: "Events that a hook has delivered since the program was started.",
    labels: ["hook"],
    sample: ({ hooks }, emit) => {
      for (const { name, delivered } of hooks) emit([name], delivered);
    },
  },
  {
    name: "zor_hook_dead_letters",
    type: "gauge",
    help: "Events that a hook has given up.",
    labels: ["hook"],
    sample: ({ hooks }, emit) => {
      for (const { name, deadLetters } of hooks) emit([name], deadLetters);
    },
  },
];
