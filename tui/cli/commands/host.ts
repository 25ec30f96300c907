import { isOfKind } from "../../../lib/kinds/resource.js";
import type { Command } from "commander";
import { toDuration } from "../../../lib/duration.js";
import { agreeing, counted, listed } from "../../../lib/words.js";
import { Host } from "../../../proto/gen/zor/v1/host.js";
import { HostServiceService } from "../../../proto/gen/zor/v1/host_service.js";
import { escapeText } from "../../kit/text/escape.js";
import { shortName } from "../../kit/resource-name.js";
import {
  filterOption,
  labelColumnsOption,
  orderOption,
  outputOption,
  type Registrar,
  repeatable,
  responseOutput,
  withExamples,
} from "../command.js";
import { confirm } from "../confirm.js";
import { parseDurationMs } from "../input/durations.js";
import { parsePairs } from "../input/key-values.js";
import { kinds } from "../kinds.js";
import { type ListOptions, listResources } from "../list-resources.js";
import { resolveLocally } from "../resolve.js";
import type { OutputFormat, Session } from "../session.js";
import { defineSetHost } from "./set-host.js";

/** `zor host add|list|set|remove`. */
export function define({ program, open }: Registrar): void {
  const host = program.command("host").description("Register, list, change and remove hosts.").helpCommand(false);
  defineAdd(host, open);
  defineList(host, open);
  defineSetHost(host, open);
  defineRemove(host, open);
}

interface AddOptions {
  readonly output: OutputFormat;
  readonly address: readonly string[];
  readonly underlay: readonly string[];
  readonly undialable?: boolean;
  readonly label: readonly string[];
  readonly ttl?: string;
  readonly dryRun?: boolean;
}

function defineAdd(host: Command, open: Registrar["open"]): void {
  const command = host
    .command("add")
    .description("Register a host and print the token with which its agent joins. Admins only.")
    .argument("<name>", "name of the host")
    .addOption(repeatable("--address <address>", "where the hub dials its agent; without one the agent dials the hub"))
    .addOption(repeatable("--underlay <ip or name>", "where other hosts reach it for links; may be repeated"))
    .option("--undialable", "no other host can open a connection to it")
    .addOption(repeatable("--label <key=value>", "free-form label; may be repeated"))
    .option("--ttl <time>", "how long the token works, at most 24h (default: 15m)")
    .option("--dry-run", "only check the request")
    .addOption(responseOutput())
    .action(async (text: string, options: AddOptions) => {
      const session = open(command);
      const name = resolveLocally(kinds.host, text) ?? text;
      const method = HostServiceService.createHost;
      const response = await session.call(method, {
        hostId: shortName(name),
        host: Host.fromPartial({
          labels: parsePairs("--label", options.label),
          addresses: [...options.address],
          underlayAddresses: [...options.underlay],
          undialable: options.undialable === true,
        }),
        requestId: session.requestId(),
        validateOnly: options.dryRun === true,
        tokenTtl: options.ttl === undefined ? undefined : toDuration(parseDurationMs("--ttl", options.ttl)),
      });
      await session.printResponse(options.output, method, response, () => {
        if (options.output === "name") return escapeText(name);
        if (options.dryRun === true)
          return escapeText(`host ${shortName(name)} could be registered; nothing was changed`);
        return escapeText(response.joinToken);
      });
      if (options.output === "text" && options.dryRun !== true) {
        session.note(escapeText(`host ${shortName(name)} registered; run on it, as root: zor agent join TOKEN`));
        session.note("The token works once; it is not shown again.");
      }
    });
  withExamples(
    command,
    "zor host add gamma",
    "zor host add gamma --address 192.0.2.7:7443 --underlay 192.0.2.7 --ttl 1h",
  );
}

function defineList(host: Command, open: Registrar["open"]): void {
  const command = host
    .command("list")
    .description("List hosts; the same as zor get hosts.")
    .addOption(outputOption(["table", "wide", "json", "yaml", "name"], "table"))
    .addOption(filterOption("state = READY"))
    .addOption(orderOption())
    .addOption(labelColumnsOption())
    .action(async (options: ListOptions) => listResources(open(command), kinds.host, [], options));
  withExamples(command, "zor host list", "zor host list -o wide");
}

interface RemoveOptions {
  readonly output: OutputFormat;
  readonly force?: boolean;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

function defineRemove(host: Command, open: Registrar["open"]): void {
  const command = host
    .command("remove")
    .description("Forget a host and revoke its certificate. Nothing on the host is stopped. Admins only.")
    .argument("<name>", "name of the host")
    .option("--force", "also forget the links that end on it")
    .option("-y, --yes", "do not ask")
    .option("--dry-run", "only check the request")
    .addOption(responseOutput())
    .action(async (text: string, options: RemoveOptions) => {
      const session = open(command);
      const name = resolveLocally(kinds.host, text) ?? text;
      const plan = await removalPlan(session, name, options.force === true);
      if (!(await confirm(session, plan, "Remove?", options))) return;
      const method = HostServiceService.deleteHost;
      const response = await session.call(method, {
        name,
        requestId: session.requestId(),
        validateOnly: options.dryRun === true,
        force: options.force === true,
      });
      await session.printResponse(options.output, method, response, () => {
        if (options.output === "name") return escapeText(name);
        const done =
          options.dryRun === true ? "could be removed; nothing was changed" : "removed; what runs on it still runs";
        return escapeText(`host ${shortName(name)} ${done}`);
      });
    });
  withExamples(command, "zor host remove gamma", "zor host remove gamma --force --yes");
}

async function removalPlan(session: Session, name: string, force: boolean): Promise<string[]> {
  const { host } = await session.call(HostServiceService.getHost, { name });
  const connection = await session.connect();
  const { resources } = await kinds.link.list(connection, { filter: "", orderBy: "" }, session.readOptions());
  const links = resources.flatMap((resource) => {
    if (!isOfKind(resource, "link")) return [];
    const { value } = resource;
    return [value.spec?.a ?? "", value.spec?.b ?? ""].some((end) => end.startsWith(`${name}/`))
      ? [shortName(value.name)]
      : [];
  });
  const instances = Object.values(host?.summary?.instances ?? {}).reduce((sum, count) => sum + count, 0);
  const linkText =
    links.length === 0
      ? "no links"
      : `${agreeing(links.length, "link", "links")} ${listed(links, 20)}${force ? ` ${agreeing(links.length, "is", "are")} forgotten` : ": refused without --force"}`;
  return [
    "This makes the hub forget:",
    escapeText(
      `  host ${shortName(name)}: ${counted(instances, "instance")} ${agreeing(instances, "stays as it is", "stay as they are")}, its certificate is revoked, ${linkText}`,
    ),
  ];
}
