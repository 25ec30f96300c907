import type { Command } from "commander";
import { notFound } from "../../../lib/errors.js";
import { A2bServiceService } from "../../../proto/gen/zor/v1/a2b_service.js";
import { escapeText } from "../../kit/text/escape.js";
import { shortName } from "../../kit/resource-name.js";
import { type Registrar, responseOutput, withExamples } from "../command.js";
import { addImpairmentOptions, readImpairmentFlags } from "../input/impairment-flags.js";
import { kinds } from "../kinds.js";
import { a2bText } from "../output/a2b-text.js";
import { resolveName } from "../resolve.js";
import type { OutputFormat } from "../session.js";

interface SetA2bOptions {
  readonly output: OutputFormat;
  readonly clear?: boolean;
  /** False with --no-schedule; a file is read with the impairment options. */
  readonly schedule?: string | false;
  readonly dryRun?: boolean;
}

/** `zor set a2b NAME`. */
export function defineSetA2b(set: Command, open: Registrar["open"]): void {
  const command = set
    .command("a2b")
    .description("Change what an in-line box does while frames pass. What is not said stays; a schedule begins anew.")
    .argument("<name>", "the box, HOST/NAME")
    .option("--clear", "first take everything back, so that frames pass untouched");
  addImpairmentOptions(command, true)
    .option("--no-schedule", "take the schedule back")
    .option("--dry-run", "only check the request")
    .addOption(responseOutput())
    .action(async (text: string, options: SetA2bOptions) => {
      const session = open(command);
      const name = await resolveName(session, kinds.a2b, text);
      const { a2b } = await session.call(A2bServiceService.getA2B, { name });
      if (a2b?.spec === undefined) throw notFound(name);
      const { clear, schedule } = options;
      const nothing = { aToB: undefined, bToA: undefined, schedule: [] };
      const before = clear === true ? { ...a2b.spec, ...nothing } : a2b.spec;
      const given = { ...command.opts(), schedule: schedule === false ? undefined : schedule };
      const base = schedule === false ? { ...before, schedule: [] } : before;
      const spec = { ...a2b.spec, ...(await readImpairmentFlags(given, base)) };
      const method = A2bServiceService.updateA2B;
      const response = await session.call(
        method,
        {
          a2b: { ...a2b, spec, status: undefined },
          updateMask: undefined,
          requestId: session.requestId(),
          validateOnly: options.dryRun === true,
        },
        30_000,
      );
      await session.printResponse(options.output, method, response, () => {
        if (options.output === "name") return name;
        const checked = `a2b ${shortName(name)} could be changed; nothing was changed`;
        return escapeText(options.dryRun === true ? checked : a2bText(name, response.a2b));
      });
    });
  withExamples(
    command,
    "zor set a2b alpha/wan --loss 5%",
    "zor set a2b alpha/wan --ab-down",
    "zor set a2b alpha/wan --no-ab-down --delay 0",
    "zor set a2b alpha/wan --clear",
  );
}
