import { type Kind, kinds } from "../kit/row.js";

/** What a typed command asks for. */
export type TypedCommand =
  | { readonly type: "table"; readonly kind: Kind; readonly host: string | undefined; readonly filter: string }
  | { readonly type: "quit" }
  | { readonly type: "help" }
  | { readonly type: "resync" }
  | { readonly type: "describe"; readonly id: string }
  | { readonly type: "unknown"; readonly message: string };

/** Words of the command line, with their short forms. */
const tableWords: Readonly<Record<Kind, readonly string[]>> = {
  hosts: ["hosts", "host", "ho"],
  instances: ["instances", "instance", "in", "vm", "vms"],
  lans: ["lans", "lan", "la"],
  links: ["links", "link", "li", "c2c"],
  operations: ["operations", "operation", "ops", "op"],
  events: ["events", "event", "ev"],
  a2bs: ["a2bs", "a2b", "box"],
};

const otherWords = ["describe", "help", "quit", "resync"] as const;

/** Lines of the help about the command line. */
export const commandLineHelp: readonly { readonly form: string; readonly title: string }[] = [
  {
    form: ":instances [HOST] [/FILTER]",
    title: "a table (1 to 7), of one host, filtered",
  },
  { form: ":describe NAME", title: "details: alpha, alpha/vm1, demo" },
  { form: ":resync", title: "read everything from the hub again" },
  { form: ":q, ctrl-c twice", title: "quit" },
];

/** Reads a command line (without the ":"). `hosts` are the host ids there are. */
export function parseCommandLine(line: string, hosts: readonly string[]): TypedCommand {
  const slash = line.search(/(^|\s)\//);
  const head = (slash < 0 ? line : line.slice(0, slash)).trim();
  const filter = slash < 0 ? "" : line.slice(line.indexOf("/", slash) + 1).trim();
  const [word = "", ...rest] = head.split(/\s+/);
  const [argument] = rest;
  if (word === "q" || word === "quit" || word === "exit") return { type: "quit" };
  if (word === "help" || word === "?") return { type: "help" };
  if (word === "resync") return { type: "resync" };
  if (word === "describe") {
    return argument === undefined
      ? { type: "unknown", message: "describe what? For example :describe alpha/vm1" }
      : { type: "describe", id: argument };
  }
  const kind = kinds.find((candidate) => tableWords[candidate].includes(word.toLowerCase()));
  if (kind === undefined) {
    return {
      type: "unknown",
      message: `there is no command "${word}"; ${kinds.join(", ")}, describe, help, resync, quit`,
    };
  }
  if (argument !== undefined && !hosts.includes(argument)) {
    return { type: "unknown", message: `there is no host "${argument}"; 1 shows the hosts` };
  }
  return { type: "table", kind, host: argument, filter };
}

/** What may follow what is typed: whole lines, the best first. */
export function completions(line: string, hosts: readonly string[]): readonly string[] {
  const [word = "", argument] = line.split(/\s+/, 2);
  if (argument === undefined) {
    if (word === "") return [];
    return [...kinds, ...otherWords].filter((candidate) => candidate.startsWith(word) && candidate !== word);
  }
  const takesHost = kinds.some((kind) => tableWords[kind].includes(word));
  if (!takesHost || argument.startsWith("/")) return [];
  return hosts.filter((host) => host.startsWith(argument) && host !== argument).map((host) => `${word} ${host}`);
}
