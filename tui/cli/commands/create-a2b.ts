import type { Command } from "commander";
import { A2b } from "../../../proto/gen/zor/v1/a2b.js";
import { A2bServiceService } from "../../../proto/gen/zor/v1/a2b_service.js";
import { escapeText } from "../../kit/text/escape.js";
import { hostOf, idOf, shortName } from "../../kit/resource-name.js";
import { type Registrar, repeatable, responseOutput, withExamples } from "../command.js";
import { addImpairmentOptions, readImpairmentFlags } from "../input/impairment-flags.js";
import { parsePairs } from "../input/key-values.js";
import { kinds } from "../kinds.js";
import { a2bText } from "../output/a2b-text.js";
import { parseNewName, resolveName } from "../resolve.js";
import type { OutputFormat } from "../session.js";

interface CreateA2bOptions {
  readonly output: OutputFormat;
  readonly label: readonly string[];
  readonly dryRun?: boolean;
}

/** `zor create a2b HOST/NAME LAN_A LAN_B`. */
export function defineCreateA2b(create: Command, open: Registrar["open"]): void {
  const command = create
    .command("a2b")
    .description("Put an in-line box between two lans of one host: it delays, loses, limits and spoils what passes.")
    .argument("<name>", "HOST/NAME")
    .argument("<lan-a>", "lan at side a")
    .argument("<lan-b>", "lan at side b");
  addImpairmentOptions(command, false)
    .addOption(repeatable("--label <key=value>", "free-form label; may be repeated"))
    .option("--dry-run", "only check the request")
    .addOption(responseOutput())
    .action(async (text: string, lanA: string, lanB: string, options: CreateA2bOptions) => {
      const session = open(command);
      const { parent, id, name } = parseNewName(text, "a2bs");
      const host = hostOf(name);
      const [a, b] = await Promise.all([lanA, lanB].map((lan) => resolveName(session, kinds.lan, lan, host)));
      const nothing = { aToB: undefined, bToA: undefined, seed: 0n, schedule: [] };
      const impairments = await readImpairmentFlags(command.opts(), nothing);
      const method = A2bServiceService.createA2B;
      const response = await session.call(
        method,
        {
          parent,
          a2bId: id,
          a2b: A2b.fromPartial({
            labels: parsePairs("--label", options.label),
            spec: { lanA: idOf(a ?? ""), lanB: idOf(b ?? ""), ...impairments },
          }),
          requestId: session.requestId(),
          validateOnly: options.dryRun === true,
        },
        30_000,
      );
      await session.printResponse(options.output, method, response, () => {
        if (options.output === "name") return name;
        const checked = `a2b ${shortName(name)} could be created; nothing was changed`;
        return escapeText(options.dryRun === true ? checked : a2bText(name, response.a2b));
      });
    });
  withExamples(
    command,
    "zor create a2b alpha/wan lan1 lan2 --delay 50ms --jitter 5ms --loss 1%",
    "zor create a2b alpha/adsl lan1 lan2 --ab-rate 1mbit --ba-rate 10mbit --delay 20ms",
    "zor create a2b alpha/flaky lan1 lan2 --seed 7 --at '0s for 5s every 1m: down'",
  );
}
