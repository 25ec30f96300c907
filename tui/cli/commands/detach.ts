import { failedPrecondition, invalidArgument, notFound } from "../../../lib/errors.js";
import { InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { LanServiceService } from "../../../proto/gen/zor/v1/lan_service.js";
import { escapeText } from "../../client/escape.js";
import { hostOf, shortName } from "../../client/short-name.js";
import { type Registrar, responseOutput, withExamples } from "../command.js";
import { parseNicWords } from "../input/nic-name.js";
import { kinds } from "../kinds.js";
import { resolveName } from "../resolve.js";
import type { OutputFormat, Session } from "../session.js";

interface DetachOptions {
  readonly output: OutputFormat;
  readonly dryRun?: boolean;
}

/** `zor detach INSTANCE NIC [LAN]`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("detach")
    .description("Unplug an instance's NIC from its lan, running or not.")
    .usage("[options] INSTANCE NIC [LAN]")
    .argument("<instance...>", "the instance, the name of its NIC, and perhaps the lan it must be plugged into")
    .option("--dry-run", "only check the request")
    .addOption(responseOutput())
    .action(async (words: string[], options: DetachOptions) => {
      const session = open(command);
      const { instance: text, nic, rest } = parseNicWords(words);
      const [lanText] = rest;
      if (rest.length > 1) throw invalidArgument("lan", "say one NIC and one lan: INSTANCE NIC [LAN]");
      const instance = await resolveName(session, kinds.instance, text);
      const lan =
        lanText === undefined
          ? await lanOf(session, instance, nic)
          : await resolveName(session, kinds.lan, lanText, hostOf(instance));
      const method = LanServiceService.detachLan;
      const response = await session.call(method, {
        name: lan,
        endpoint: `${instance}/nics/${nic}`,
        requestId: session.requestId(),
        validateOnly: options.dryRun === true,
      });
      await session.printResponse(options.output, method, response, () => {
        if (options.output === "name") return escapeText(instance);
        const done = options.dryRun === true ? "could be unplugged from" : "unplugged from";
        return escapeText(`${shortName(instance)} ${nic} ${done} ${shortName(lan)}`);
      });
    });
  withExamples(command, "zor detach alpha/vm1 eth0", "zor detach alpha/vm1 eth0 lan1");
}

/** The lan a NIC is plugged into. */
async function lanOf(session: Session, name: string, nic: string): Promise<string> {
  const { instance } = await session.call(InstanceServiceService.getInstance, { name });
  const nics = instance?.status?.nics.length ? instance.status.nics : (instance?.spec?.nics ?? []);
  const found = nics.find((each, index) => (each.name === "" ? `eth${index}` : each.name) === nic);
  if (found === undefined)
    throw notFound(`${name}/nics/${nic}`, `it has ${nics.map((each) => each.name).join(", ") || "no NICs"}`);
  if (found.lan !== "") return `hosts/${hostOf(name) ?? ""}/lans/${found.lan}`;
  throw failedPrecondition(
    "NIC_NOT_PLUGGED",
    `${name}/nics/${nic}`,
    `${shortName(name)} ${nic} is not plugged into a lan`,
  );
}
