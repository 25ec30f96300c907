import { status } from "@grpc/grpc-js";
import { toDuration } from "../../lib/duration.js";
import { ZorError } from "../../lib/errors.js";
import type { Calls } from "../../lib/grpc/connection.js";
import { figureField } from "../../lib/query/short-names.js";
import type { Figure } from "../../proto/gen/zor/v1/figures.js";
import { ViewServiceService, WatchViewRequest, type WatchViewResponse } from "../../proto/gen/zor/v1/view_service.js";
import type { Consumer } from "../kit/busy/busy.js";
import { orderBy, queryOfText, type RankLook, type Ranked } from "../kit/usage/ranking.js";
import { type ConnectionState, resumed } from "./watch.js";

/** Hubs measure for queries each 2 s. */
const intervalMs = 2000;

/** Who looks at a window. */
export interface RankViewer {
  readonly signal: AbortSignal;
  readonly onNews: (ranked: Ranked) => void;
}

/** What a column of a view is, and how much more of the figure's own unit each number has. */
interface RankColumn {
  readonly figure: Figure;
  readonly word: string;
  readonly factor: number;
}

/** The rows of a window, as they are. */
class Window {
  readonly #columns: readonly RankColumn[];
  readonly #names: string[] = [];
  readonly #rows = new Map<string, Consumer>();
  #from = 0;
  #total = 0;

  constructor(columns: readonly RankColumn[]) {
    this.#columns = columns;
  }

  take({ rows, offset, length, totals }: WatchViewResponse): void {
    this.#from = offset;
    this.#total = totals?.matched ?? this.#total;
    for (const { index, name, values, resource } of rows) {
      this.#names[index] = name;
      // No values are told where they are the same; of what is new in the window the resource is told as well.
      if (values.length === 0 && resource === undefined && this.#rows.has(name)) continue;
      const found = this.#columns.flatMap(({ figure, factor }, at) => {
        const { value } = values[at] ?? { value: undefined };
        // Figures are whole numbers in their own units.
        return value?.$case === "number" ? [[figure, Math.round(value.value * factor)] as const] : [];
      });
      this.#rows.set(name, { name, values: new Map(found) });
    }
    this.#names.length = length;
    const there = new Set(this.#names);
    for (const name of this.#rows.keys()) if (!there.has(name)) this.#rows.delete(name);
  }

  told(trouble: string): Ranked {
    const rows = this.#names.flatMap((name) => this.#rows.get(name) ?? []);
    return { rows, from: this.#from, total: this.#total, trouble };
  }
}

/**
 * Tells of a window over what is measured, in the order that the hub keeps, over every loss of the connection, until the signal aborts.
 * @throws {ZorError} UNIMPLEMENTED of what has no views: an agent, or a hub of an earlier version.
 */
export async function watchRanked(connection: Calls, look: RankLook, { signal, onNews }: RankViewer): Promise<void> {
  const columns = look.figures.flatMap((figure): RankColumn[] => {
    const field = figureField(look.kind, figure);
    return field === undefined ? [] : [{ figure, ...field }];
  });
  const queries = [look.query, look.text === "" ? "" : queryOfText(look.text)].filter((each) => each !== "");
  const request = WatchViewRequest.fromPartial({
    ...{
      kinds: [look.kind],
      query: queries.join(" and "),
      parent: look.parent,
      orderBy: orderBy(look.kind, look.order),
    },
    ...{ anchor: look.anchor, offset: look.from, limit: look.count, columns: columns.map(({ word }) => word) },
    ...{ fields: ["name"], interval: toDuration(intervalMs) },
  });
  let window = new Window(columns);
  let trouble = "";
  const onState = (state: ConnectionState): void => {
    // What comes next begins anew.
    if (state.phase === "connecting") window = new Window(columns);
    const now = state.phase === "waiting" ? `the server was lost (${state.error.message}); trying again` : "";
    if (state.phase === "connecting" || now === trouble) return;
    trouble = now;
    if (trouble !== "") onNews(window.told(trouble));
  };
  const once = () => connection.stream(ViewServiceService.watchView, request, { signal });
  for await (const response of resumed(once, { signal, onState })) {
    window.take(response);
    onNews(window.told(trouble));
  }
}

/** Whether a view was refused by somebody who has none. */
export function hasNoViews(error: unknown): boolean {
  return error instanceof ZorError && error.code === status.UNIMPLEMENTED;
}
