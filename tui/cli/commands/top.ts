import { once } from "node:events";
import { Argument, Option } from "commander";
import { parseDuration, toDuration, toMs } from "../../../lib/duration.js";
import { invalidArgument } from "../../../lib/errors.js";
import type { Watched } from "../../../lib/figures/decoder.js";
import { findFigure } from "../../../lib/figures/figure-table.js";
import { quote } from "../../../lib/names.js";
import type { Duration } from "../../../proto/gen/google/protobuf/duration.js";
import { HostServiceService, ListHostsRequest } from "../../../proto/gen/zor/v1/host_service.js";
import { WatchFiguresRequest } from "../../../proto/gen/zor/v1/figures_service.js";
import { FollowedFigures } from "../../client/figures.js";
import { parseWhole } from "../../kit/input/key-values.js";
import { drawTop, startState } from "../../kit/top/screen.js";
import { shownFigures, topRows, topViews } from "../../kit/top/views.js";
import { outputOption, type Registrar, withExamples, withNotes } from "../command.js";
import { readTopOrder, type TopOrderOptions } from "../input/top-order.js";
import { measuredName } from "../measured-name.js";
import type { Session } from "../session.js";
import { runTopScreen } from "../top-screen.js";

interface TopOptions extends TopOrderOptions {
  readonly count: string;
  readonly interval: string;
  readonly output: "text" | "json";
}

const words = topViews.map(({ word }) => word);
/** Hosts that have told nothing after this time are left out of what is printed once. */
const patienceMs = 3000;
const mostSamples = 1_000_000;

/** `zor top`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("top")
    .description("What is used now, each second: by hosts, instances, links, lans and wires.")
    .addArgument(new Argument("[view]", "what to begin with").choices(words).default("instances"))
    .argument("[names...]", "only these: alpha/vm1, alpha (a host), lan:alpha/lan1, link:cable1")
    .option("--sort-by <columns>", "columns, the most first: such as CPU,MEM or 'WAIT, NAME' or 'MEM asc'")
    .addOption(new Option("--sort <column>", "its name once").hideHelp())
    .option("--reverse", "the other way round: the least first")
    .option("--filter <text>", "only names that hold it", "")
    .option("--count <samples>", "of -o json: so many samples of each host; 0: without end", "1")
    .option("--interval <time>", "how often, 1s to 60s; from 10s on nobody has to measure more often for it", "1s")
    .addOption(outputOption(["text", "json"], "text"))
    .action(async (view: string, names: readonly string[], options: TopOptions) => {
      const session = open(command);
      const state = startState(view, readTopOrder(view, options));
      const request = WatchFiguresRequest.fromPartial({
        names: names.map((name) => measuredName("names", name)),
        figures: options.output === "json" ? [] : [...shownFigures],
        interval: readInterval(options.interval),
      });
      const { terminal } = session.io;
      const isScreen = options.output === "text" && terminal.output.isTTY === true && terminal.input.isTTY === true;
      if (isScreen) await runTopScreen(session, request, state);
      else if (options.output === "json") await printSamples(session, { ...request, kinds: kindsOf(view) }, options);
      else await printOnce(session, { ...request, kinds: kindsOf(view) }, state);
    });
  withNotes(
    command,
    `On a terminal it goes on until q is pressed: 1 to 5 and Tab change what is shown, < and > the column that is sorted by, & adds another for
what is the same by those so far, r turns the order of the last, / takes a filter, arrows and Page Up and Down move. Elsewhere it prints once. With -o json each line is one thing that is measured, with its
figures in the units of docs/figures.md. CORES is how many CPUs are kept busy, CPU% the share of what there may be.`,
  );
  withExamples(
    command,
    "zor top",
    "zor top hosts --sort-by MEM",
    "zor top instances --sort-by CPU,MEM,NAME",
    "zor top instances alpha/vm1 alpha/vm2",
    "zor top links --filter cable -o json --count 0",
    "zor top hosts --interval 10s",
  );
}

function readInterval(text: string): Duration {
  const ms = parseDuration(text);
  if (ms === undefined || ms < 1000 || ms > 60_000)
    throw invalidArgument("--interval", `${quote(text)} is not 1s to 60s; write 1s, 2.5s, 10s or 1m`);
  return toDuration(ms);
}

function kindsOf(view: string): string[] {
  return [view.slice(0, -1)];
}

/** Reads until every host has told something, or has had its time. */
async function printOnce(
  session: Session,
  request: WatchFiguresRequest,
  state: ReturnType<typeof startState>,
): Promise<void> {
  const figures = await followAll(session, request, () => undefined, 1);
  const rows = topRows(figures.decoder.all(), state.view, state);
  const columns = session.io.terminal.output.columns ?? 100;
  const frame = { columns, rows: rows.length + 3, trouble: "", clock: "" };
  const lines = drawTop(rows, state, frame).slice(1, -1);
  for (const line of lines) session.print(line.trimEnd());
  if (figures.trouble !== "") session.note(figures.trouble);
}

