import type { KindCount, StateCount } from "../kit/fleet/summary.js";
import { formatAge } from "../kit/format.js";
import { pluralOf } from "../kit/kind-table.js";
import type { Model } from "../kit/model.js";
import { plainText } from "../kit/text/plain-text.js";
import { type Line, lineWidth, type Segment, spreadLine } from "../kit/text/segment.js";

/** Room for the longest text about a hub that is away. */
const widestTrouble = 62;

/** The two lines at the top: who we talk to and how that goes; what the fleet is doing. */
export function headerLines(model: Model, width: number): readonly Line[] {
  return [connectionLine(model, width), countsLine(model, width)];
}

function connectionLine(model: Model, width: number): Line {
  const { session, fleet } = model;
  const left: Segment[] = [
    { text: " zor ", tone: "accent" },
    { text: plainText(session.context), tone: "strong" },
  ];
  if (session.readOnly) left.push({ text: "  read-only", tone: "warn" });
  const rate = fleet.eventsPerSecond(model.nowMs);
  const state = connectionState(model);
  const rateText = { text: `  ${rate.toFixed(1)} ev/s `, tone: "dim" } as const;
  const server = session.agentOf === undefined ? "" : `agent of ${session.agentOf}`;
  // While the hub is away the text on the right changes its width all the time: what stands on the left must not come and go.
  const rightWidth = fleet.connection.phase === "live" ? lineWidth([...state, rateText]) : widestTrouble;
  // That this is one host and no fleet must be known where there is no room for its address any more.
  const texts = [[server, session.address], [server]].map((parts) => parts.filter((part) => part !== "").join(", "));
  const fitting = texts
    .filter((text) => text !== "")
    .map((text): Segment => ({ text: `  ${plainText(text)}`, tone: "dim" }))
    .find((text) => lineWidth([...left, text]) + rightWidth < width);
  return spreadLine(fitting === undefined ? left : [...left, fitting], [...state, rateText], width);
}

/** Symbol, word and age; never an age that could be taken for fresh when it is not. */
function connectionState(model: Model): Segment[] {
  const { fleet, nowMs } = model;
  const { connection, lastHeardMs } = fleet;
  const heard = lastHeardMs === undefined ? "never heard" : `heard ${formatAge(nowMs - lastHeardMs)} ago`;
  const lastHeard = lastHeardMs === undefined ? heard : `last ${heard}`;
  switch (connection.phase) {
    case "connecting":
      return [{ text: `◐ connecting ${formatAge(nowMs - connection.sinceMs)}`, tone: "busy" }];
    case "live": {
      const lost = lostHubs(model);
      if (lost.length > 0) return lost;
      if (!fleet.loaded) return [{ text: "◐ reading the fleet", tone: "busy" }];
      return fleet.isSilent(nowMs)
        ? [{ text: `! silent, ${heard}`, tone: "warn" }]
        : [
            { text: "● live", tone: "good" },
            { text: `, ${heard}`, tone: "dim" },
          ];
    }
    case "lost": {
      const { retryAtMs } = connection;
      const retry = retryAtMs === undefined ? "trying" : `again in ${formatAge(Math.max(1000, retryAtMs - nowMs))}`;
      return [{ text: `✗ reconnecting, ${lastHeard}, ${retry}`, tone: "bad" }];
    }
    case "refused":
      return [{ text: `✗ refused, ${lastHeard}`, tone: "bad" }];
  }
}

/** Of several hubs those that do not answer; none while all do. */
function lostHubs({ fleet, nowMs }: Model): Segment[] {
  const away = [...fleet.hubs].filter(([, { phase }]) => phase === "lost" || phase === "refused");
  if (away.length === 0) return [];
  const texts = away.map(([hub, { phase, sinceMs }]) => `${plainText(hub)} ${phase} ${formatAge(nowMs - sinceMs)} ago`);
  return [
    { text: `● ${fleet.hubs.size - away.length} of ${fleet.hubs.size} live`, tone: "good" },
    { text: `, ✗ ${texts.join(", ")}`, tone: "bad" },
  ];
}

/** A count as it is drawn. */
interface CountGroup {
  readonly title: string;
  readonly total: number;
  readonly states: readonly StateCount[];
}

type CountStyle = (group: CountGroup) => Segment[];

/** As much as fits; what is left out first is what nobody has to act on, and trouble never is. */
function countsLine({ summary, fleet }: Model, width: number): Line {
  const there = summary.filter(({ counted, total }) => counted.rank < 3 || total > 0);
  const all = there.map(groupOf);
  const basic = there.filter(({ counted }) => counted.rank < 3).map(groupOf);
  const important = there.filter(({ counted }) => counted.rank === 1);
  const short = important.map((count) => ({ ...groupOf(count), title: count.counted.short }));
  const { phase } = fleet.connection;
  const old = phase === "lost" || phase === "refused";
  const fresh = (line: Line): Line => (old ? line.map(({ text }) => ({ text, tone: "dim" as const })) : line);
  const choices: readonly (readonly [readonly CountGroup[], CountStyle])[] = [
    [all, inWords],
    [basic, inWords],
    [all, inSymbols],
    [basic, inSymbols],
    [important.map(groupOf), inSymbols],
    [short, inSymbols],
  ];
  for (const [groups, style] of choices) {
    const line = [{ text: " " }, ...groups.flatMap(style)];
    if (lineWidth(line) <= width) return fresh(line);
  }
  return fresh([{ text: " " }, ...short.flatMap(troubleOnly)]);
}

function groupOf({ kind, total, states }: KindCount): CountGroup {
  return { title: pluralOf(kind), total, states };
}

function inWords({ title, total, states }: CountGroup): Segment[] {
  return [
    ...heading(title, total),
    ...states.map(({ style, count }) => ({ text: ` ${style.symbol} ${count} ${style.word}`, tone: style.tone })),
    { text: "    " },
  ];
}

function inSymbols({ title, total, states }: CountGroup): Segment[] {
  return [
    ...heading(title, total),
    ...states.map(({ style, count }) => ({ text: ` ${style.symbol}${count}`, tone: style.tone })),
    { text: "  " },
  ];
}

/** The total, and of the states only those that ask for a look. */
function troubleOnly(group: CountGroup): Segment[] {
  const states = group.states.filter(({ style }) => style.tone === "warn" || style.tone === "bad");
  return inSymbols({ ...group, states });
}

function heading(title: string, total: number): Segment[] {
  return [
    { text: `${title} `, tone: "dim" },
    { text: `${total}`, tone: "strong" },
  ];
}
