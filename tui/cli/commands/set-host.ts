import { type Command, Option } from "commander";
import { notFound } from "../../../lib/errors.js";
import type { Host } from "../../../proto/gen/zor/v1/host.js";
import { HostServiceService } from "../../../proto/gen/zor/v1/host_service.js";
import { escapeText } from "../../kit/text/escape.js";
import { shortName } from "../../kit/resource-name.js";
import { type Registrar, repeatable, responseOutput, withExamples } from "../command.js";
import { parseAddress } from "../input/addresses.js";
import { parsePairs } from "../input/key-values.js";
import { kinds } from "../kinds.js";
import { resolveLocally } from "../resolve.js";
import type { OutputFormat } from "../session.js";

interface SetHostOptions {
  readonly output: OutputFormat;
  readonly address: readonly string[];
  readonly dialOut?: boolean;
  readonly underlay: readonly string[];
  readonly agentUnderlay?: boolean;
  readonly undialable?: boolean;
  readonly dialable?: boolean;
  readonly label: readonly string[];
  readonly dryRun?: boolean;
}

/** `zor host set NAME`, also `zor set host NAME`. */
export function defineSetHost(parent: Command, open: Registrar["open"], word: "set" | "host" = "set"): void {
  const command = parent
    .command(word)
    .description("Change where a host is reached, and its labels. What is not said stays. Admins only.")
    .argument("<name>", "name of the host")
    .addOption(repeatable("--address <address>", "where the hub dials its agent from now on; may be repeated"))
    .addOption(new Option("--dial-out", "no address: the agent dials the hub").conflicts("address"))
    .addOption(repeatable("--underlay <ip or name>", "where other hosts reach it for links; may be repeated"))
    .addOption(new Option("--agent-underlay", "the agent says where other hosts reach it").conflicts("underlay"))
    .option("--undialable", "no other host can open a connection to it")
    .addOption(new Option("--dialable", "other hosts can open connections to it").conflicts("undialable"))
    .addOption(repeatable("--label <key=value>", "set a label; an empty value takes it away; may be repeated"))
    .option("--dry-run", "only check the request")
    .addOption(responseOutput())
    .action(async (text: string, options: SetHostOptions) => {
      const session = open(command);
      const name = resolveLocally(kinds.host, text) ?? text;
      const { host } = await session.call(HostServiceService.getHost, { name });
      if (host === undefined) throw notFound(name, "list the hosts with: zor get hosts");
      const method = HostServiceService.updateHost;
      const response = await session.call(method, {
        host: changed(host, options),
        updateMask: undefined,
        requestId: session.requestId(),
        validateOnly: options.dryRun === true,
      });
      await session.printResponse(options.output, method, response, () => {
        if (options.output === "name") return escapeText(name);
        return escapeText(`host ${shortName(name)} ${outcome(response.host ?? host, options)}`);
      });
    });
  withExamples(
    command,
    "zor host set h1 --address 10.0.0.12:7443",
    "zor host set h1 --address h1.lab:7443 --underlay 10.1.0.12",
    "zor host set h1 --dial-out --undialable",
  );
}

function changed(host: Host, options: SetHostOptions): Host {
  const { address, underlay, dialOut, agentUnderlay, undialable, dialable } = options;
  const addresses = address.map((each) => parseAddress("--address", each));
  const labels = Object.entries({ ...host.labels, ...parsePairs("--label", options.label) });
  return {
    ...host,
    labels: Object.fromEntries(labels.filter(([, value]) => value !== "")),
    addresses: dialOut === true ? [] : addresses.length > 0 ? addresses : host.addresses,
    underlayAddresses: agentUnderlay === true ? [] : underlay.length > 0 ? [...underlay] : host.underlayAddresses,
    undialable: undialable === true || (host.undialable && dialable !== true),
  };
}

function outcome({ addresses, underlayAddresses }: Host, { dryRun }: SetHostOptions): string {
  if (dryRun === true) return "could be changed; nothing was changed";
  const dialled = addresses.length === 0 ? "its agent dials the hub" : `the hub dials ${addresses.join(", ")}`;
  const underlay = underlayAddresses.length === 0 ? "as its agent says" : `at ${underlayAddresses.join(", ")}`;
  return `changed: ${dialled}; other hosts reach it ${underlay}`;
}
