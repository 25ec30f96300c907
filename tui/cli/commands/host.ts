import type { Command } from "commander";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { dryRunOption, type Registrar, ResourceArgument, responseOutput, withExamples, yesOption } from "../command.js";
import {
  defineConfigure,
  defineInstall,
  defineRejoin,
  defineRollback,
  defineUninstall,
  defineUpgrade,
} from "../install/commands.js";
import { defineKindList } from "../noun-list.js";
import { resolveLocally } from "../resolve.js";
import { defineCreate } from "./create.js";
import { type DeletionOptions, deleteAll } from "./delete.js";
import { defineSet } from "./set.js";
import { defineShell } from "./shell.js";

/** `zor host add|list|set|remove|shell|install|upgrade|rollback|configure|rejoin|uninstall`. */
export async function define({ program, open }: Registrar): Promise<void> {
  const host = program.command("host").description("Register, list, change and remove hosts.").helpCommand(false);
  await defineCreate(host, open, kindNamed("host"), "add");
  defineKindList(host, open, "state = READY");
  await defineSet(host, open, kindNamed("host"), "set");
  defineRemove(host, open);
  defineShell(host, open);
  defineInstall(host, open);
  defineUpgrade(host, open);
  defineRollback(host, open);
  defineConfigure(host, open);
  defineRejoin(host, open);
  defineUninstall(host, open);
}

function defineRemove(host: Command, open: Registrar["open"]): void {
  const command = host
    .command("remove")
    .description("Forget a host and revoke its certificate. Nothing on the host is stopped. Admins only.")
    .addArgument(new ResourceArgument("<name>", "name of the host", "host"))
    .option("--force", "also forget the links that end on it")
    .addOption(yesOption())
    .addOption(dryRunOption())
    .addOption(responseOutput())
    .action(async (text: string, options: DeletionOptions) => {
      const kind = kindNamed("host");
      const target = { kind, name: resolveLocally(kind, text) ?? text };
      await deleteAll(open(command), [target], options, "removed; what runs on it still runs");
    });
  withExamples(command, "zor host remove gamma", "zor host remove gamma --force --yes");
}