/** Prints a line for each thing that is measured, sample by sample. */
async function printSamples(session: Session, request: WatchFiguresRequest, options: TopOptions): Promise<void> {
  const most = parseWhole("--count", options.count, 0, mostSamples);
  const { output } = session.io.terminal;
  const wanted = options.filter.toLowerCase();
  await followAll(
    session,
    request,
    async (figures, host) => {
      const timeMs = figures.decoder.hosts.get(host)?.timeMs ?? 0;
      for (const subject of figures.decoder.all()) {
        if (subject.host !== host || !subject.name.toLowerCase().includes(wanted)) continue;
        const line = JSON.stringify(toJson(subject, timeMs));
        if (!output.write(`${line}\n`)) await once(output, "drain", { signal: session.io.signal });
      }
    },
    most,
  );
}

function toJson({ host, name, part, values }: Watched, timeMs: number): Record<string, unknown> {
  const figures = [...values].map(([figure, value]) => [findFigure(figure)?.word ?? `figure-${figure}`, value]);
  return { time: new Date(timeMs).toISOString(), host, name, part, ...Object.fromEntries(figures) };
}

/** Follows until each host has told so many samples, 0: without end. A host that says nothing is not waited for. */
async function followAll(
  session: Session,
  request: WatchFiguresRequest,
  onSample: (figures: FollowedFigures, host: string) => void | Promise<void>,
  most: number,
): Promise<FollowedFigures> {
  const figures = new FollowedFigures();
  const connection = await session.connect();
  const list = await connection.unary(HostServiceService.listHosts, ListHostsRequest.create(), session.readOptions());
  const isAsked = (host: string): boolean =>
    request.names.length === 0 ||
    request.names.some((name) => `${name}/`.startsWith(`${host}/`) || name.startsWith("links/"));
  const asked = list.hosts.filter(({ uid, name }) => uid !== "" && isAsked(name));
  const left = new Map(asked.map(({ name }) => [name, most]));
  const ending = new AbortController();
  const signal = AbortSignal.any([session.io.signal, ending.signal]);
  const timer =
    most === 0 ? undefined : setTimeout(() => ending.abort(), patienceMs + most * (toMs(request.interval) + 500));
  let printed: Promise<void> = Promise.resolve();
  const onNews = ({ host, silent, timeMillis }: { host: string; silent: string; timeMillis: bigint }): void => {
    const rest = left.get(host) ?? 1;
    if (silent === "" && timeMillis > 0n && (most === 0 || rest > 0)) {
      printed = printed.then(async () => onSample(figures, host));
      left.set(host, rest - 1);
    } else if (silent !== "") left.set(host, 0);
    if (most > 0 && [...left.values()].every((count) => count <= 0)) ending.abort();
  };
  try {
    await figures.follow(connection, request, { signal, onNews });
    await printed;
  } finally {
    clearTimeout(timer);
  }
  return figures;
}
