import { kindNamed } from "../../../lib/kinds/kinds.js";
import { InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import {
  dryRunOption,
  noWaitOption,
  type Registrar,
  ResourceArgument,
  responseOutput,
  waitOption,
  withExamples,
} from "../command.js";
import { forEachName } from "../for-each-name.js";
import { resolveName } from "../resolve.js";
import type { OutputFormat } from "../session.js";

interface SuspendOptions {
  readonly output: OutputFormat;
  readonly host?: string;
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
    .addArgument(new ResourceArgument("<names...>", "instances", "instance"))
    .option("--host <host>", "the host of names without one")
    .addOption(waitOption())
    .addOption(noWaitOption("return once it has begun"))
    .addOption(dryRunOption())
    .addOption(responseOutput())
    .action(async (names: string[], options: SuspendOptions) => {
      const session = open(command);
      const method = InstanceServiceService.suspendInstance;
      await forEachName(session, names, options.output, async (text, part) => {
        const name = await resolveName(session, kindNamed("instance"), text, options.host);
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
  withExamples(command, "zor suspend alpha/vm1", "zor suspend vm1 vm2 --host alpha");
}

function outcome(options: SuspendOptions): string {
  if (options.dryRun === true) return "could be suspended; nothing was changed";
  return options.wait ? "suspended" : "is being suspended";
}
