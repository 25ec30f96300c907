import { resolve } from "node:path";
import type { Command } from "commander";
import { parseId } from "../../../lib/names.js";
import { certificateFacts, loadIdentity } from "../../../lib/tls/identity.js";
import { hostServerName, hubServerName } from "../../../lib/tls/join.js";
import {
  type Context,
  listContexts,
  loadContext,
  removeContext,
  saveContext,
  selectContext,
} from "../../client/contexts.js";
import { escapeText } from "../../kit/text/escape.js";
import { formatAge } from "../../kit/format.js";
import { outputOption, type Registrar, repeatable, withExamples } from "../command.js";
import { noteCurrent } from "../context-notes.js";
import { parseAddress } from "../../kit/input/addresses.js";
import { tableOptions } from "../output/show-rows.js";
import { Table } from "../output/table.js";
import type { OutputFormat } from "../session.js";

/** `zor context list|use|show|add|remove`. */
export function define({ program, open }: Registrar): void {
  const context = program.command("context").description("Choose which hub or agent to talk to.").helpCommand(false);
  defineList(context, open);
  defineShow(context, open);
  defineUse(context, open);
  defineAdd(context, open);
  defineRemove(context, open);
}

function defineList(parent: Command, open: Registrar["open"]): void {
  const command = parent
    .command("list")
    .description("List contexts.")
    .addOption(outputOption(["text", "json", "yaml", "name"], "text"))
    .action(async ({ output }: { output: OutputFormat }) => {
      const session = open(command);
      const { current, contexts } = await listContexts(session.configDirectory);
      if (output === "json" || output === "yaml") {
        await session.printJson(output, { current: current ?? "", contexts });
        return;
      }
      if (output === "name") {
        for (const { name } of contexts) session.print(escapeText(name));
        return;
      }
      if (contexts.length === 0) {
        session.note("no contexts; join a hub with: zor join TOKEN");
        return;
      }
      const table = new Table<Context>(
        [
          { title: "CURRENT", rank: 1, value: ({ name }) => (name === current ? "*" : " ") },
          { title: "NAME", rank: 0, shrinkTo: 20, cut: "middle", value: ({ name }) => name },
          { title: "ADDRESSES", rank: 0, shrinkTo: 16, value: ({ addresses }) => addresses.join(",") },
          { title: "SERVER", rank: 2, value: ({ serverName }) => serverName },
        ],
        contexts,
        tableOptions(session.io, false),
      );
      session.print(table.header());
      for (const context of contexts) session.print(table.row(context));
    });
  withExamples(command, "zor context list", "zor context list -o json");
}

function defineShow(parent: Command, open: Registrar["open"]): void {
  const command = parent
    .command("show")
    .description("Show a context and the identity it uses.")
    .argument("[name]", "default: the one in use")
    .action(async (name: string | undefined) => {
      const session = open(command);
      const context = name === undefined ? await session.context() : await loadContext({ name, env: session.io.env });
      const { certificatePem } = await loadIdentity(context.identityDirectory);
      const { uris, notAfter } = certificateFacts(certificatePem);
      const leftMs = notAfter.getTime() - Date.now();
      const lines = [
        `name:      ${context.name}`,
        `addresses: ${context.addresses.join(", ")}`,
        `server:    ${context.serverName}`,
        `identity:  ${uris.join(", ")}`,
        `expires:   ${notAfter.toISOString()} (${leftMs > 0 ? `in ${formatAge(leftMs)}` : "expired"})`,
        `files:     ${context.identityDirectory}`,
      ];
      for (const line of lines) session.print(escapeText(line));
    });
  withExamples(command, "zor context show", "zor context show lab2");
}

function defineUse(parent: Command, open: Registrar["open"]): void {
  const command = parent
    .command("use")
    .description("Make a context the current one.")
    .argument("<name>", "context")
    .action(async (name: string) => {
      const session = open(command);
      const { current: before } = await listContexts(session.configDirectory);
      await selectContext(session.configDirectory, name);
      session.print(escapeText(`now using ${name}`));
      await noteCurrent(session, { before, name });
    });
  withExamples(command, "zor context use lab2");
}

interface AddOptions {
  readonly address: readonly string[];
  readonly identity: string;
  readonly agent?: string;
  readonly use?: boolean;
}

function defineAdd(parent: Command, open: Registrar["open"]): void {
  const command = parent
    .command("add")
    .description("Add a context, or replace the one of that name, for an identity that is there already.")
    .argument("<name>", "context")
    .addOption(repeatable("--address <ip:port>", "of the hub or agent; may be repeated").makeOptionMandatory())
    .requiredOption("--identity <directory>", "directory with key.pem, cert.pem and ca.pem")
    .option("--agent <host>", "the address is that of this host's agent, not of a hub")
    .option("--use", "make it the current context")
    .action(async (text: string, options: AddOptions) => {
      const session = open(command);
      const identityDirectory = resolve(options.identity);
      await loadIdentity(identityDirectory);
      const context: Context = {
        name: parseId("name", text),
        addresses: options.address.map((address) => parseAddress("--address", address)),
        serverName: options.agent === undefined ? hubServerName : hostServerName(parseId("--agent", options.agent)),
        identityDirectory,
      };
      const { current: before } = await listContexts(session.configDirectory);
      await saveContext(session.configDirectory, context, options.use === true);
      session.print(escapeText(`context ${context.name} leads to ${context.addresses.join(", ")}`));
      await noteCurrent(session, { before, name: context.name });
    });
  withExamples(
    command,
    "zor context add local --address 127.0.0.1:7440 --identity /var/lib/zor/hub/admin --use",
    "zor context add a1 --agent alpha --address 127.0.0.1:7443 --identity ~/.config/zor/identities/hub",
  );
}

function defineRemove(parent: Command, open: Registrar["open"]): void {
  const command = parent
    .command("remove")
    .description("Forget a context. The files of its identity stay.")
    .argument("<name>", "context")
    .action(async (name: string) => {
      const session = open(command);
      const { current: before } = await listContexts(session.configDirectory);
      await removeContext(session.configDirectory, name);
      session.print(escapeText(`context ${name} removed`));
      await noteCurrent(session, { before, name });
    });
  withExamples(command, "zor context remove lab2");
}
