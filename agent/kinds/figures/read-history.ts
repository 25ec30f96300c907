import { invalidArgument } from "../../../lib/errors.js";
import { checkFigures, checkMeasuredName } from "../../../lib/figures/check-selection.js";
import { quote } from "../../../lib/names.js";
import { measuredKindOf } from "../../../lib/figures/subject-kind.js";
import type { FigureHistory, FigurePoint, ReadHistoryRequest } from "../../../proto/gen/zor/v1/figures_service.js";
import type { History, KeptPoint } from "../../figures/history/history.js";

const hourMs = 3_600_000;
const points = { usual: 240, most: 2000 } as const;
const [maxFigures, maxSeries, maxPart] = [16, 64, 256];

/** What is read, checked. */
interface Range {
  readonly startMs: number;
  readonly endMs: number;
  readonly maxPoints: number;
}

/** Reads what figures were. @throws {ZorError} INVALID_ARGUMENT */
export async function readHistory(
  history: History | undefined,
  request: ReadHistoryRequest,
  { host, nowMs }: { readonly host: string; readonly nowMs: number },
): Promise<FigureHistory[]> {
  const range = checkRequest(request, nowMs);
  const { name, part, figures } = request;
  const kind = measuredKindOf(name);
  const hasOnlyEnds = part === "" && (kind === "link" || kind === "wire");
  const groups = (history?.groupsOf(name) ?? []).filter((group) => hasOnlyEnds || group.part === part);
  const series: FigureHistory[] = [];
  for (const group of groups) {
    const read = await history?.read(group, range);
    for (const [figure, kept] of read ?? []) {
      if (figures.length > 0 && !figures.includes(figure)) continue;
      if (kept.length === 0 || series.length >= maxSeries) continue;
      series.push({ host: `hosts/${host}`, name, part: group.part, figure, points: bringTogether(kept, range) });
    }
  }
  return series;
}

function checkRequest(
  { name, part, figures, startTime, endTime, maxPoints }: ReadHistoryRequest,
  nowMs: number,
): Range {
  checkMeasuredName("name", name);
  checkFigures(figures);
  if (figures.length > maxFigures) throw invalidArgument("figures", `at most ${maxFigures} at once`);
  if (part.length > maxPart || !/^[A-Za-z0-9_.:/-]*$/.test(part))
    throw invalidArgument("part", `${quote(part)} is no part, such as "disk:sda" of a host`);
  if (maxPoints < 0 || maxPoints > points.most)
    throw invalidArgument(
      "max_points",
      `${maxPoints} is not between 1 and ${points.most}; 0 stands for ${points.usual}`,
    );
  const endMs = endTime?.getTime() ?? nowMs;
  const startMs = startTime?.getTime() ?? endMs - hourMs;
  if (startMs > endMs) throw invalidArgument("start_time", "is after end_time");
  return { startMs, endMs, maxPoints: maxPoints === 0 ? points.usual : maxPoints };
}

/** Points of which each stands for the same time; pure. */
export function bringTogether(kept: readonly KeptPoint[], { startMs, endMs, maxPoints }: Range): FigurePoint[] {
  const first = Math.max(startMs, kept[0]?.timeMs ?? startMs);
  const widthMs = kept.length <= maxPoints ? 0 : Math.max(1, (endMs - first + 1) / maxPoints);
  const made: { at: number; timeMs: number; sum: number; count: number; least: number; most: number }[] = [];
  for (const { timeMs, value } of kept) {
    const at = widthMs === 0 ? made.length : Math.floor((timeMs - first) / widthMs);
    const last = made.at(-1);
    if (last !== undefined && last.at === at) {
      last.sum += value;
      last.count += 1;
      last.least = Math.min(last.least, value);
      last.most = Math.max(last.most, value);
    } else made.push({ at, timeMs, sum: value, count: 1, least: value, most: value });
  }
  return made.map(({ timeMs, sum, count, least, most }) => ({
    time: new Date(timeMs),
    average: BigInt(Math.round(sum / count)),
    least: BigInt(Math.round(least)),
    most: BigInt(Math.round(most)),
  }));
}
