import { toMs } from "../../../lib/duration.js";
import type { ResourceTypes } from "../../../lib/kinds/codecs.js";
import type { Kind } from "../../../lib/kinds/kinds.js";
import type { AnyResource } from "../../../lib/kinds/resource.js";
import type { A2b } from "../../../proto/gen/zor/v1/a2b.js";
import type { ImpairmentStats } from "../../../proto/gen/zor/v1/impairment.js";
import type { Instance, Nic } from "../../../proto/gen/zor/v1/instance.js";
import type { Lan } from "../../../proto/gen/zor/v1/lan.js";
import { type LinkEnd, LinkState } from "../../../proto/gen/zor/v1/link.js";
import { formatAge, formatAgeOf, formatBytes, formatMib, formatRtt } from "../../kit/format.js";
import { hostStateName } from "../../kinds/host/states.js";
import { instanceStateName } from "../../kinds/instance/states.js";
import { linkStateName } from "../../kinds/link/states.js";
import { operationStateName } from "../../kinds/operation/states.js";
import { shortName } from "../../kit/resource-name.js";
import { labelText } from "../../kit/table/columns.js";
import { impairmentText } from "../../kit/impairment-text.js";
import { a2bStateName } from "../../kinds/a2b/states.js";
import { pathText, protectionText } from "../../kinds/link/words.js";
import { hasLabels } from "../kinds.js";
import { colorState } from "./state-color.js";
import type { Column } from "./table.js";

/** A row of a table: a resource, with what is known of its age. */
export interface Row<Value> {
  readonly value: Value;
  readonly now: Date;
  /** "14s" or "never" when the host it lives on is not heard: what is shown is that old. */
  readonly staleSince: string | undefined;
}

interface KindColumn<Value> extends Column<Row<Value>> {
  /** Shown with -o wide only. */
  readonly wide?: true;
}

type ColumnsByCase = {
  readonly [Case in Exclude<keyof ResourceTypes, "event">]: readonly KindColumn<ResourceTypes[Case]>[];
};

/** Marks a state that may have changed since it was seen. */
function stated<Value>(title: string, state: (value: Value) => string): KindColumn<Value> {
  return {
    title,
    value: ({ value, staleSince }) => state(value) + (staleSince === undefined ? "" : "?"),
    rank: 0,
    style: (row, text) => colorState(state(row.value), row.staleSince !== undefined, text),
  };
}

/** Shown only when a row is stale. */
const seen = {
  title: "SEEN",
  rank: 0,
  value: ({ staleSince }: Row<unknown>) =>
    staleSince === undefined ? "now" : staleSince === "never" ? "never" : `${staleSince} ago`,
};

const name = {
  title: "NAME",
  rank: 0,
  shrinkTo: 20,
  cut: "middle" as const,
  value: ({ value }: Row<{ readonly name: string }>) => shortName(value.name),
};

const age = {
  title: "AGE",
  rank: 3,
  align: "right" as const,
  value: ({ value, now }: Row<{ readonly createTime?: Date }>) => formatAgeOf(value.createTime, now),
};

