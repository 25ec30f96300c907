import { notFound } from "../../../lib/errors.js";
import { findStandardMethod, requestOf, responseField } from "../../../lib/kinds/verbs.js";
import type { NamedMessage } from "../../../lib/kinds/codecs.js";
import type { Kind } from "../../../lib/kinds/kinds.js";
import { understandsEscapes } from "../../../lib/terminal.js";
import { describeLines } from "../../kit/describe/describe-lines.js";
import { type DescribeLine, field, heading } from "../../kit/describe/line.js";
import type { Fleet } from "../../kit/fleet/fleet.js";
import { shortName } from "../../kit/resource-name.js";
import { toRow } from "../../kit/row.js";
import { escapeText } from "../../kit/text/escape.js";
import { asMethod } from "../change.js";
import { asChosen, type ChosenOptions, chosenNames } from "../chosen.js";
import { KindArgument, outputOption, type Registrar, ResourceArgument, withExamples } from "../command.js";
import { fleetFor } from "../fleet.js";
import { parseKind, standardMethod } from "../kinds.js";
import { inTone } from "../output/tones.js";
import { resolveName } from "../resolve.js";
import type { CliIo, OutputFormat, Session } from "../session.js";

/** How resources are described, and which. */
export interface DescribeOptions extends ChosenOptions {
  readonly output: OutputFormat;
}

/** `zor describe KIND NAME...`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("describe")
    .description("Show all that is known of resources, for people; as JSON and YAML the response of the API for each.")
    .addArgument(new KindArgument("<kind>", "kind of the resources", "get"))
    .addArgument(new ResourceArgument("[names...]", "the resources"));
  asChosen(command)
    .addOption(outputOption(["text", "json", "yaml", "name"], "text"))
    .action(async (word: string, names: string[], options: DescribeOptions) => {
      await describeAll(open(command), parseKind(word, "get"), names, options);
    });
  withExamples(
    command,
    "zor describe instance alpha/vm1",
    "zor describe link demo -o yaml",
    "zor describe hosts alpha beta",
    "zor describe instances --filter 'status.state = FAILED'",
  );
}

/** Describes resources of a kind, one after the other. */
export async function describeAll(
  session: Session,
  kind: Kind,
  given: readonly string[],
  options: DescribeOptions,
): Promise<void> {
  const names = await chosenNames(session, kind, given, options);
  const canList = findStandardMethod(kind.singular, "list") !== undefined;
  const connection = await session.connect();
  const fleet =
    options.output === "text" && canList ? await fleetFor(connection, kind, session.readOptions()) : undefined;
  for (const [index, text] of names.entries()) {
    const name = await resolveName(session, kind, text, options.host);
    if (index > 0 && fleet !== undefined) session.print("");
    await describe(session, { kind, name, fleet, options });
  }
}

interface Description {
  readonly kind: Kind;
  readonly name: string;
  /** For text. */
  readonly fleet: Fleet | undefined;
  readonly options: DescribeOptions;
}

async function describe(session: Session, { kind, name, fleet, options }: Description): Promise<void> {
  const { method, rule } = standardMethod(kind, "get");
  const response = Object(await session.call(asMethod({ method }), requestOf(method, { [rule.route]: name })));
  // The rule says that the field holds the resource.
  const resource = responseField(response, rule.response) as NamedMessage | undefined;
  if (resource === undefined) throw notFound(name);
  await session.printResponse(options.output, asMethod({ method }), response, () => {
    if (fleet === undefined) return escapeText(name);
    return [escapeText(`${kind.singular} ${shortName(name)}`), ...describeText(session.io, kind, resource, fleet)].join(
      "\n",
    );
  });
}

function describeText(io: CliIo, { singular }: Kind, resource: NamedMessage, fleet: Fleet): string[] {
  const { output } = io.terminal;
  const isTerminal = output.isTTY === true;
  const isColoured = isTerminal && !io.env["NO_COLOR"] && understandsEscapes(io.env);
  const row = toRow(singular, resource.name, resource, Date.now());
  const said = fleet.kinds.get(singular).describe(row, { fleet, nowMs: Date.now() });
  // On a pipe nothing is cut.
  const lines = describeLines([...said, ...notes(resource)], isTerminal ? (output.columns ?? 80) : unlimited);
  return lines.map((line) =>
    line
      .map(({ text, tone }) => (isColoured ? inTone(escapeText(text), tone) : escapeText(text)))
      .join("")
      .trimEnd(),
  );
}

/** Wider than any value. */
const unlimited = 100_000;

/** What resources of any kind have, and descriptions of kinds leave out. */
function notes(resource: NamedMessage): DescribeLine[] {
  const annotations = Object.entries(Object(Reflect.get(resource, "annotations")) as Record<string, string>);
  if (annotations.length === 0) return [];
  return [heading("Annotations"), ...annotations.map(([key, value]) => field(key, value))];
}
