import { toDuration } from "../../lib/duration.js";
import type { Connection } from "../../lib/grpc/connection.js";
import {
  FiguresServiceService,
  ReadHistoryRequest,
  WatchFiguresRequest,
} from "../../proto/gen/zor/v1/figures_service.js";
import { Figure } from "../../proto/gen/zor/v1/figures.js";
import { LinkServiceService } from "../../proto/gen/zor/v1/link_service.js";
import { LogSource } from "../../proto/gen/zor/v1/log_service.js";
import { nodePath, programPath } from "../../lib/program.js";
import { eventsDuring } from "../client/events-during.js";
import { OlderEvents } from "../client/older-events.js";
import { watchBusiest } from "../client/busiest.js";
import { hasNoViews, watchRanked } from "../client/ranked.js";
import { busyOf, trafficFigures } from "../kit/busy/busy.js";
import { rankedOf } from "../kit/usage/ranking.js";
import { attachConsole } from "../client/console.js";
import { openPaneConsole } from "../client/console-pane.js";
import { openPaneShell } from "../client/shell-pane.js";
import { FollowedFigures } from "../client/figures.js";
import { type LogPlace, readLog } from "../client/logs.js";
import { presentOperation, runOperation } from "../client/operation.js";
import { createChanges } from "./resource-changes.js";
import { runProgram, runSpoken } from "../client/run-program.js";
import { watchFleet } from "../client/watch.js";
import { readableLogLine } from "../kit/text/json-log-line.js";
import { type LogLine, LogLines } from "../kit/text/log-lines.js";
import { shortName } from "../kit/resource-name.js";
import { isShell } from "../screens/console/console-session.js";
import type { FollowOptions } from "../screens/program.js";
import type { FiguresSource, SeenFigures } from "../screens/usage/figures-source.js";
import { createMachineScreens } from "./machine-screens.js";
import { runWave } from "./run-wave.js";
import { createWaveSource } from "./wave-source.js";
import type { FleetGateway } from "./gateway.js";

/** Longest time a call may take; starting a machine under emulation is slow. */
const callTimeoutMs = 60_000;

/** What is on the screen is told that often; hubs measure for queries as often. */
const figuresEveryMs = 2000;

/** Lines of a log that are shown first, at most. */
const firstLines = 1000;

function createFiguresSource(connection: Connection): FiguresSource {
  const follow = async (
    wanted: Partial<WatchFiguresRequest>,
    onNews: (seen: SeenFigures) => void,
    signal: AbortSignal,
  ): Promise<void> => {
    const followed = new FollowedFigures();
    const tell = (): void => {
      const { decoder, trouble, isLost } = followed;
      onNews({ all: decoder.all(), hosts: decoder.hosts, trouble, isLost });
    };
    const request = WatchFiguresRequest.fromPartial({ ...wanted, interval: toDuration(figuresEveryMs) });
    await followed.follow(connection, request, { signal, onNews: tell, onTrouble: tell });
  };
  return {
    watch: ({ names, figures }, onNews, signal) => follow({ names: [...names], figures: [...figures] }, onNews, signal),
    watchRanked: async (look, onNews, signal) => {
      try {
        await watchRanked(connection, look, { onNews, signal });
      } catch (error) {
        if (!hasNoViews(error)) throw error;
        // An agent has no views, and only what it measures itself.
        const wanted = { kinds: [look.kind], figures: [...look.figures] };
        await follow(wanted, ({ all, trouble }) => onNews(rankedOf(all, look, trouble)), signal);
      }
    },
    watchBusiest: async (figures, onNews, signal) => {
      try {
        await watchBusiest(connection, { figures, onNews, signal });
      } catch (error) {
        if (!hasNoViews(error)) throw error;
        const wanted = { kinds: ["host", "instance"], figures: [...figures, ...trafficFigures, Figure.FIGURE_CPU] };
        await follow(wanted, ({ all, trouble }) => onNews(busyOf(all, figures, trouble)), signal);
      }
    },
    readHistory: async (name, { startMs, endMs, maxPoints }, signal) => {
      const times = { startTime: new Date(startMs), endTime: new Date(endMs) };
      const request = ReadHistoryRequest.fromPartial({ name, ...times, maxPoints });
      const options = { signal, timeoutMs: callTimeoutMs };
      return (await connection.unary(FiguresServiceService.readHistory, request, options)).series;
    },
  };
}

