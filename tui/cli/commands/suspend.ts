import { kindNamed } from "../../../lib/kinds/kinds.js";
import { InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import { areChosen, type ChosenOptions } from "../chosen.js";
import { dryRunOption, type Registrar, ResourceArgument, responseOutput, withExamples } from "../command.js";
import { forEachName } from "../for-each-name.js";
import { resolveName } from "../resolve.js";
import type { OutputFormat } from "../session.js";
import { asMany, doToMany } from "../wave/for-many.js";
import type { SpecOptions } from "../wave/spec-options.js";

interface SuspendOptions extends ChosenOptions, SpecOptions {
  readonly output: OutputFormat;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly wait: boolean;
}

/** `zor suspend NAME...`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("suspend")
    .description(
      "Save the memory of machines to disk and end them; zor start goes on from there, zor stop throws the memory away. Containers cannot: zor pause.",
    )
    .addArgument(new ResourceArgument("[names...]", "instances, or --filter, --selector or --all", "instance"));
  asMany(command, "return once it has begun")
    .addOption(dryRunOption())
    .addOption(responseOutput())
    .action(async (names: string[], options: SuspendOptions) => {
      const session = open(command);
      const method = InstanceServiceService.suspendInstance;
      const kind = kindNamed("instance");
      if (areChosen(names, options)) {
        await doToMany(session, { kind, verb: "suspend", method: method.path.slice(1) }, options);
        return;
      }
      await forEachName(session, names, options.output, async (text, part) => {
        const name = await resolveName(session, kind, text, options.host);
        const validateOnly = options.dryRun === true;
        const response = await session.call(method, { name, requestId: session.requestId(part), validateOnly });
        const operation =
          options.wait && !validateOnly
            ? await session.follow(response.operation, `suspending ${shortName(name)}`)
            : response.operation;
        await session.printResponse(options.output, method, { operation }, () =>
          escapeText(options.output === "name" ? name : `${shortName(name)} ${outcome(options)}`),
        );
      });
    });
  withExamples(
    command,
    "zor suspend alpha/vm1",
    "zor suspend vm1 vm2 --host alpha",
    "zor suspend --selector lab=paris --yes",
  );
}

function outcome(options: SuspendOptions): string {
  if (options.dryRun === true) return "could be suspended; nothing was changed";
  return options.wait ? "suspended" : "is being suspended";
}
