import { Figure } from "../../proto/gen/zor/v1/figures.js";

/** What a value is counted in. */
export type FigureUnit = "millicores" | "milliseconds" | "permille" | "bytes" | "per second" | "bytes per second" | "";

/** What people know of a figure. */
export interface FigureInfo {
  readonly figure: Figure;
  /** As it is named on command lines: "disk-read". */
  readonly word: string;
  readonly unit: FigureUnit;
  /** It counts since what is measured began; a rate says the same in less. */
  readonly isTotal: boolean;
}

const units: Readonly<Partial<Record<Figure, FigureUnit>>> = {
  [Figure.FIGURE_CPU]: "millicores",
  [Figure.FIGURE_CPU_TIME]: "milliseconds",
  [Figure.FIGURE_CPU_OF_LIMIT]: "permille",
  [Figure.FIGURE_CPU_USER_TIME]: "milliseconds",
  [Figure.FIGURE_CPU_SYSTEM_TIME]: "milliseconds",
  [Figure.FIGURE_CPU_IDLE_TIME]: "milliseconds",
  [Figure.FIGURE_CPU_IOWAIT_TIME]: "milliseconds",
  [Figure.FIGURE_CPU_IRQ_TIME]: "milliseconds",
  [Figure.FIGURE_CPU_STEAL_TIME]: "milliseconds",
  [Figure.FIGURE_PRESSURE_CPU_TIME]: "milliseconds",
  [Figure.FIGURE_PRESSURE_MEMORY_TIME]: "milliseconds",
  [Figure.FIGURE_PRESSURE_IO_TIME]: "milliseconds",
  [Figure.FIGURE_DISK_BUSY_TIME]: "milliseconds",
  [Figure.FIGURE_CPU_USER]: "millicores",
  [Figure.FIGURE_CPU_SYSTEM]: "millicores",
  [Figure.FIGURE_CPU_IOWAIT]: "millicores",
  [Figure.FIGURE_CPU_IRQ]: "millicores",
  [Figure.FIGURE_CPU_STEAL]: "millicores",
  [Figure.FIGURE_MEMORY]: "bytes",
  [Figure.FIGURE_MEMORY_LIMIT]: "bytes",
  [Figure.FIGURE_MEMORY_GUEST]: "bytes",
  [Figure.FIGURE_MEMORY_GUEST_AVAILABLE]: "bytes",
  [Figure.FIGURE_MEMORY_AVAILABLE]: "bytes",
  [Figure.FIGURE_SWAP]: "bytes",
  [Figure.FIGURE_KSM_SAVED]: "bytes",
  [Figure.FIGURE_DISK_READ]: "bytes per second",
  [Figure.FIGURE_DISK_WRITE]: "bytes per second",
  [Figure.FIGURE_DISK_READ_OPS]: "per second",
  [Figure.FIGURE_DISK_WRITE_OPS]: "per second",
  [Figure.FIGURE_DISK_READ_TOTAL]: "bytes",
  [Figure.FIGURE_DISK_WRITE_TOTAL]: "bytes",
  [Figure.FIGURE_DISK_BUSY]: "permille",
  [Figure.FIGURE_NET_IN]: "bytes per second",
  [Figure.FIGURE_NET_OUT]: "bytes per second",
  [Figure.FIGURE_NET_IN_FRAMES]: "per second",
  [Figure.FIGURE_NET_OUT_FRAMES]: "per second",
  [Figure.FIGURE_NET_DROPS]: "per second",
  [Figure.FIGURE_NET_ERRORS]: "per second",
  [Figure.FIGURE_NET_IN_TOTAL]: "bytes",
  [Figure.FIGURE_NET_OUT_TOTAL]: "bytes",
  [Figure.FIGURE_PRESSURE_CPU]: "permille",
  [Figure.FIGURE_PRESSURE_MEMORY]: "permille",
  [Figure.FIGURE_PRESSURE_IO]: "permille",
};

/** All figures, in the order of the API. */
export const allFigures: readonly FigureInfo[] = Object.values(Figure)
  .filter((value): value is Figure => typeof value === "number" && value > 0)
  .map((figure) => ({
    figure,
    word: wordOf(figure),
    unit: units[figure] ?? "",
    isTotal: /-(time|total)$/.test(wordOf(figure)),
  }));

const byFigure = new Map(allFigures.map((info) => [info.figure, info]));
const byWord = new Map(allFigures.map((info) => [info.word, info]));

/** What is known of a figure; undefined: it is of a newer program. */
export function findFigure(figure: Figure): FigureInfo | undefined {
  return byFigure.get(figure);
}

/** The figure of a word. */
export function figureNamed(word: string): FigureInfo | undefined {
  return byWord.get(word);
}

function wordOf(figure: Figure): string {
  return Figure[figure].replace("FIGURE_", "").replaceAll("_", "-").toLowerCase();
}
