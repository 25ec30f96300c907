import type { Command } from "commander";
import { Lan } from "../../../proto/gen/zor/v1/lan.js";
import { LanServiceService } from "../../../proto/gen/zor/v1/lan_service.js";
import { escapeText } from "../../kit/text/escape.js";
import { shortName } from "../../kit/resource-name.js";
import { type Registrar, repeatable, responseOutput, withExamples } from "../command.js";
import { parsePairs, parseWhole } from "../input/key-values.js";
import { parseNewName } from "../resolve.js";
import type { OutputFormat } from "../session.js";

interface CreateLanOptions {
  readonly output: OutputFormat;
  readonly mtu?: string;
  readonly rstp?: boolean;
  readonly label: readonly string[];
  readonly dryRun?: boolean;
}

/** `zor create lan HOST/NAME`. */
export function defineCreateLan(create: Command, open: Registrar["open"]): void {
  const command = create
    .command("lan")
    .description("Create a lan: a virtual switch on one host.")
    .argument("<name>", "HOST/NAME")
    .option("--mtu <bytes>", "largest packet it carries, 576 to 9216 (default: 1500)")
    .option("--rstp", "run the rapid spanning tree protocol")
    .addOption(repeatable("--label <key=value>", "free-form label; may be repeated"))
    .option("--dry-run", "only check the request")
    .addOption(responseOutput())
    .action(async (text: string, options: CreateLanOptions) => {
      const session = open(command);
      const { parent, id, name } = parseNewName(text, "lans");
      const mtu = options.mtu === undefined ? 0 : parseWhole("--mtu", options.mtu, 576, 9216);
      const method = LanServiceService.createLan;
      const response = await session.call(
        method,
        {
          parent,
          lanId: id,
          lan: Lan.fromPartial({
            labels: parsePairs("--label", options.label),
            spec: { mtu, rstp: options.rstp === true },
          }),
          requestId: session.requestId(),
          validateOnly: options.dryRun === true,
        },
        30_000,
      );
      await session.printResponse(options.output, method, response, () => {
        if (options.output === "name") return name;
        const done = options.dryRun === true ? "could be created; nothing was changed" : "created";
        return escapeText(`lan ${shortName(name)} ${done}`);
      });
    });
  withExamples(command, "zor create lan alpha/lan1", "zor create lan alpha/storage --mtu 9000 --label tier=backend");
}