const columns: ColumnsByCase = {
  a2b: [
    name,
    stated("STATE", ({ status }) => (status === undefined ? "UNKNOWN" : a2bStateName(status.state))),
    {
      title: "LANS",
      rank: 1,
      shrinkTo: 9,
      cut: "middle",
      value: ({ value: { spec } }) => `${spec?.lanA ?? ""},${spec?.lanB ?? ""}`,
    },
    { title: "A>B", rank: 1, shrinkTo: 8, value: ({ value }) => impairmentText(value.status?.currentAToB) },
    { title: "B>A", rank: 1, shrinkTo: 8, value: ({ value }) => impairmentText(value.status?.currentBToA) },
    { title: "FRAMES", rank: 4, align: "right", value: ({ value }) => sumOf(value, ({ inFrames }) => inFrames) },
    { title: "LOST", rank: 3, align: "right", value: ({ value }) => sumOf(value, ({ lostFrames }) => lostFrames) },
    {
      title: "DROPPED",
      rank: 3,
      align: "right",
      value: ({ value }) =>
        sumOf(value, (stats) => stats.droppedQueueFrames + stats.droppedDownFrames + stats.droppedPortFrames),
    },
    { title: "REASON", rank: 2, shrinkTo: 12, value: ({ value }) => value.status?.reason ?? "" },
    { title: "FOR", rank: 5, align: "right", value: ({ value, now }) => formatAgeOf(value.status?.sinceTime, now) },
    { title: "SEED", rank: 9, wide: true, align: "right", value: ({ value }) => String(value.status?.seed ?? "") },
    {
      title: "STEPS",
      rank: 9,
      wide: true,
      align: "right",
      value: ({ value }) => String(value.spec?.schedule.length ?? 0),
    },
    {
      title: "AGE",
      rank: 9,
      wide: true,
      align: "right",
      value: ({ value, now }) => formatAgeOf(value.createTime, now),
    },
  ],
  host: [
    name,
    // Not marked as old: the hub itself decides a host's state.
    {
      title: "STATE",
      rank: 0,
      value: ({ value }) => hostStateName(value.state),
      style: ({ value }, text) => colorState(hostStateName(value.state), false, text),
    },
    {
      title: "SEEN",
      rank: 0,
      value: ({ value: { lastSeenAge, lastSeenTime }, now }) => {
        // The age needs no agreement of clocks; a watch gives the time only.
        if (lastSeenAge !== undefined) return `${formatAge(toMs(lastSeenAge))} ago`;
        return lastSeenTime === undefined ? "never" : `${formatAgeOf(lastSeenTime, now)} ago`;
      },
    },
    {
      title: "INSTANCES",
      rank: 2,
      align: "right",
      value: ({ value: { summary } }) => runningOf(summary?.instances ?? {}),
    },
    { title: "LANS", rank: 4, align: "right", value: ({ value }) => String(value.summary?.lans ?? "") },
    { title: "CPUS", rank: 5, align: "right", value: ({ value }) => String(value.fingerprint?.cpus ?? "") },
    {
      title: "MEMORY",
      rank: 5,
      align: "right",
      value: ({ value: { fingerprint } }) => (fingerprint === undefined ? "" : formatMib(fingerprint.memoryMib)),
    },
    { title: "RTT", rank: 6, align: "right", value: ({ value }) => formatRtt(value.sessionRtt) },
    { title: "REASON", rank: 3, shrinkTo: 12, value: ({ value }) => value.reason },
    { title: "AGENT", rank: 9, wide: true, value: ({ value }) => value.fingerprint?.agentVersion ?? "" },
    { title: "ADDRESSES", rank: 9, wide: true, value: ({ value }) => value.addresses.join(",") },
    { title: "UNDERLAY", rank: 9, wide: true, value: ({ value }) => value.underlayAddresses.join(",") },
  ],
  instance: [
    name,
    stated("STATE", ({ status }) => (status === undefined ? "UNKNOWN" : instanceStateName(status.state))),
    { title: "DRIVER", rank: 4, value: ({ value }) => value.spec?.driver?.$case ?? "" },
    { title: "CPUS", rank: 6, align: "right", value: ({ value }) => String(value.spec?.cpus ?? "") },
    { title: "MEMORY", rank: 5, align: "right", value: ({ value }) => formatMib(value.spec?.memoryMib ?? 0) },
    { title: "LANS", rank: 2, shrinkTo: 10, cut: "middle", value: ({ value }) => plugs(value) },
    { title: "UP", rank: 4, align: "right", value: ({ value, now }) => formatAgeOf(uptimeFrom(value), now) },
    { title: "REASON", rank: 3, shrinkTo: 12, value: ({ value }) => value.status?.reason ?? "" },
    {
      title: "ADDRESSES",
      rank: 9,
      wide: true,
      value: ({ value }) =>
        nicsOf(value)
          .flatMap((nic) => nic.addresses)
          .join(","),
    },
    {
      title: "PID",
      rank: 9,
      wide: true,
      align: "right",
      value: ({ value }) => (value.status?.pid ? String(value.status.pid) : ""),
    },
    { title: "ACCEL", rank: 9, wide: true, value: ({ value }) => value.status?.accelerator ?? "" },
    { title: "EXEC", rank: 9, wide: true, value: ({ value }) => (value.status?.execReady === true ? "yes" : "no") },
    {
      title: "AGE",
      rank: 9,
      wide: true,
      align: "right",
      value: ({ value, now }) => formatAgeOf(value.createTime, now),
    },
  ],
  lan: [
    name,
    { title: "PLUGGED", rank: 0, align: "right", value: ({ value }) => String(value.status?.ports.length ?? 0) },
    { title: "MTU", rank: 3, align: "right", value: ({ value }) => String(value.spec?.mtu ?? "") },
    { title: "RSTP", rank: 5, value: ({ value }) => (value.spec?.rstp === true ? "yes" : "no") },
    { title: "DATAPATH", rank: 4, value: ({ value }) => value.status?.datapath ?? "" },
    { title: "TRAFFIC", rank: 4, align: "right", value: ({ value }) => formatBytes(trafficOf(value)) },
    { title: "REASON", rank: 1, shrinkTo: 12, value: ({ value }) => value.status?.reason ?? "" },
    { title: "AGE", rank: 6, align: "right", value: ({ value, now }) => formatAgeOf(value.createTime, now) },
    {
      title: "ENDPOINTS",
      rank: 9,
      wide: true,
      value: ({ value }) => (value.status?.ports ?? []).map(({ endpoint }) => shortName(endpoint)).join(","),
    },
  ],
  link: [
    name,
    stated("STATE", ({ status }) => (status === undefined ? "UNKNOWN" : linkStateName(status.state))),
    { title: "A", rank: 1, shrinkTo: 10, cut: "middle", value: ({ value }) => shortName(value.spec?.a ?? "") },
    { title: "B", rank: 1, shrinkTo: 10, cut: "middle", value: ({ value }) => shortName(value.spec?.b ?? "") },
    {
      title: "PATH",
      rank: 3,
      value: ({ value }) => pathText(value),
    },
    { title: "RTT", rank: 2, align: "right", value: ({ value }) => formatRtt(value.status?.rtt) },
    {
      title: "LOSS",
      rank: 4,
      align: "right",
      value: ({ value }) => lossOf(value.status?.state, value.status?.lossRatio),
    },
    { title: "FOR", rank: 5, align: "right", value: ({ value, now }) => formatAgeOf(value.status?.sinceTime, now) },
    { title: "REASON", rank: 1, shrinkTo: 12, value: ({ value }) => value.status?.reason ?? "" },
    { title: "MTU", rank: 9, wide: true, align: "right", value: ({ value }) => String(value.status?.mtuProven || "") },
    { title: "A>B", rank: 9, wide: true, align: "right", value: ({ value }) => sentBy(value.status?.endA) },
    { title: "B>A", rank: 9, wide: true, align: "right", value: ({ value }) => sentBy(value.status?.endB) },
    {
      title: "DROPPED",
      rank: 9,
      wide: true,
      align: "right",
      value: ({ value }) => droppedBy(value.status?.endA, value.status?.endB),
    },
    {
      title: "PROTECTION",
      rank: 9,
      wide: true,
      value: ({ value }) => protectionText(value),
    },
  ],
  operation: [
    name,
    stated("STATE", ({ state }) => operationStateName(state)),
    { title: "VERB", rank: 1, value: ({ value }) => value.verb },
    { title: "TARGET", rank: 1, shrinkTo: 12, cut: "middle", value: ({ value }) => shortName(value.target) },
    { title: "%", rank: 3, align: "right", value: ({ value }) => String(value.progressPercent) },
    { title: "AGE", rank: 4, align: "right", value: ({ value, now }) => formatAgeOf(value.createTime, now) },
    { title: "STEP", rank: 2, shrinkTo: 12, value: ({ value }) => value.error?.message ?? value.step },
    { title: "CALLER", rank: 9, wide: true, value: ({ value }) => value.caller },
  ],
};

