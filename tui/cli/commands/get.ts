import { invalidArgument } from "../../../lib/errors.js";
import { livesOnHosts } from "../../../lib/kinds/kinds.js";
import { parseId } from "../../../lib/names.js";
import {
  filterOption,
  KindArgument,
  labelColumnsOption,
  orderOption,
  outputOption,
  type Registrar,
  ResourceArgument,
  withExamples,
} from "../command.js";
import { hasLabels, kindsWith, parseKind } from "../kinds.js";
import { listed } from "../../../lib/words.js";
import { type ListOptions, listResources } from "../list-resources.js";

interface GetOptions extends ListOptions {
  readonly watch?: boolean;
}

/** `zor get KIND [NAME...]`. */
export function define({ program, open }: Registrar): void {
  const plurals = kindsWith("list").map(({ plural }) => plural);
  const command = program
    .command("get")
    .description(
      "List resources of a kind.\nAs JSON or YAML it prints one document, the API's list response, whether all, several or one are asked for by name; with --watch one WatchResponse after the other. Other commands print the response of their own call, one document for each name.",
    )
    .usage("[options] <kind> [names...]")
    .addArgument(new KindArgument("<kind>", listed(plurals, plurals.length, "or"), "list"))
    .addArgument(new ResourceArgument("[names...]", "only these"))
    .addOption(outputOption(["table", "wide", "json", "yaml", "name"], "table"))
    .addOption(filterOption("status.state = RUNNING AND spec.memory_mib >= 512"))
    .addOption(orderOption())
    .addOption(labelColumnsOption())
    .option("--host <host>", "only what is on this host")
    .option("-w, --watch", "stay and show every change; survives a restart of the hub")
    .action(async (word: string, names: string[], options: GetOptions) => {
      const session = open(command);
      const kind = parseKind(word, "list");
      if (options.host !== undefined && !livesOnHosts(kind)) {
        throw invalidArgument("--host", `${kind.plural} do not live on one host; use --filter`);
      }
      if (options.host !== undefined) parseId("--host", options.host);
      if (options.labelColumns !== undefined && !hasLabels(kind)) {
        throw invalidArgument("--label-columns", `${kind.plural} have no labels`);
      }
      if (options.watch !== true) {
        await listResources(session, kind, names, options);
        return;
      }
      const { watchResources } = await import("../watch-resources.js");
      await watchResources(session, kind, names, options);
    });
  withExamples(
    command,
    "zor get hosts",
    "zor get instances --host alpha -o wide",
    "zor get instances --label-columns role,owner",
    "zor get instances --filter 'status.state != RUNNING' -o name",
    "zor get links demo -o yaml",
    "zor get instances -o json | jq -r '.instances[].name'",
    "zor get links --watch",
  );
}
