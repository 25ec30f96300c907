import { status } from "@grpc/grpc-js";
import { invalidArgument, permissionDenied, ZorError } from "../../../../lib/errors.js";
import { quote } from "../../../../lib/names.js";
import {
  appctlRules,
  appctlTargets,
  type CommandKind,
  ofctlRules,
  tableCommands,
  type ToolRules,
  vsctlRules,
  vsctlTables,
} from "./rules.js";

/** Where the instance is that tools are run against. */
export interface ToolPlace {
  /** Directory of its sockets. */
  readonly directory: string;
  /** Names of its bridges. */
  readonly bridges: ReadonlySet<string>;
  /** Name of the bridge of a lan. @throws {ZorError} NOT_FOUND */
  readonly bridgeOf: (lan: string) => string;
}

/** A tool as it may be run. */
export interface JudgedTool {
  readonly tool: ToolRules["tool"];
  readonly argv: readonly string[];
  readonly kind: CommandKind;
}

/** What is asked of which tool, as the caller said it. */
export interface AskedTool {
  readonly tool: ToolRules["tool"];
  readonly words: readonly string[];
}

const maxWords = 64;
const maxWordLength = 4096;
const field = "arguments";
/** The tools give up after so many seconds. */
const toolTimeoutSeconds = 10;

/**
 * What a tool is run with, against nothing but the instance of this place.
 * @throws {ZorError} INVALID_ARGUMENT, NOT_FOUND; PERMISSION_DENIED for what nobody may, since it leaves the instance.
 */
export function judgeTool({ tool, words }: AskedTool, place: ToolPlace): JudgedTool {
  if (words.length === 0 || words.length > maxWords) {
    throw invalidArgument(field, `give 1 to ${maxWords}, such as ${exampleOf[tool]}`);
  }
  const named = words.map((word, index) => nameLan(checkWord(word, index), place));
  return judges[tool](named, place);
}

const exampleOf = { "ovs-vsctl": "show", "ovs-ofctl": "dump-flows lan/lan1", "ovs-appctl": "fdb/show lan/lan1" };

const judges: Readonly<Record<ToolRules["tool"], (words: readonly string[], place: ToolPlace) => JudgedTool>> = {
  "ovs-vsctl": judgeVsctl,
  "ovs-ofctl": judgeOfctl,
  "ovs-appctl": judgeAppctl,
};

function checkWord(word: string, index: number): string {
  if (word.length > maxWordLength) {
    throw invalidArgument(`${field}[${index}]`, `is longer than ${maxWordLength} characters`);
  }
  // Backslashes write characters in another way in the tools' quoted strings: what is looked for could hide in them.
  if (/[\p{Cc}\\]/u.test(word)) {
    throw invalidArgument(`${field}[${index}]`, "has control characters or backslashes; leave them out");
  }
  return word;
}

/** "lan/lan1" as the name of its bridge. */
function nameLan(word: string, { bridgeOf }: ToolPlace): string {
  return word.startsWith("lan/") ? bridgeOf(word.slice("lan/".length)) : word;
}

/** Commands are separated by "--"; options stand before each one's name. Whatever follows the name is no option. */
function judgeVsctl(words: readonly string[], { directory }: ToolPlace): JudgedTool {
  const kinds: CommandKind[] = [];
  let segment: string[] = [];
  const end = (): void => {
    const at = segment.findIndex((word) => !word.startsWith("-"));
    for (const word of at < 0 ? segment : segment.slice(0, at)) checkOption(vsctlRules, word);
    if (at >= 0) kinds.push(judgeVsctlCommand(segment.slice(at)));
    segment = [];
  };
  for (const word of words) {
    if (word === "--") end();
    else segment.push(word);
  }
  end();
  if (kinds.length === 0) throw noCommand(vsctlRules);
  const own = [`--db=unix:${directory}/db.sock`, `--timeout=${toolTimeoutSeconds}`, "--no-syslog"];
  return { tool: "ovs-vsctl", argv: [...own, ...words], kind: kinds.includes("changes") ? "changes" : "reads" };
}

