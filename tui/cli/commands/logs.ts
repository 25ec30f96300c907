import { once } from "node:events";
import { invalidArgument } from "../../../lib/errors.js";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { parseId, quote } from "../../../lib/names.js";
import { LogSource } from "../../../proto/gen/zor/v1/log_service.js";
import { type LogPlace, readLog } from "../../client/logs.js";
import { parseWhole } from "../../kit/input/key-values.js";
import { parsePast } from "../../kit/input/past.js";
import { parseSerialPort } from "../../kit/input/serial-port.js";
import { shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import { harmless, type LogLine, LogLines } from "../../kit/text/log-lines.js";
import { asChosen, type ChosenOptions, choose, chosenNames } from "../chosen.js";
import { outputOption, type Registrar, ResourceArgument, repeatable, withExamples, withNotes } from "../command.js";
import { jsonText } from "../output/structured.js";
import { resolveName } from "../resolve.js";
import type { OutputFormat, Session } from "../session.js";

interface LogsOptions extends ChosenOptions {
  readonly agent: readonly string[];
  readonly hub?: boolean;
  readonly source: string;
  readonly port: string;
  readonly follow?: boolean;
  readonly since?: string;
  readonly tail?: string;
  readonly timestamps?: boolean;
  readonly raw?: boolean;
  readonly output: OutputFormat;
}

const maxTailLines = 100_000;
const sources: Readonly<Record<string, LogSource>> = {
  console: LogSource.LOG_SOURCE_CONSOLE,
  runtime: LogSource.LOG_SOURCE_RUNTIME,
  qemu: LogSource.LOG_SOURCE_RUNTIME,
};

/** `zor logs NAME...`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("logs")
    .description(
      "Show what instances said on their consoles, what runs them says, and the logs of agents and hub. Control characters become visible escapes.",
    )
    .addArgument(new ResourceArgument("[names...]", "instances, or --filter, --selector or --all", "instance"));
  asChosen(command)
    .addOption(repeatable("--agent <host>", "the log of a host's agent; may be repeated (admins)"))
    .option("--hub", "the log of the hub (admins)")
    .option("--source <source>", "console; or runtime: what QEMU or a container's runtime says (operators)", "console")
    .option("--port <port>", "serial port of a machine: 0 to 3, or ttyS0 to ttyS3", "0")
    .option("-f, --follow", "go on with what comes, through restarts of agent and hub, until the run ends")
    .option("--since <time>", "nothing older: 10m, 2h, or a time such as 2026-01-31T10:00:00Z")
    .option("--tail <lines>", `the last lines of what there is, 0 to ${maxTailLines}`)
    .option("-t, --timestamps", "say when each line came")
    .option("--raw", "the bytes as they are, into a pipe or file")
    .addOption(outputOption(["text", "json"], "text"))
    .action(async (given: readonly string[], options: LogsOptions) => {
      const session = open(command);
      const names = await namesOf(session, given, options);
      if (names === undefined) return;
      checkRaw(session, names, options);
      const query = {
        follow: options.follow === true,
        since: options.since === undefined ? undefined : parsePast("--since", options.since),
        tailLines: parseTail(options),
      };
      const places = await findPlaces(session, names, options);
      const connection = await session.connect();
      const ending = new AbortController();
      const signal = AbortSignal.any([session.io.signal, ending.signal]);
      const read = async (place: LogPlace): Promise<void> => {
        const label = labelOf(place);
        const writer = new LineWriter(session, { ...options, label: places.length > 1 ? label : "", name: label });
        const onNotice = (text: string): void => session.note(escapeText(`${label} ${text}`));
        for await (const piece of readLog(connection, place, query, { signal, onNotice })) await writer.write(piece);
        await writer.end();
        if (query.follow) session.note(escapeText(`${label}: the log ended`));
      };
      try {
        if (query.follow) await Promise.all(places.map(read));
        else for (const place of places) await read(place);
      } catch (error) {
        session.io.signal.throwIfAborted();
        throw error;
      } finally {
        ending.abort();
      }
    });
  withNotes(
    command,
    `Of a machine's serial port the last 64 KiB are kept, of a container's terminal 512 KiB, of an agent or hub
8 MiB; all from before the last restart of the agent as well. A new run of an instance begins anew.`,
  );
  withExamples(
    command,
    "zor logs alpha/vm1",
    "zor logs -f alpha/vm1 alpha/c1 -t",
    "zor logs -f --selector lab=paris",
    "zor logs vm1 --port ttyS1 --tail 20",
    "zor logs vm1 --source runtime",
    "zor logs --agent alpha --since 10m",
    "zor logs --hub -f -o json",
    "zor logs alpha/vm1 --raw > vm1.console",
  );
}

/** The instances that are meant; undefined: none is, of those that match. */
async function namesOf(
  session: Session,
  given: readonly string[],
  options: LogsOptions,
): Promise<readonly string[] | undefined> {
  const { agent, hub = false } = options;
  if (given.length === 0 && !choose(options)) return [];
  const names = await chosenNames(session, kindNamed("instance"), given, options);
  return names.length > 0 || agent.length > 0 || hub ? names : undefined;
}

function checkRaw(session: Session, names: readonly string[], options: LogsOptions): void {
  if (options.raw !== true) return;
  const count = names.length + options.agent.length + (options.hub === true ? 1 : 0);
  const refuse = (why: string): never => {
    throw invalidArgument("--raw", why);
  };
  if (session.io.terminal.output.isTTY === true)
    refuse("a guest could do anything with this terminal; give a file or pipe as output");
  if (count > 1) refuse("the bytes of several logs cannot be told apart; name one");
  if (options.timestamps === true) refuse("the bytes as they are have no times between them; leave -t out");
  if (options.output === "json") refuse("JSON cannot hold any bytes; leave -o out");
}

async function findPlaces(session: Session, names: readonly string[], options: LogsOptions): Promise<LogPlace[]> {
  const source = Object.hasOwn(sources, options.source) ? sources[options.source] : undefined;
  if (source === undefined)
    throw invalidArgument("--source", `${quote(options.source)} is neither console nor runtime`);
  const port = parseSerialPort("--port", options.port);
  const places: LogPlace[] = [];
  for (const text of names) {
    const name = await resolveName(session, kindNamed("instance"), text, options.host);
    places.push({ kind: "instance", name, source, port });
  }
  for (const host of options.agent) places.push({ kind: "agent", name: `hosts/${parseId("--agent", host)}` });
  if (options.hub === true) places.push({ kind: "hub" });
  if (places.length > 0) return places;
  throw invalidArgument(
    "name",
    "nothing was named: give instances (or --filter, --selector or --all), --agent HOST or --hub",
  );
}

function labelOf(place: LogPlace): string {
  switch (place.kind) {
    case "instance":
      return shortName(place.name);
    case "agent":
      return `agent ${shortName(place.name)}`;
    case "hub":
      return "hub";
  }
}

function parseTail({ tail }: LogsOptions): number | undefined {
  return tail === undefined ? undefined : parseWhole("--tail", tail, 0, maxTailLines);
}

interface WriterOptions extends Pick<LogsOptions, "timestamps" | "raw" | "output"> {
  /** Before each line; "": nothing. */
  readonly label: string;
  readonly name: string;
}

/** Writes the lines of one log, no faster than they are taken. */
class LineWriter {
  readonly #session: Session;
  readonly #options: WriterOptions;
  readonly #lines = new LogLines();

  constructor(session: Session, options: WriterOptions) {
    this.#session = session;
    this.#options = options;
  }

  async write(piece: Parameters<LogLines["push"]>[0]): Promise<void> {
    if (this.#options.raw === true) await this.#put(piece.data);
    else
      await this.#put(
        this.#lines
          .push(piece)
          .map((line) => this.#format(line))
          .join(""),
      );
  }

  async end(): Promise<void> {
    await this.#put(
      this.#lines
        .end()
        .map((line) => this.#format(line))
        .join(""),
    );
  }

  #format({ text, time }: LogLine): string {
    const { output, timestamps, label, name } = this.#options;
    if (output === "json") return `${jsonText({ log: name, time: time?.toISOString(), line: text }, false)}\n`;
    const when = timestamps === true ? `${time?.toISOString() ?? "-".padEnd(24)} ` : "";
    return `${label === "" ? "" : `${escapeText(label)} | `}${when}${harmless(text)}\n`;
  }

  async #put(data: string | Uint8Array): Promise<void> {
    if (data.length === 0) return;
    const { terminal, signal } = this.#session.io;
    if (!terminal.output.write(data)) await once(terminal.output, "drain", { signal });
  }
}
