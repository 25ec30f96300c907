import { once } from "node:events";
import { invalidArgument } from "../../../lib/errors.js";
import { findKind, kindNamed } from "../../../lib/kinds/kinds.js";
import { parseId, quote } from "../../../lib/names.js";
import { Event, EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import { EventQuery } from "../../../proto/gen/zor/v1/event_service.js";
import { followEvents, newestEvents } from "../../client/events.js";
import { parseWhole } from "../../kit/input/key-values.js";
import { parsePast } from "../../kit/input/past.js";
import { shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import { severityStyle } from "../../kinds/event/states.js";
import { filterOption, outputOption, type Registrar, repeatable, withExamples, withNotes } from "../command.js";
import { isStructured, structuredText } from "../output/forms.js";
import type { OutputFormat, Session } from "../session.js";

interface EventsOptions {
  readonly since?: string;
  readonly until?: string;
  readonly kind: readonly string[];
  readonly who: readonly string[];
  readonly host: readonly string[];
  readonly resource?: string;
  readonly severity?: string;
  readonly filter: string;
  readonly follow?: boolean;
  readonly limit: string;
  readonly output: OutputFormat;
}

const mostEvents = 100_000;
const severities: Readonly<Record<string, EventSeverity>> = {
  info: EventSeverity.EVENT_SEVERITY_INFO,
  warning: EventSeverity.EVENT_SEVERITY_WARNING,
  error: EventSeverity.EVENT_SEVERITY_ERROR,
};

/** `zor events`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("events")
    .description("What happened, on all hosts and at the hub: what changed, who did it, and why.")
    .option("--since <time>", "nothing older: 10m, 2h, or a time such as 2026-01-31T10:00:00Z")
    .option("--until <time>", "only what was before: 10m ago, or a time")
    .addOption(repeatable("--kind <kind>", "about resources of a kind, such as instance; may be repeated"))
    .addOption(repeatable("--who <caller>", "caused by a caller, such as ana or zor://user/ana; may be repeated"))
    .addOption(repeatable("--host <host>", "about a host or what is on it; may be repeated"))
    .option("--resource <name>", "about a resource or what is below it: alpha/vm1, links/cable1")
    .option("--severity <least>", "info, warning or error: that, and what is worse")
    .addOption(filterOption('message:"out of memory"', "event"))
    .option("-f, --follow", "go on with what comes, through restarts of the hub")
    .option("--limit <count>", `the newest of them, 0 to ${mostEvents}`, "200")
    .addOption(outputOption(["text", "json", "yaml"], "text"))
    .action(async (options: EventsOptions) => {
      const session = open(command);
      const query = readQuery(options);
      const most = parseWhole("--limit", options.limit, 0, mostEvents);
      if (options.follow === true && query.until !== undefined) {
        throw invalidArgument("--until", "what comes is after any time in the past; leave out --until or --follow");
      }
      const connection = await session.connect();
      const { events, more, position } = await newestEvents(connection, query, most, () => session.readOptions());
      if (more && most > 0) session.note(`older ones are left out; --limit takes up to ${mostEvents}`);
      for (const event of events) await print(session, event, options.output);
      if (options.follow === true) {
        const { signal } = session.io;
        const onNotice = (text: string): void => session.note(escapeText(text));
        for await (const event of followEvents(connection, query, { position, signal, onNotice })) {
          await print(session, event, options.output);
        }
      } else if (events.length === 0 && options.output === "text") session.note("no events");
    });
  withNotes(
    command,
    `Events are kept for 7 days, or as 100 MB of them have room. A hub has those of all its hosts, those from times
without a hub as well. They come in the order in which the hub learnt of them.`,
  );
  withExamples(
    command,
    "zor events",
    "zor events -f --severity warning",
    "zor events --since 2h --kind instance --host alpha",
    "zor events --who ana --since 2026-01-31T10:00:00Z --until 1h",
    "zor events --resource alpha/vm1 -o json",
  );
}

function readQuery(options: EventsOptions): EventQuery {
  const { since, until, severity, resource } = options;
  const least = severity === undefined || !Object.hasOwn(severities, severity) ? undefined : severities[severity];
  if (severity !== undefined && least === undefined)
    throw invalidArgument("--severity", `${quote(severity)} is none of ${Object.keys(severities).join(", ")}`);
  return EventQuery.fromPartial({
    ...(since === undefined ? {} : { since: parsePast("--since", since) }),
    ...(until === undefined ? {} : { until: parsePast("--until", until) }),
    kinds: options.kind.map((word) => findKind(word)?.singular ?? word),
    callers: [...options.who],
    hosts: options.host.map((host) => parseId("--host", host)),
    resource: resource === undefined ? "" : fullName(resource),
    ...(least === undefined ? {} : { severity: least }),
    filter: options.filter,
  });
}

/** "alpha/vm1" is an instance; other names are told in full. */
function fullName(text: string): string {
  const parts = text.split("/");
  const [first = "", second = ""] = parts;
  if (parts.length === 1) return `hosts/${parseId("--resource", first)}`;
  if (parts.length > 2 || findKind(first)?.plural === first) return text;
  return `hosts/${parseId("--resource", first)}/${kindNamed("instance").plural}/${parseId("--resource", second)}`;
}

async function print(session: Session, event: Event, output: OutputFormat): Promise<void> {
  const { terminal, signal } = session.io;
  const line = isStructured(output) ? await structuredText(output, Event.toJSON(event), true) : eventText(event);
  if (!terminal.output.write(`${line}\n`)) await once(terminal.output, "drain", { signal });
}

/** An event on a line, for people. */
export function eventText({ time, severity, type, resource, message, caller }: Event): string {
  const { word } = severityStyle(severity);
  const about = resource === "" || message.includes(resource) ? "" : `${shortName(resource)}: `;
  const who = caller === "" ? "" : ` (${caller})`;
  const when = time?.toISOString() ?? "-".padEnd(24);
  return escapeText(`${when}  ${word.padEnd(7)}  ${type.padEnd(22)}  ${about}${message}${who}`);
}
