import { invalidArgument } from "../../../lib/errors.js";
import { parseId, quote } from "../../../lib/names.js";
import {
  filterOption,
  labelColumnsOption,
  orderOption,
  outputOption,
  type Registrar,
  withExamples,
} from "../command.js";
import { findKind, type Kind, kinds } from "../kinds.js";
import { type ListOptions, listResources } from "../list-resources.js";
import { nearest } from "../../../lib/nearest.js";
import { hasLabels } from "../output/columns.js";

interface GetOptions extends ListOptions {
  readonly watch?: boolean;
}

/** `zor get KIND [NAME...]`. */
export function define({ program, open }: Registrar): void {
  const command = program
    .command("get")
    .description(
      "List hosts, instances, lans, links, in-line boxes (a2bs) or operations.\nAs JSON or YAML it prints one document, the API's list response, whether all, several or one are asked for by name; with --watch one WatchResponse after the other. Other commands print the response of their own call, one document for each name.",
    )
    .usage("[options] hosts|instances|lans|links|a2bs|operations [names...]")
    .argument("<kind>", "hosts, instances, lans, links, a2bs or operations")
    .argument("[names...]", "only these")
    .addOption(outputOption(["table", "wide", "json", "yaml", "name"], "table"))
    .addOption(filterOption("status.state = RUNNING AND spec.memory_mib >= 512"))
    .addOption(orderOption())
    .addOption(labelColumnsOption())
    .option("--host <host>", "only what is on this host")
    .option("-w, --watch", "stay and show every change; survives a restart of the hub")
    .action(async (word: string, names: string[], options: GetOptions) => {
      const session = open(command);
      const kind = parseKind(word);
      if (options.host !== undefined && kind.onHost === undefined) {
        throw invalidArgument("--host", `${kind.plural} do not live on one host; use --filter`);
      }
      if (options.host !== undefined) parseId("--host", options.host);
      if (options.labelColumns !== undefined && !hasLabels(kind.name)) {
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

function parseKind(word: string): Kind {
  const kind = findKind(word);
  if (kind !== undefined) return kind;
  const words = Object.values(kinds).map(({ plural }) => plural);
  const near = nearest(word, words);
  const hint = near === undefined ? `the kinds are ${words.join(", ")}` : `did you mean ${near}?`;
  throw invalidArgument("kind", `${quote(word)} is not a kind of resource; ${hint}`);
}
