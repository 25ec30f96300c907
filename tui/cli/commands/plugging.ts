import { kindNamed } from "../../../lib/kinds/kinds.js";
import { failedPrecondition, invalidArgument, notFound } from "../../../lib/errors.js";
import type { Instance } from "../../../proto/gen/zor/v1/instance.js";
import { InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { type AttachLanRequest, LanServiceService } from "../../../proto/gen/zor/v1/lan_service.js";
import { escapeText } from "../../kit/text/escape.js";
import { hostOf, shortName } from "../../kit/resource-name.js";
import { dryRunOption, type Registrar, ResourceArgument, responseOutput, withExamples } from "../command.js";
import { parseNicWords } from "../input/nic-name.js";
import type { ResponseMethod } from "../output/proto-json.js";
import { resolveName } from "../resolve.js";
import type { OutputFormat, Session } from "../session.js";

/** A command about one NIC and one lan. */
interface Verb {
  readonly description: string;
  /** What is written after the command's name. */
  readonly words: string;
  readonly argument: string;
  /** "plugged into" */
  readonly done: string;
  /** Requests and responses of both have the same fields. */
  readonly method: ResponseMethod<AttachLanRequest, { instance: Instance | undefined }>;
  /** When it is not said, it is the one the NIC is plugged into. */
  readonly mustSayLan: boolean;
  readonly examples: readonly string[];
}

const verbs: Readonly<Record<string, Verb>> = {
  attach: {
    description: "Plug an instance's NIC into a lan of its host, running or not.",
    words: "INSTANCE NIC LAN",
    argument: "the instance, the name of its NIC, and a lan on the same host",
    done: "plugged into",
    method: LanServiceService.attachLan,
    mustSayLan: true,
    examples: ["zor attach alpha/vm1 eth0 lan1", "zor attach vm1 eth1 alpha/lan2 --dry-run"],
  },
  detach: {
    description: "Unplug an instance's NIC from its lan, running or not.",
    words: "INSTANCE NIC [LAN]",
    argument: "the instance, the name of its NIC, and perhaps the lan it must be plugged into",
    done: "unplugged from",
    method: LanServiceService.detachLan,
    mustSayLan: false,
    examples: ["zor detach alpha/vm1 eth0", "zor detach alpha/vm1 eth0 lan1"],
  },
};

interface PluggingOptions {
  readonly output: OutputFormat;
  readonly dryRun?: boolean;
}

/** `zor attach INSTANCE NIC LAN`, `zor detach INSTANCE NIC [LAN]`. */
export function define({ program, open }: Registrar, name: string): void {
  const verb = verbs[name];
  if (verb === undefined) throw new Error(`${name} is not about NICs and lans`);
  const command = program
    .command(name)
    .description(verb.description)
    .usage(`[options] ${verb.words}`)
    .addArgument(new ResourceArgument("<instance...>", verb.argument, "instance"))
    .addOption(dryRunOption())
    .addOption(responseOutput())
    .action(async (words: string[], options: PluggingOptions) => {
      const session = open(command);
      const { instance: text, nic, rest } = parseNicWords(words);
      const [lanText, ...tooMany] = rest;
      if (tooMany.length > 0) throw invalidArgument("lan", `one NIC and one lan at a time: zor ${name} ${verb.words}`);
      if (lanText === undefined && verb.mustSayLan)
        throw invalidArgument("lan", `say which lan: zor ${name} ${verb.words}`);
      const instance = await resolveName(session, kindNamed("instance"), text);
      const lan =
        lanText === undefined
          ? await findLan(session, instance, nic)
          : await resolveName(session, kindNamed("lan"), lanText, hostOf(instance));
      if (hostOf(lan) !== hostOf(instance)) {
        const where = `${shortName(instance)} and ${shortName(lan)} are on different hosts`;
        throw invalidArgument(
          "lan",
          `${where}: name a lan of the instance's host, and join the lans with: zor create link`,
        );
      }
      const response = await session.call(verb.method, {
        name: lan,
        endpoint: `${instance}/nics/${nic}`,
        requestId: session.requestId(),
        validateOnly: options.dryRun === true,
      });
      await session.printResponse(options.output, verb.method, response, () => {
        if (options.output === "name") return escapeText(instance);
        const done = options.dryRun === true ? `could be ${verb.done}` : verb.done;
        return escapeText(`${shortName(instance)} ${nic} ${done} ${shortName(lan)}`);
      });
    });
  withExamples(command, ...verb.examples);
}

/** The lan a NIC is plugged into. */
async function findLan(session: Session, name: string, nic: string): Promise<string> {
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
