import { Figure } from "../../proto/gen/zor/v1/figures.js";
import { allFigures, figureNamed, findFigure } from "../figures/figure-table.js";
import { measuredKinds } from "../figures/subject-kind.js";
import type { Unit } from "./quantity.js";

/** Words for fields of a kind, each with the paths that it stands for; of several each counts. What stands in spec or status needs none. */
const shortPaths: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  instance: {
    mem: ["spec.memory_mib"],
    memory: ["spec.memory_mib"],
    lan: ["spec.nics.lan"],
    mac: ["spec.nics.mac", "status.nics.mac"],
    ip: ["spec.nics.addresses", "status.nics.addresses", "status.heard_addresses.address"],
    address: ["spec.nics.addresses", "status.nics.addresses", "status.heard_addresses.address"],
    image: ["spec.qemu.disks.image", "spec.docker.image", "spec.podman.image", "spec.crun.rootfs"],
    started: ["status.start_time"],
  },
  host: {
    mem: ["fingerprint.memory_mib"],
    memory: ["fingerprint.memory_mib"],
    "mem.free": ["summary.memory_available_mib"],
    cpus: ["fingerprint.cpus"],
    load: ["summary.load_average"],
    rtt: ["session_rtt"],
    version: ["fingerprint.agent_version"],
    os: ["fingerprint.operating_system"],
    kernel: ["fingerprint.kernel"],
    arch: ["fingerprint.architecture"],
    ip: ["addresses", "underlay_addresses"],
    address: ["addresses", "underlay_addresses"],
    seen: ["last_seen_age"],
  },
  link: {
    lan: ["spec.a", "spec.b"],
    end: ["spec.a", "spec.b"],
    loss: ["status.loss_ratio"],
    mtu: ["status.mtu_proven"],
    since: ["status.since_time"],
  },
  operation: { progress: ["progress_percent"] },
  event: { about: ["resource"] },
  snapshot: { size: ["status.size_bytes"] },
  backup: { size: ["status.size_bytes"] },
};

/** A word for a figure, and how it is counted. */
export interface FigureWord {
  readonly figure: Figure;
  readonly unit: Unit;
}

/** Words that mean a figure besides its own: "cpu" is what people mean by it, a share of what something may have. */
const figureWords: Readonly<Record<string, string>> = {
  cpu: "cpu-of-limit",
  cores: "cpu",
  "mem.used": "memory",
  rss: "memory",
  "mem.limit": "memory-limit",
  "mem.available": "memory-available",
};

/** The paths that a word stands for, in the order in which they are asked for; undefined: it is no short name. */
export function shortPathsOf(kind: string, word: string): readonly string[] | undefined {
  const names = shortPaths[kind] ?? {};
  return Object.hasOwn(names, word) ? names[word] : undefined;
}

/** Short names of a kind's fields. */
export function shortNamesOf(kind: string): readonly string[] {
  return Object.keys(shortPaths[kind] ?? {});
}

/** The figure of a kind that a word means, "cpu", "net-in", "net.in"; undefined: none. */
export function figureWordOf(kind: string, word: string): FigureWord | undefined {
  if (!measuredKinds.some((each) => each === kind)) return undefined;
  const own = Object.hasOwn(figureWords, word) ? figureWords[word] : undefined;
  const info = figureNamed(own ?? word.replaceAll(".", "-").replaceAll("_", "-"));
  if (info === undefined) return undefined;
  return { figure: info.figure, unit: unitOfFigure(info.unit) };
}

/**
 * How queries name a figure of a kind, and how much more of the figure's own unit each number has that they give; undefined: they have no word for it.
 */
export function figureField(
  kind: string,
  figure: Figure,
): { readonly word: string; readonly factor: number } | undefined {
  // The field of a host says the same, in whole ones.
  if (kind === "host" && figure === Figure.FIGURE_LOAD) return { word: "load", factor: 100 };
  const own = findFigure(figure)?.word;
  if (own === undefined) return undefined;
  const [short] = Object.entries(figureWords).find(([, each]) => each === own) ?? [];
  const word = short ?? own.replaceAll("-", ".");
  const found = shortPathsOf(kind, word) === undefined ? figureWordOf(kind, word) : undefined;
  return found?.figure === figure ? { word, factor: 1 / found.unit.factor } : undefined;
}

/** Words for figures of a kind. */
export function figureNamesOf(kind: string): readonly string[] {
  if (!measuredKinds.some((each) => each === kind)) return [];
  const isOfNetwork = kind === "lan" || kind === "wire" || kind === "link";
  const all = allFigures.filter(({ isTotal }) => !isTotal).map(({ word }) => word.replaceAll("-", "."));
  const own = all.filter((word) => word !== "cpu" && (!isOfNetwork || word.startsWith("net.")));
  return isOfNetwork ? own : [...Object.keys(figureWords), ...own];
}

function unitOfFigure(unit: string): Unit {
  switch (unit) {
    case "permille":
      return { dimension: "percent", factor: 0.1, isScaled: true };
    case "millicores":
      return { dimension: "number", factor: 0.001, isScaled: true };
    case "milliseconds":
      return { dimension: "time", factor: 1 };
    case "bytes":
    case "bytes per second":
      return { dimension: "bytes", factor: 1 };
    default:
      return { dimension: "number", factor: 1 };
  }
}