function judgeVsctlCommand([name = "", ...rest]: readonly string[]): CommandKind {
  const kind = checkCommand(vsctlRules, name);
  const option = rest.find((word) => word.startsWith("--"));
  if (option !== undefined) throw invalidArgument(field, `${quote(option)} must stand before ${name}`);
  const [table = ""] = rest;
  if (tableCommands.has(name) && !vsctlTables.has(table)) {
    throw permissionDenied(
      `ovs-vsctl ${name} is run for the tables ${[...vsctlTables].join(", ")} only, not for ${quote(table)}`,
    );
  }
  if (kind === "reads") return kind;
  const outside = rest.find((word) => /dpdk|vhost|p?unix:|p?ssl:|afxdp|xdp-/i.test(word));
  if (outside === undefined) return kind;
  throw permissionDenied(
    `ovs-vsctl ${name} is not run with ${quote(outside)}: devices, sockets, keys and arguments of DPDK are the host's own`,
  );
}

/** Its options may stand anywhere; the first word that is none is the command, the second the bridge. */
function judgeOfctl(words: readonly string[], { directory, bridges }: ToolPlace): JudgedTool {
  const options = words.filter((word) => word.startsWith("-"));
  for (const option of options) checkOption(ofctlRules, option);
  const [name = "", bridge = "", ...rest] = words.filter((word) => !word.startsWith("-"));
  if (name === "") throw noCommand(ofctlRules);
  const kind = checkCommand(ofctlRules, name);
  if (!bridges.has(bridge)) {
    throw invalidArgument(
      field,
      `${quote(bridge)} is not a bridge of this host's switch; name one after ${name}, such as lan/lan1`,
    );
  }
  const own = [`--timeout=${toolTimeoutSeconds}`, ...options];
  return { tool: "ovs-ofctl", argv: [...own, name, `unix:${directory}/${bridge}.mgmt`, ...rest], kind };
}

/** What follows the command is the daemon's to read. */
function judgeAppctl(words: readonly string[], { directory }: ToolPlace): JudgedTool {
  const at = words.findIndex((word) => !word.startsWith("-"));
  if (at < 0) throw noCommand(appctlRules);
  for (const option of words.slice(0, at)) checkOption(appctlRules, option);
  const asked = words.slice(0, at).map((option) => option.slice("--target=".length));
  const target = appctlTargets.find((daemon) => daemon === (asked.at(-1) ?? "ovs-vswitchd"));
  if (target === undefined) throw invalidArgument(field, `--target is ${appctlTargets.join(" or ")}`);
  const [name = "", ...rest] = words.slice(at);
  const kind = checkCommand(appctlRules, name);
  const own = ["--target", `${directory}/${target}.ctl`, "--timeout", String(toolTimeoutSeconds)];
  return { tool: "ovs-appctl", argv: [...own, name, ...rest], kind };
}

function checkOption({ tool, flags, valued }: ToolRules, word: string): void {
  const [name = ""] = word.split("=", 1);
  if (word.includes("=") ? valued.has(name) : flags.has(word)) return;
  if (valued.has(word)) throw invalidArgument(field, `write ${word}=VALUE`);
  throw permissionDenied(
    `${tool} is not run with ${quote(word)}: it is not among the options that stay within this host's switch`,
  );
}

function checkCommand({ tool, commands }: ToolRules, name: string): CommandKind {
  const kind = commands.get(name);
  if (kind !== undefined) return kind;
  throw permissionDenied(
    `${tool} ${quote(name)} is run for nobody: it is not among the commands that end and stay within this host's switch`,
  );
}

function noCommand({ tool }: ToolRules): ZorError {
  return invalidArgument(field, `no command for ${tool}; such as ${exampleOf[tool]}`);
}

/** The caller asked only to read. */
export function changesTheSwitch({ tool }: JudgedTool, resource: string): ZorError {
  return new ZorError({
    reason: "OVS_CHANGES",
    code: status.PERMISSION_DENIED,
    message: `${tool}: this command changes the switch; admins run it, with RunOvs`,
    resource,
  });
}
