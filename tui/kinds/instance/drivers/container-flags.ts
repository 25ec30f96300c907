import { type Flag, type FlagValues, flagTexts } from "../../../kit/kind-commands.js";

/** Flags of every driver of containers. */
export const containerFlags: readonly Flag[] = [
  { flags: "--env <key=value>", help: "containers: environment of the command; may be repeated", repeatable: true },
  {
    flags: "--cap-add <name>",
    help: "containers: a capability more; most need the agent's permission; may be repeated",
    repeatable: true,
  },
  {
    flags: "--cap-drop <name>",
    help: "containers: a capability less; ALL is every default one; may be repeated",
    repeatable: true,
  },
  {
    flags: "--sysctl <name=value>",
    help: "containers: of the container's own namespaces; may be repeated",
    repeatable: true,
  },
];

/** The capabilities that flags add and take away. */
export function readCapabilities(values: FlagValues): {
  readonly capabilities?: { readonly add: readonly string[]; readonly drop: readonly string[] };
} {
  const [add, drop] = [flagTexts(values, "capAdd"), flagTexts(values, "capDrop")];
  return add.length + drop.length === 0 ? {} : { capabilities: { add, drop } };
}
