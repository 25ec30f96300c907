import { parseId } from "../../../lib/names.js";
import { LanServiceService } from "../../../proto/gen/zor/v1/lan_service.js";
import { escapeText } from "../../client/escape.js";
import { hostOf, shortName } from "../../client/short-name.js";
import { type Registrar, responseOutput, withExamples } from "../command.js";
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
    .argument("<instance>", "instance")
    .argument("<nic>", "name of the NIC, such as eth0")
    .argument("<lan>", "lan on the same host")
    .option("--dry-run", "only check the request")
    .addOption(responseOutput())
    .action(async (instanceText: string, nicText: string, lanText: string, options: AttachOptions) => {
      const session = open(command);
      const instance = await resolveName(session, kinds.instance, instanceText);
      const nic = parseId("nic", nicText);
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
