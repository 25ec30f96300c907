import { invalidArgument } from "../../../lib/errors.js";
import { LanServiceService } from "../../../proto/gen/zor/v1/lan_service.js";
import { escapeText } from "../../client/escape.js";
import { hostOf, shortName } from "../../client/short-name.js";
import { type Registrar, responseOutput, withExamples } from "../command.js";
import { parseNicWords } from "../input/nic-name.js";
import { kinds } from "../kinds.js";
import { resolveName } from "../resolve.js";
import type { OutputFormat } from "../session.js";

interface AttachOptions {
  readonly output: OutputFormat;
  readonly dryRun?: boolean;
}

/** `zor attach INSTANCE NIC LAN`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("attach")
    .description("Plug an instance's NIC into a lan of its host, running or not.")
    .usage("[options] INSTANCE NIC LAN")
    .argument("<instance...>", "the instance, the name of its NIC, and a lan on the same host")
    .option("--dry-run", "only check the request")
    .addOption(responseOutput())
    .action(async (words: string[], options: AttachOptions) => {
      const session = open(command);
      const { instance: text, nic, rest } = parseNicWords(words);
      const [lanText] = rest;
      if (lanText === undefined || rest.length > 1) throw invalidArgument("lan", "say which lan: INSTANCE NIC LAN");
      const instance = await resolveName(session, kinds.instance, text);
      const lan = await resolveName(session, kinds.lan, lanText, hostOf(instance));
      const method = LanServiceService.attachLan;
      const response = await session.call(method, {
        name: lan,
        endpoint: `${instance}/nics/${nic}`,
        requestId: session.requestId(),
        validateOnly: options.dryRun === true,
      });
      await session.printResponse(options.output, method, response, () => {
        if (options.output === "name") return escapeText(instance);
        const done = options.dryRun === true ? "could be plugged into" : "plugged into";
        return escapeText(`${shortName(instance)} ${nic} ${done} ${shortName(lan)}`);
      });
    });
  withExamples(command, "zor attach alpha/vm1 eth0 lan1", "zor attach vm1 eth1 alpha/lan2 --dry-run");
}
