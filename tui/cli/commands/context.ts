import { resolve } from "node:path";
import type { Command } from "commander";
import { invalidArgument } from "../../../lib/errors.js";
import { parseId } from "../../../lib/names.js";
import { formatTarget, parseTarget } from "../../../lib/ssh/target.js";
import { certificateFacts, loadIdentity } from "../../../lib/tls/identity.js";
import { hostServerName, hubServerName } from "../../../lib/tls/join.js";
import {
  type Context,
  listContexts,
  loadContext,
  removeContext,
  saveContext,
  selectContext,
  wayOf,
} from "../../client/contexts.js";
import { escapeText } from "../../kit/text/escape.js";
import { formatAge } from "../../kit/format.js";
import { asList, LanguageArgument, type Registrar, repeatable, withExamples } from "../command.js";
import { noteCurrent } from "../context-notes.js";
import { defineRenew } from "./context-renew.js";
import { parseAddress } from "../../kit/input/addresses.js";
import type { ListForm } from "../output/list-form.js";
import { printList } from "../output/print-list.js";

/** `zor context list|use|show|add|remove|renew`. */
export function define({ program, open }: Registrar): void {
  const context = program.command("context").description("Choose which hub or agent to talk to.").helpCommand(false);
  defineList(context, open);
  defineShow(context, open);
  defineUse(context, open);
  defineAdd(context, open);
  defineRemove(context, open);
  defineRenew(context, open);
}

function defineList(parent: Command, open: Registrar["open"]): void {
  const command = parent
    .command("list")
    .description("List contexts.")
    .action(async (form: ListForm) => {
      const session = open(command);
      const { current, contexts } = await listContexts(session.configDirectory);
      const isThrough = contexts.some(({ ssh }) => ssh !== undefined);
      await printList(session, form, {
        columns: [
          { title: "CURRENT", rank: 1, value: ({ name }) => (name === current ? "*" : " ") },
          { title: "NAME", rank: 0, shrinkTo: 20, cut: "middle", value: ({ name }) => name },
          { title: "ADDRESSES", rank: 0, shrinkTo: 16, value: ({ addresses }) => addresses.join(",") },
          { title: "SERVER", rank: 2, value: ({ serverName }) => serverName },
          { title: "THROUGH", rank: 1, shown: isThrough ? "always" : "asked", value: throughText },
        ],
        rows: contexts,
        nameOf: ({ name }) => name,
        json: (rows) => ({ current: current ?? "", contexts: rows.map(contextJson) }),
        none: "no contexts; join a hub with: zor join TOKEN",
      });
    });
  asList(command);
  withExamples(command, "zor context list", "zor context list -o json");
}

function throughText({ ssh }: Context): string {
  return ssh === undefined ? "" : formatTarget(ssh);
}

function contextJson({ ssh, ...rest }: Context): object {
  return { ...rest, ...(ssh === undefined ? {} : { ssh: formatTarget(ssh) }) };
}

function defineShow(parent: Command, open: Registrar["open"]): void {
  const command = parent
    .command("show")
    .description("Show a context and the identity it uses.")
    .addArgument(new LanguageArgument("[name]", "default: the one in use", "contexts"))
    .action(async (name: string | undefined) => {
      const session = open(command);
      const context = name === undefined ? await session.context() : await loadContext({ name, env: session.io.env });
      const { certificatePem } = await loadIdentity(context.identityDirectory);
      const { uris, notAfter } = certificateFacts(certificatePem);
      const leftMs = notAfter.getTime() - Date.now();
      const lines = [
        `name:      ${context.name}`,
        `addresses: ${context.addresses.join(", ")}`,
        ...(context.ssh === undefined ? [] : [`through:   ${formatTarget(context.ssh)} (ssh)`]),
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
    .addArgument(new LanguageArgument("<name>", "context", "contexts"))
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
  readonly identity?: string;
  readonly ssh?: string;
  readonly agent?: string;
  readonly use?: boolean;
}

function defineAdd(parent: Command, open: Registrar["open"]): void {
  const command = parent
    .command("add")
    .description(
      "Add a context, or replace the one of that name, for an identity that is there already. With --ssh the addresses are those that the ssh server sees, and zor and the terminal interface go through it; ssh's own configuration, keys, agent and known hosts are used.",
    )
    .argument("<name>", "context")
    .addOption(
      repeatable(
        "--address <ip:port>",
        "of the hub or agent; may be repeated (with --ssh: its usual port on loopback)",
      ),
    )
    .option(
      "--identity <directory>",
      "directory with key.pem, cert.pem and ca.pem (default: that of the context in use)",
    )
    .option("--ssh <user@host>", "[user@]host[:port] of an ssh server to go through")
    .option("--agent <host>", "the address is that of this host's agent, not of a hub")
    .option("--use", "make it the current context")
    .action(async (text: string, options: AddOptions) => {
      const session = open(command);
      const identityDirectory =
        options.identity === undefined ? (await session.context()).identityDirectory : resolve(options.identity);
      await loadIdentity(identityDirectory);
      const context: Context = {
        name: parseId("name", text),
        addresses: addressesOf(options),
        serverName: options.agent === undefined ? hubServerName : hostServerName(parseId("--agent", options.agent)),
        identityDirectory,
        ...(options.ssh === undefined ? {} : { ssh: parseTarget("--ssh", options.ssh) }),
      };
      const { current: before } = await listContexts(session.configDirectory);
      await saveContext(session.configDirectory, context, options.use === true);
      session.print(escapeText(`context ${context.name} leads to ${wayOf(context)}`));
      await noteCurrent(session, { before, name: context.name });
    });
  withExamples(
    command,
    "zor context add local --address 127.0.0.1:7440 --identity /var/lib/zor/hub/admin --use",
    "zor context add a1 --agent alpha --address 127.0.0.1:7443 --identity ~/.config/zor/identities/hub",
    "zor context add paris --ssh ops@bastion.example",
    "zor context add h7 --ssh ops@host7 --agent host7",
  );
}

/** Where a hub and an agent listen unless they are told otherwise. */
const usualAddress = { hub: "127.0.0.1:7440", agent: "127.0.0.1:7443" };

function addressesOf({ address, agent, ssh }: AddOptions): readonly string[] {
  if (address.length > 0) return address.map((each) => parseAddress("--address", each));
  if (ssh === undefined)
    throw invalidArgument(
      "--address",
      "say where it listens, or --ssh for one that listens on loopback of another machine",
    );
  return [agent === undefined ? usualAddress.hub : usualAddress.agent];
}

function defineRemove(parent: Command, open: Registrar["open"]): void {
  const command = parent
    .command("remove")
    .description("Forget a context. The files of its identity stay.")
    .addArgument(new LanguageArgument("<name>", "context", "contexts"))
    .action(async (name: string) => {
      const session = open(command);
      const { current: before } = await listContexts(session.configDirectory);
      await removeContext(session.configDirectory, name);
      session.print(escapeText(`context ${name} removed`));
      await noteCurrent(session, { before, name });
    });
  withExamples(command, "zor context remove lab2");
}
