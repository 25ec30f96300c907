import { invalidArgument } from "../../../lib/errors.js";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { shortName } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import { dryRunOption, type Registrar, ResourceArgument, responseOutput, withExamples } from "../command.js";
import { resolveName } from "../resolve.js";
import type { OutputFormat } from "../session.js";

interface SendKeyOptions {
  readonly output: OutputFormat;
  readonly host?: string;
  readonly dryRun?: boolean;
  readonly text?: string;
}

const escapes: Readonly<Record<string, string>> = { n: "\n", t: "\t", b: "\b", "\\": "\\" };

/** `zor send-key NAME KEYS... | --text TEXT`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("send-key")
    .description(
      "Type on the keyboard of a machine: keys that are pressed together, one combination after the other, or text.",
    )
    .addArgument(new ResourceArgument("<name>", "instance", "instance"))
    .argument("[keys...]", "combinations such as ctrl-alt-delete, f2, ret")
    .option("--text <text>", "characters of a US keyboard; \\n is the enter key, \\t the tab key")
    .option("--host <host>", "the host of a name without one")
    .addOption(dryRunOption())
    .addOption(responseOutput())
    .action(async (given: string, keys: string[], options: SendKeyOptions) => {
      const session = open(command);
      const text = readEscapes(options.text ?? "");
      if ((keys.length === 0) === (text === "")) throw invalidArgument("keys", "say either keys or --text TEXT");
      const name = await resolveName(session, kindNamed("instance"), given, options.host);
      const method = InstanceServiceService.sendKeys;
      const validateOnly = options.dryRun === true;
      const request = { name, requestId: session.requestId(), validateOnly, keys, text };
      const response = await session.call(method, request);
      await session.printResponse(options.output, method, response, () => {
        if (options.output === "name") return escapeText(name);
        const done = validateOnly ? "could be typed to; nothing was" : "typed";
        return escapeText(`${shortName(name)}: ${done}`);
      });
    });
  withExamples(command, "zor send-key alpha/vm1 ctrl-alt-delete", "zor send-key vm1 --text 'root\\n'");
}

function readEscapes(text: string): string {
  return text.replace(/\\([ntb\\])/g, (_, letter: string) => escapes[letter] ?? letter);
}
