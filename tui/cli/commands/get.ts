import { listed } from "../../../lib/words.js";
import {
  asResourceList,
  KindArgument,
  type ListingOptions,
  type Registrar,
  ResourceArgument,
  withExamples,
} from "../command.js";
import { kindsWith, parseKind } from "../kinds.js";
import { listResources } from "../list-resources.js";

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
    .option("--host <host>", "only what is on this host")
    .action(async (word: string, names: string[], options: ListingOptions) =>
      listResources(open(command), parseKind(word, "list"), names, options),
    );
  asResourceList(command, "status.state = RUNNING AND spec.memory_mib >= 512");
  withExamples(
    command,
    "zor get hosts",
    "zor get instances --host alpha -o wide",
    "zor get instances --label-columns role,owner --selector site=paris",
    "zor get instances --columns NAME,STATE,spec.memory_mib --sort-by -spec.memory_mib",
    "zor get instances --columns NAME,cpu,mem.used --sort-by -cpu",
    "zor get instances -o csv > instances.csv",
    "zor get instances --filter 'status.state != RUNNING' -o name",
    "zor get links demo -o yaml",
    "zor get instances -o json | jq -r '.instances[].name'",
    `zor get instances -o jsonpath='{range .instances[*]}{.name}{"\\t"}{.status.state}{"\\n"}{end}'`,
    `zor get instances -o template='{{range .instances}}{{base .name}} {{.spec.memory_mib}}{{"\\n"}}{{end}}'`,
    "zor get links --watch",
  );
}
