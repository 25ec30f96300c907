import { formatAge } from "../store/format.js";
import type { Model } from "../store/model.js";
import { plainText } from "../store/plain-text.js";
import { type Line, lineWidth, type Segment, spreadLine } from "../store/segment.js";
import type { StateCount } from "../store/summary.js";

/** A hub that has not even sent a bookmark for so long deserves a look. */
const silentMs = 6_000;

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
  const address: Segment = { text: `  ${plainText(session.address)}`, tone: "dim" };
  const fits = lineWidth([...left, address, ...state, rateText]) < width;
  return spreadLine(fits ? [...left, address] : left, [...state, rateText], width);
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
      const silent = lastHeardMs !== undefined && nowMs - lastHeardMs > silentMs;
      if (!fleet.loaded) return [{ text: "◐ reading the fleet", tone: "busy" }];
      return silent
        ? [{ text: `! silent, ${heard}`, tone: "warn" }]
        : [
            { text: "● live", tone: "good" },
            { text: `, ${heard}`, tone: "dim" },
          ];
    }
    case "lost": {
      const { retryAtMs } = connection;
      const retry = retryAtMs === undefined ? "trying" : `again in ${formatAge(Math.max(0, retryAtMs - nowMs))}`;
      return [{ text: `✗ reconnecting, ${lastHeard}, ${retry}`, tone: "bad" }];
    }
    case "refused":
      return [{ text: `✗ refused, ${lastHeard}`, tone: "bad" }];
  }
}

function countsLine(model: Model, width: number): Line {
  const { summary } = model;
  const groups: readonly (readonly [string, number, readonly StateCount[]])[] = [
    ["hosts", summary.hostsTotal, summary.hosts],
    ["instances", summary.instancesTotal, summary.instances],
    ["lans", summary.lansTotal, []],
    ["links", summary.linksTotal, summary.links],
  ];
  const long = groups.flatMap(([title, total, counts]) => countGroup(title, total, counts, true));
  const line =
    lineWidth(long) <= width
      ? long
      : groups.flatMap(([title, total, counts]) => countGroup(title, total, counts, false));
  return [{ text: " " }, ...line];
}

function countGroup(title: string, total: number, counts: readonly StateCount[], long: boolean): Segment[] {
  const shown = counts.map(({ style, count }): Segment => {
    const word = long ? ` ${style.word}` : "";
    return { text: long ? ` ${style.symbol} ${count}${word}` : ` ${style.symbol}${count}`, tone: style.tone };
  });
  return [
    { text: `${title} `, tone: "dim" },
    { text: `${total}`, tone: "strong" },
    ...shown,
    { text: long ? "    " : "  " },
  ];
}
