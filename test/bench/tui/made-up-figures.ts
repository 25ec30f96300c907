import type { Server } from "@grpc/grpc-js";
import type { FactSource } from "../../../hub/views/tables.js";
import { Views } from "../../../hub/views/views.js";
import { authorize } from "../../../lib/auth/policy.js";
import { type Handlers, implementService } from "../../../lib/grpc/service.js";
import type { WatchLog } from "../../../lib/watch/watch-log.js";
import { setTimeout as delay } from "node:timers/promises";
import { Figure } from "../../../proto/gen/zor/v1/figures.js";
import { FiguresServiceService, WatchFiguresResponse } from "../../../proto/gen/zor/v1/figures_service.js";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import { ViewServiceService } from "../../../proto/gen/zor/v1/view_service.js";

/** Hubs tell of figures that often. */
const everyMs = 2000;
const figures = [Figure.FIGURE_CPU_OF_LIMIT, Figure.FIGURE_MEMORY];

/** What an instance uses is another value every two seconds, and the same for whoever asks within them. */
function amountUsed(name: string, figure: Figure): number {
  let mixed = Math.floor(Date.now() / everyMs) + figure;
  for (let at = 0; at < name.length; at += 1) mixed = (mixed * 31 + name.charCodeAt(at)) | 0;
  const share = Math.abs(mixed) % 1000;
  return figure === Figure.FIGURE_MEMORY ? share * (1 << 20) : share;
}

/** Has a server tell of figures, by name and in windows of the hub's own that are sorted by them. @returns tells the windows that figures of so many of these have changed. */
export function addFigures(server: Server, log: WatchLog): (names: Iterable<string>) => void {
  const listeners: ((name: string) => void)[] = [];
  const facts: FactSource = {
    nowMs: () => Date.now(),
    figure: (name, figure) => (figures.includes(figure) ? amountUsed(name, figure) : undefined),
    links: () => [],
    hold: async () => () => undefined,
    onFigure: (listener) => void listeners.push(listener),
  };
  const views = new Views({ log, facts });
  const viewHandlers: Handlers<typeof ViewServiceService> = {
    watchView: (request, { signal }) => views.watch(request, { caller: "bench", role: Role.ROLE_ADMIN, signal }),
  };
  const figureHandlers: Handlers<typeof FiguresServiceService> = {
    watchFigures: async function* ({ names }, { signal }) {
      const byHost = Map.groupBy(names, (name) => name.split("/").slice(0, 2).join("/"));
      while (!signal.aborted) {
        for (const [host, own] of byHost) yield told(host, own);
        await delay(everyMs, undefined, { signal }).catch(() => undefined);
      }
    },
    readHistory: async () => ({ series: [] }),
  };
  server.addService(ViewServiceService, implementService(ViewServiceService, viewHandlers, { authorize }));
  server.addService(FiguresServiceService, implementService(FiguresServiceService, figureHandlers, { authorize }));
  return (names) => {
    for (const name of names) for (const listener of listeners) listener(name);
  };
}

/** All of a host's figures, each time from the beginning. */
function told(host: string, names: readonly string[]): WatchFiguresResponse {
  const values = names.flatMap((name) => figures.map((figure) => amountUsed(name, figure)));
  return WatchFiguresResponse.fromPartial({
    ...{ host, timeMillis: BigInt(Date.now()), anew: true },
    subjects: names.map((name, number) => ({ number, name, part: "", figures: [...figures] })),
    steps: values.map(() => 1),
    changes: values.map(BigInt),
  });
}
