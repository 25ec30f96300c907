import type { Figure } from "../../proto/gen/zor/v1/figures.js";
import { invalidArgument } from "../errors.js";
import { quote } from "../names.js";
import { toMs } from "../duration.js";
import type { WatchFiguresRequest } from "../../proto/gen/zor/v1/figures_service.js";
import { findFigure } from "./figure-table.js";
import { measuredKindOf, measuredKinds } from "./subject-kind.js";

const maxNames = 256;
const [leastIntervalMs, mostIntervalMs] = [1000, 60_000];
const forms = '"hosts/{host}", "hosts/{host}/instances/{instance}", a lan, a wire or "links/{link}"';

/** Checks what a watch asks for. @throws {ZorError} INVALID_ARGUMENT */
export function checkSelection({ names, kinds, figures, interval }: WatchFiguresRequest): void {
  if (names.length > maxNames) throw invalidArgument("names", `at most ${maxNames} names; leave them out to watch all`);
  for (const name of names) checkMeasuredName("names", name);
  const unknown = kinds.find((kind) => !measuredKinds.some((known) => known === kind));
  if (unknown !== undefined)
    throw invalidArgument("kinds", `${quote(unknown)} is not measured; what is are ${measuredKinds.join(", ")}`);
  checkFigures(figures);
  const intervalMs = interval === undefined ? leastIntervalMs : toMs(interval);
  if (!(intervalMs >= leastIntervalMs && intervalMs <= mostIntervalMs))
    throw invalidArgument("interval", "it must be 1 s to 60 s; leave it out for 1 s");
}

/** How often a watch that was checked is told, in milliseconds. */
export function intervalMsOf({ interval }: Pick<WatchFiguresRequest, "interval">): number {
  return interval === undefined ? leastIntervalMs : toMs(interval);
}

/** Checks the name of something that is measured. @throws {ZorError} INVALID_ARGUMENT */
export function checkMeasuredName(field: string, name: string): void {
  const isShort = name.length <= 256 && /^[A-Za-z0-9_./-]+$/.test(name);
  if (!isShort || measuredKindOf(name) === undefined)
    throw invalidArgument(field, `${quote(name)} is not the name of something that is measured: ${forms}`);
}

/** Checks figures of a request. @throws {ZorError} INVALID_ARGUMENT */
export function checkFigures(figures: readonly Figure[]): void {
  const unknown = figures.find((figure) => findFigure(figure) === undefined);
  if (unknown !== undefined) throw invalidArgument("figures", `${unknown} is no figure that this program knows`);
}