/** Kinds that are shown as tables. */
type TableCase = keyof ColumnsByCase;

/** A column of any kind; it is only ever given rows of its own kind. */
export type AnyColumn = Column<Row<AnyResource["value"]>>;

/** The columns of a kind; with a SEEN column when a row is stale. */
export function columnsOf(
  kind: Kind,
  options: { readonly wide: boolean; readonly labelColumns: readonly string[]; readonly anyStale: boolean },
): readonly AnyColumn[] {
  // A column takes the value of its own kind; callers pass rows of `kind` only.
  const all = (columns[kind.singular as TableCase] ?? [name, age]) as unknown as readonly KindColumn<
    AnyResource["value"]
  >[];
  const labels = hasLabels(kind)
    ? [...options.labelColumns.map(labelColumn), ...(options.wide ? [allLabels] : [])]
    : [];
  const chosen: readonly AnyColumn[] = [...all.filter((column) => options.wide || column.wide !== true), ...labels];
  if (!options.anyStale || kind.singular === "host") return chosen;
  return [...chosen.slice(0, 2), seen, ...chosen.slice(2)];
}

function labelsOf({ value }: Row<AnyResource["value"]>): Readonly<Record<string, string>> {
  return "labels" in value ? (value.labels as Readonly<Record<string, string>>) : {};
}

