import { kindNamed } from "../../../lib/kinds/kinds.js";
import { isOfKind } from "../../../lib/kinds/resource.js";
import type { Command } from "commander";
import { agreeing, counted, listed } from "../../../lib/words.js";
import { HostServiceService } from "../../../proto/gen/zor/v1/host_service.js";
import { escapeText } from "../../kit/text/escape.js";
import { shortName } from "../../kit/resource-name.js";
import {
  filterOption,
  labelColumnsOption,
  orderOption,
  outputOption,
  type Registrar,
  ResourceArgument,
  responseOutput,
  withExamples,
} from "../command.js";
import { confirm } from "../confirm.js";
import { listKind } from "../kinds.js";
import { type ListOptions, listResources } from "../list-resources.js";
import { resolveLocally } from "../resolve.js";
import type { OutputFormat, Session } from "../session.js";
import { defineCreate } from "./create.js";
import { defineSet } from "./set.js";

/** `zor host add|list|set|remove`. */
export async function define({ program, open }: Registrar): Promise<void> {
  const host = program.command("host").description("Register, list, change and remove hosts.").helpCommand(false);
  await defineCreate(host, open, kindNamed("host"), "add");
  defineList(host, open);
  await defineSet(host, open, kindNamed("host"), "set");
  defineRemove(host, open);
}

function defineList(host: Command, open: Registrar["open"]): void {
  const command = host
    .command("list")
    .description("List hosts; the same as zor get hosts.")
    .addOption(outputOption(["table", "wide", "json", "yaml", "name"], "table"))
    .addOption(filterOption("state = READY"))
    .addOption(orderOption())
    .addOption(labelColumnsOption())
    .action(async (options: ListOptions) => listResources(open(command), kindNamed("host"), [], options));
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
    .addArgument(new ResourceArgument("<name>", "name of the host", "host"))
    .option("--force", "also forget the links that end on it")
    .option("-y, --yes", "do not ask")
    .option("--dry-run", "only check the request")
    .addOption(responseOutput())
    .action(async (text: string, options: RemoveOptions) => {
      const session = open(command);
      const name = resolveLocally(kindNamed("host"), text) ?? text;
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
  const { resources } = await listKind(connection, kindNamed("link"), {}, session.readOptions());
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
