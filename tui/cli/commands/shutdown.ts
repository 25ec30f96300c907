import { kindNamed } from "../../../lib/kinds/kinds.js";
import { InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { escapeText } from "../../kit/text/escape.js";
import { shortName } from "../../kit/resource-name.js";
import { areChosen, type ChosenOptions } from "../chosen.js";
import { dryRunOption, type Registrar, ResourceArgument, responseOutput, withExamples } from "../command.js";
import { forEachName } from "../for-each-name.js";
import { parseWhole } from "../../kit/input/key-values.js";
import { resolveName } from "../resolve.js";
import type { OutputFormat } from "../session.js";
import { asMany, doToMany } from "../wave/for-many.js";
import type { SpecOptions } from "../wave/spec-options.js";

interface ShutdownOptions extends ChosenOptions, SpecOptions {
  readonly output: OutputFormat;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly wait: boolean;
  readonly grace: string;
}

/** `zor shutdown NAME...`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("shutdown")
    .description("Ask guests to shut down and wait until they have. One that does not is left running.")
    .addArgument(new ResourceArgument("[names...]", "instances, or --filter, --selector or --all", "instance"))
    .option("--grace <seconds>", "how long a guest may take, 1 to 3600", "60");
  asMany(command, "return once the guests have been asked")
    .addOption(dryRunOption())
    .addOption(responseOutput())
    .action(async (names: string[], options: ShutdownOptions) => {
      const session = open(command);
      const timeoutSeconds = parseWhole("--grace", options.grace, 1, 3600);
      const method = InstanceServiceService.shutdownInstance;
      if (areChosen(names, options)) {
        const wanted = { kind: kindNamed("instance"), verb: "shutdown", method: method.path.slice(1) };
        await doToMany(session, wanted, { ...options, with: JSON.stringify({ timeoutSeconds }) });
        return;
      }
      await forEachName(session, names, options.output, async (text, part) => {
        const name = await resolveName(session, kindNamed("instance"), text, options.host);
        const response = await session.call(method, {
          name,
          requestId: session.requestId(part),
          validateOnly: options.dryRun === true,
          timeoutSeconds,
        });
        const follow = options.wait && options.dryRun !== true;
        const operation = follow
          ? await session.follow(response.operation, `shutting down ${shortName(name)}`)
          : response.operation;
        await session.printResponse(options.output, method, { operation }, () => {
          if (options.output === "name") return escapeText(name);
          return escapeText(`${shortName(name)} ${outcome(options)}`);
        });
      });
    });
  withExamples(
    command,
    "zor shutdown alpha/vm1",
    "zor shutdown vm1 vm2 --grace 120",
    "zor shutdown vm1 --no-wait",
    "zor shutdown --all --host alpha --max-failures 3",
  );
}

function outcome(options: ShutdownOptions): string {
  if (options.dryRun === true) return "could be shut down; nothing was changed";
  return options.wait ? "shut down" : "asked to shut down";
}