/** Column with one label. */
function labelColumn(key: string): AnyColumn {
  return { title: key.toUpperCase(), rank: 1, shrinkTo: 10, value: (row) => labelsOf(row)[key] ?? "" };
}

/** Column with all labels. */
const allLabels: AnyColumn = { title: "LABELS", rank: 9, value: (row) => labelText(labelsOf(row)) };

function runningOf(instances: Readonly<Record<string, number>>): string {
  const total = Object.values(instances).reduce((sum, count) => sum + count, 0);
  return `${instances["RUNNING"] ?? 0}/${total}`;
}

/** Interfaces as plugged now, or as specified when that is not known. */
function nicsOf({ spec, status }: Instance): readonly Nic[] {
  const plugged = status?.nics ?? [];
  return plugged.length > 0 ? plugged : (spec?.nics ?? []);
}

function plugs(instance: Instance): string {
  return nicsOf(instance)
    .map(({ lan }) => lan || "-")
    .join(",");
}

function uptimeFrom({ status }: Instance): Date | undefined {
  return status?.pid ? status.startTime : undefined;
}

function trafficOf({ status }: Lan): bigint {
  return (status?.ports ?? []).reduce((sum, port) => sum + port.rxBytes, 0n);
}

function sumOf({ status }: A2b, count: (stats: ImpairmentStats) => bigint): string {
  const ways = [status?.aToB, status?.bToA].filter((stats) => stats !== undefined);
  return String(ways.reduce((sum, stats) => sum + count(stats), 0n));
}

function lossOf(state: LinkState | undefined, ratio: number | undefined): string {
  const measured = state === LinkState.LINK_STATE_ACTIVE || state === LinkState.LINK_STATE_DEGRADED;
  return measured && ratio !== undefined ? `${(ratio * 100).toFixed(ratio > 0 && ratio < 0.1 ? 1 : 0)}%` : "";
}

function sentBy(end: LinkEnd | undefined): string {
  return end === undefined ? "" : formatBytes(end.txBytes);
}

function droppedBy(...ends: readonly (LinkEnd | undefined)[]): string {
  const total = ends.reduce(
    (sum, end) =>
      sum + (end === undefined ? 0n : end.droppedQueueFrames + end.droppedDownFrames + end.droppedPortFrames),
    0n,
  );
  return String(total);
}
