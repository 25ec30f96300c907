import { invalidArgument, notFound } from "../../../lib/errors.js";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { isOfKind } from "../../../lib/kinds/resource.js";
import { type Instance, InstanceState } from "../../../proto/gen/zor/v1/instance.js";
import { hostOf, idOf, shortName } from "../../kit/resource-name.js";
import { filterOption, type Registrar, selectorOption, withExamples, withNotes } from "../command.js";
import { selectedBy } from "../input/selector.js";
import { listKind } from "../kinds.js";
import { unreachableNotes } from "../output/show-rows.js";
import type { Session } from "../session.js";
import { SshFiles, toAlias } from "../ssh/ssh-files.js";

interface Options {
  readonly ansible?: boolean;
  readonly list?: boolean;
  readonly host?: string;
  readonly user: string;
  readonly acceptNew?: boolean;
  readonly all?: boolean;
  readonly filter: string;
  readonly selector?: string;
}

/** `zor inventory --ansible`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("inventory")
    .description("Be the inventory of another program: of Ansible, which then reaches every instance through the hub.")
    .option("--ansible", "in the form of Ansible's dynamic inventories")
    .option("--list", "everything (what happens unasked)")
    .option("--host <name>", "the variables of one, as Ansible asks for them")
    .option("--user <user>", "who to log in as; the label ansible_user of an instance goes before it", "root")
    .option("--accept-new", "take the key of a server on trust the first time, where it cannot be read inside")
    .option("--all", "also instances that do not run")
    .addOption(filterOption("labels.lab = paris", "instance"))
    .addOption(selectorOption())
    .action(async (options: Options) => {
      if (options.ansible !== true)
        throw invalidArgument("--ansible", "say for which program: zor inventory --ansible");
      const session = open(command);
      const hosts = await hostsOf(session, options);
      if (options.host === undefined) await session.printJson("json", inventoryOf(hosts));
      else {
        const found = hosts.find(({ alias }) => alias === options.host);
        if (found === undefined) throw notFound(options.host, "list them with: zor inventory --ansible --list");
        await session.printJson("json", found.variables);
      }
    });
  withNotes(
    command,
    `Instances are called NAME.HOST.zor, and are in the groups all, host_HOST, driver_DRIVER, lan_LAN, state_STATE and label_KEY_VALUE; characters that groups cannot have become _. ssh goes through
zor ssh-proxy, with a key of yours that is let in for the session. Ansible takes a program as inventory: an executable file with

  #!/bin/sh
  exec zor inventory --ansible "$@"`,
  );
  withExamples(
    command,
    "zor inventory --ansible",
    "zor inventory --ansible --selector lab=paris",
    "zor inventory --ansible --host vm1.alpha.zor",
    "ansible -i ./fleet.sh host_alpha -m ping",
  );
}

/** An instance as Ansible knows it. */
interface InventoryHost {
  readonly alias: string;
  readonly groups: readonly string[];
  readonly variables: Readonly<Record<string, unknown>>;
}

async function hostsOf(session: Session, options: Options): Promise<readonly InventoryHost[]> {
  const filter = selectedBy(options.selector, options.filter);
  const listing = await listKind(await session.connect(), kindNamed("instance"), { filter }, session.readOptions());
  for (const note of unreachableNotes(listing.unreachable)) session.note(note);
  const files = new SshFiles(session.configDirectory);
  await files.ensureKey();
  const context = session.options.context === undefined ? [] : ["--context", session.options.context];
  const instances = listing.resources.flatMap((resource) => (isOfKind(resource, "instance") ? [resource.value] : []));
  const isWanted = ({ status }: Instance): boolean =>
    options.all === true || options.host !== undefined || status?.state === InstanceState.INSTANCE_STATE_RUNNING;
  return instances.filter(isWanted).map((instance) => {
    const alias = toAlias(instance.name);
    const proxy = [...context, "ssh-proxy", shortName(instance.name)];
    const settings = files.options(proxy, { alias, acceptNew: options.acceptNew === true });
    const { labels } = instance;
    return {
      alias,
      groups: groupsOf(instance),
      variables: {
        ansible_host: alias,
        ansible_user: labels["ansible_user"] ?? options.user,
        ansible_ssh_common_args: Object.entries(settings)
          .map(([key, value]) => `-o ${shellWord(`${key}=${value}`)}`)
          .join(" "),
        zor_name: instance.name,
        zor_host: hostOf(instance.name) ?? "",
        zor_id: idOf(instance.name),
        zor_labels: labels,
      },
    };
  });
}

function groupsOf({ name, labels, spec, status }: Instance): readonly string[] {
  const state = InstanceState[status?.state ?? 0]?.replace(/^INSTANCE_STATE_/, "").toLowerCase() ?? "unknown";
  const lans = (spec?.nics ?? []).flatMap(({ lan }) => (lan === "" ? [] : [`lan_${idOf(lan)}`]));
  return [
    `host_${hostOf(name) ?? ""}`,
    ...(spec?.driver === undefined ? [] : [`driver_${spec.driver.$case}`]),
    `state_${state}`,
    ...lans,
    ...Object.entries(labels).map(([key, value]) => (value === "" ? `label_${key}` : `label_${key}_${value}`)),
  ].map((group) => group.replaceAll(/[^A-Za-z0-9_]/g, "_"));
}

function inventoryOf(hosts: readonly InventoryHost[]): object {
  const groups = new Map<string, string[]>();
  for (const { alias, groups: own } of hosts) {
    for (const group of new Set(own)) groups.set(group, [...(groups.get(group) ?? []), alias]);
  }
  const sorted = [...groups].sort(([one], [other]) => (one < other ? -1 : 1));
  return {
    _meta: { hostvars: Object.fromEntries(hosts.map(({ alias, variables }) => [alias, variables])) },
    all: { hosts: hosts.map(({ alias }) => alias), children: sorted.map(([group]) => group) },
    ...Object.fromEntries(sorted.map(([group, members]) => [group, { hosts: members }])),
  };
}

/** A word for a shell. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
