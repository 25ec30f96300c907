import type { Command } from "commander";
import { notFound } from "../../../lib/errors.js";
import { LinkServiceService } from "../../../proto/gen/zor/v1/link_service.js";
import { escapeText } from "../../kit/text/escape.js";
import { shortName } from "../../kit/resource-name.js";
import { impairmentDetails } from "../../kit/impairment-text.js";
import { type Registrar, repeatable, responseOutput, withExamples } from "../command.js";
import { addImpairmentOptions, readImpairmentFlags } from "../input/impairment-flags.js";
import { parsePairs } from "../input/key-values.js";
import { kinds } from "../kinds.js";
import { resolveName } from "../resolve.js";
import type { OutputFormat } from "../session.js";

interface SetLinkOptions {
  readonly output: OutputFormat;
  readonly label: readonly string[];
  readonly clear?: boolean;
  /** False with --no-schedule; a file is read with the impairment options. */
  readonly schedule?: string | false;
  readonly dryRun?: boolean;
}

/** `zor set link NAME`. */
export function defineSetLink(set: Command, open: Registrar["open"]): void {
  const command = set
    .command("link")
    .description("Change what a link does to frames, and its labels, while they pass. What is not said stays.")
    .argument("<name>", "the link")
    .option("--clear", "first take everything back, so that frames pass untouched");
  addImpairmentOptions(command, true)
    .option("--no-schedule", "take the schedule back")
    .addOption(repeatable("--label <key=value>", "set a label; an empty value takes it away; may be repeated"))
    .option("--dry-run", "only check the request")
    .addOption(responseOutput())
    .action(async (text: string, options: SetLinkOptions) => {
      const session = open(command);
      const name = await resolveName(session, kinds.link, text);
      const { link } = await session.call(LinkServiceService.getLink, { name });
      if (link?.spec === undefined) throw notFound(name);
      const { clear, schedule } = options;
      const nothing = { aToB: undefined, bToA: undefined, schedule: [] };
      const before = clear === true ? { ...link.spec, ...nothing } : link.spec;
      const given = { ...command.opts(), schedule: schedule === false ? undefined : schedule };
      const base = schedule === false ? { ...before, schedule: [] } : before;
      const spec = { ...link.spec, ...(await readImpairmentFlags(given, base)) };
      const labels = Object.fromEntries(
        Object.entries({ ...link.labels, ...parsePairs("--label", options.label) }).filter(([, value]) => value !== ""),
      );
      const method = LinkServiceService.updateLink;
      const response = await session.call(method, {
        link: { ...link, spec, labels, status: undefined },
        updateMask: undefined,
        requestId: session.requestId(),
        validateOnly: options.dryRun === true,
      });
      await session.printResponse(options.output, method, response, () => {
        if (options.output === "name") return name;
        const checked = `link ${shortName(name)} could be changed; nothing was changed`;
        const ways = `a>b ${impairmentDetails(spec.aToB)}; b>a ${impairmentDetails(spec.bToA)}`;
        return escapeText(options.dryRun === true ? checked : `link ${shortName(name)}: ${ways}`);
      });
    });
  withExamples(
    command,
    "zor set link demo --delay 50ms --loss 1%",
    'zor set link demo --at "30s for 10s ab: loss 20%"',
    "zor set link demo --clear",
  );
}
