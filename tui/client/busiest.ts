import { toDuration } from "../../lib/duration.js";
import type { Calls } from "../../lib/grpc/connection.js";
import { Figure } from "../../proto/gen/zor/v1/figures.js";
import { ViewServiceService, WatchViewRequest, type WatchViewResponse } from "../../proto/gen/zor/v1/view_service.js";
import { type Busy, type Consumer, firstOf, mostBusy } from "../kit/busy/busy.js";
import { type ConnectionState, resumed } from "./watch.js";

/** What is asked of the hub, in its words, and how much more of our unit each number has. */
const columns = [
  { word: "cores", figure: Figure.FIGURE_CPU, factor: 1000 },
  { word: "mem.used", figure: Figure.FIGURE_MEMORY, factor: 1 },
  { word: "disk.read", figure: Figure.FIGURE_DISK_READ, factor: 1 },
  { word: "disk.write", figure: Figure.FIGURE_DISK_WRITE, factor: 1 },
  { word: "net.in", figure: Figure.FIGURE_NET_IN, factor: 1 },
  { word: "net.out", figure: Figure.FIGURE_NET_OUT, factor: 1 },
] as const;
/** Hubs measure for queries each 2 s. */
const intervalMs = 2000;
/** What comes together is told together. */
const togetherMs = 100;

/** Who looks at who uses the most. */
export interface BusiestLook {
  /** Figures of which together they use the most. */
  readonly figures: readonly Figure[];
  readonly signal: AbortSignal;
  readonly onNews: (busy: Busy) => void;
}

/** The rows of a view, as they are. */
class Shown {
  readonly #names: string[] = [];
  readonly #rows = new Map<string, Consumer>();
  sums: Readonly<Record<string, number>> = {};

  get rows(): readonly Consumer[] {
    return this.#names.flatMap((name) => this.#rows.get(name) ?? []);
  }

  take({ rows, length, totals }: WatchViewResponse): void {
    for (const { index, name, values } of rows) {
      this.#names[index] = name;
      if (values.length === 0) continue;
      const found = columns.flatMap(({ figure, factor }, at) => {
        const { value } = values[at] ?? { value: undefined };
        return value?.$case === "number" ? [[figure, value.value * factor] as const] : [];
      });
      this.#rows.set(name, { name, values: new Map(found) });
    }
    this.#names.length = length;
    const there = new Set(this.#names);
    for (const name of this.#rows.keys()) if (!there.has(name)) this.#rows.delete(name);
    if (totals !== undefined) this.sums = totals.sums;
  }
}

/**
 * Who uses the most, over every loss of the connection, until the signal aborts: the hub sorts and sums up, and tells the first ones, however many
 * there are. @throws {ZorError} UNIMPLEMENTED of what has no views: an agent, or a hub of an earlier version.
 */
export async function watchBusiest(connection: Calls, { figures, signal, onNews }: BusiestLook): Promise<void> {
  const ending = new AbortController();
  const stop = AbortSignal.any([signal, ending.signal]);
  const hosts = new Shown();
  // Of several figures the first hundred of each are put in order by their sums: what is among neither uses less than the last of both together.
  const orders = columns.filter(({ figure }) => figures.includes(figure));
  const instances = orders.map(() => new Shown());
  let trouble = "";
  let due: NodeJS.Timeout | undefined;
  const tell = (): void => {
    due ??= setTimeout(() => {
      due = undefined;
      const [first] = instances;
      const all = new Map(instances.flatMap(({ rows }) => rows.map((row) => [row.name, row] as const)));
      const { "net.in": into, "net.out": out } = first?.sums ?? {};
      const traffic = into === undefined || out === undefined ? undefined : into + out;
      const { cores } = hosts.sums;
      const cpu = cores === undefined ? undefined : cores * 1000;
      onNews({ first: firstOf(all.values(), figures), cpu, traffic, trouble });
    }, togetherMs);
  };
  const onState = (state: ConnectionState): void => {
    const now = state.phase === "waiting" ? `the server was lost (${state.error.message}); trying again` : "";
    if (state.phase === "connecting" || now === trouble) return;
    trouble = now;
    tell();
  };
  const follow = async (shown: Shown, request: Partial<WatchViewRequest>): Promise<void> => {
    const interval = toDuration(intervalMs);
    const whole = WatchViewRequest.fromPartial({ ...request, fields: ["name"], interval });
    const once = () => connection.stream(ViewServiceService.watchView, whole, { signal: stop });
    for await (const response of resumed(once, { signal: stop, onState })) {
      shown.take(response);
      tell();
    }
  };
  const words = columns.map(({ word }) => word);
  try {
    await Promise.all([
      follow(hosts, { kinds: ["host"], limit: 1, sums: ["cores"] }),
      ...orders.map(({ word }, at) =>
        follow(instances[at] ?? new Shown(), {
          ...{ kinds: ["instance"], orderBy: `${word} desc`, columns: words },
          ...{ limit: orders.length > 1 ? 5 * mostBusy : mostBusy, sums: at === 0 ? ["net.in", "net.out"] : [] },
        }),
      ),
    ]);
  } finally {
    ending.abort();
    clearTimeout(due);
  }
}