function logPlace(name: string, source: FollowOptions["source"]): LogPlace {
  if (name === "hub") return { kind: "hub" };
  if (!name.includes("/instances/")) return { kind: "agent", name };
  const from = source === "runtime" ? LogSource.LOG_SOURCE_RUNTIME : LogSource.LOG_SOURCE_CONSOLE;
  return { kind: "instance", name, source: from, port: 0 };
}

/** The gateway over a connection to a hub or agent. @param context its name, for programs of their own. */
export function createHubGateway(connection: Connection, context: string): FleetGateway {
  const older = new OlderEvents(connection);
  const runZor = (words: readonly string[], signal: AbortSignal): Promise<number> =>
    runProgram([nodePath, programPath("cli"), "--context", context, ...words], ["inherit", "inherit", "inherit"], {
      remedy: "install zor again",
      signal,
    });
  return {
    olderEvents: (signal) => older.read(signal),
    eventsDuring: (during, signal) => eventsDuring(connection, during, signal),
    watch: (onState, signal) => watchFleet(connection, { onState, signal }),
    run: async (action, row, signal) => {
      const operation = await action.run(row, {
        connection,
        request: { name: row.name, requestId: crypto.randomUUID(), validateOnly: false },
        options: { signal, timeoutMs: callTimeoutMs },
      });
      if (operation !== undefined) await runOperation(connection, presentOperation(operation, row.name));
    },
    runWave: (wave, signal) => runWave(connection, wave, signal),
    diagnose: (name, signal) => connection.stream(LinkServiceService.diagnoseLink, { name }, { signal }),
    followLog: async function* (name, { since, source, ...options }) {
      const lines = new LogLines();
      const place = logPlace(name, source);
      const query = { follow: true, ...(since === undefined ? { tailLines: firstLines } : { since }) };
      const show = place.kind === "instance" ? (line: LogLine) => line : readableLogLine;
      for await (const piece of readLog(connection, place, query, options)) yield* lines.push(piece).map(show);
      yield* lines.end().map(show);
    },
    capture: async (name, options) => {
      const { captureResource } = await import("../client/captures/capture-resource.js");
      return await captureResource(connection, name, options);
    },
    figures: createFiguresSource(connection),
    waves: createWaveSource(connection),
    screens: createMachineScreens(connection),
    frameSource: {
      watch: async (name, watch) =>
        (await import("../client/captures/watch-frames.js")).watchFrames(connection, name, watch),
      save: async (...all) => (await import("../client/captures/watch-frames.js")).saveFrames(...all),
    },
    openConsole: (name, request) =>
      isShell({ name }) ? openPaneShell(connection, name, request) : openPaneConsole(connection, name, request),
    changes: createChanges(connection),
    attachConsole: async (name, terminal, how) => {
      const end = await attachConsole(connection, name, terminal, how);
      return end.kind === "detached" ? "" : end.reason;
    },
    showScreen: async (name, terminal, signal) => {
      const [{ showScreen }, { coloursOf }] = await Promise.all([
        import("../client/screen/show-screen.js"),
        import("../client/screen/half-blocks.js"),
      ]);
      await showScreen(connection, name, terminal, { signal, colours: coloursOf(process.env) });
    },
    forward: async (name, { local, remote }, { signal, onTrouble }) => {
      const { hostPort, listenFor } = await import("../client/listen-for.js");
      const address = "127.0.0.1";
      const via = { connection, signal, onTrouble };
      const { server, port, counts } = await listenFor(via, { name, port: remote }, { address, port: local });
      return { address: hostPort(address, port), counts, close: () => void server.close() };
    },
    runZor,
    rollOut: (words, told, signal) =>
      runSpoken([nodePath, programPath("cli"), "--context", context, ...words], told, {
        remedy: "install zor again",
        signal,
      }),
    logIn: (name, signal) => runZor(["ssh", shortName(name)], signal),
  };
}
