import { readdir } from "node:fs/promises";
import { userInfo } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import SSHConfig, { type Line, LineType, type Match, type Section } from "ssh-config";
import { failedPrecondition, invalidArgument, messageOf } from "../errors.js";
import { readIfExists } from "../files.js";
import type { Environment } from "../terminal.js";
import { anyMatches, globMatches } from "./patterns.js";
import { formatTarget, parseTarget, type SshTarget } from "./target.js";

/** What the configuration of ssh says of one server. */
export interface SshSettings {
  /** As it was asked for. */
  readonly alias: string;
  readonly hostName: string;
  readonly user: string;
  readonly port: number;
  /** Servers on the way, the first one first; empty: straight there. */
  readonly jumps: readonly SshTarget[];
  /** Files with private keys, absolute, in order. */
  readonly identityFiles: readonly string[];
  /** Only keys of these files are shown, also of those that the agent has. */
  readonly identitiesOnly: boolean;
  /** Socket of the agent; undefined: none is used. */
  readonly agentSocket: string | undefined;
  /** The first is the one that keys are added to. */
  readonly knownHostsFiles: readonly string[];
  readonly hashKnownHosts: boolean;
  /** Name in known_hosts; undefined: the host's. */
  readonly hostKeyAlias: string | undefined;
  /** What becomes of a key that is not known; "no" of ssh counts as "ask": nothing is ever trusted without a word. */
  readonly unknownKeys: "ask" | "accept-new" | "refuse";
  /** What the configuration asks for and does not get, in words. */
  readonly notes: readonly string[];
}

/** Where the configuration lies. */
export interface SshConfigOptions {
  readonly env: Environment;
  /** Files in the order they are read; default: ~/.ssh/config and /etc/ssh/ssh_config. */
  readonly files?: readonly string[];
}

/** A server for people, by the name it was asked for: "user@host", "user@host:port". */
export function nameOf({ user, hostName, alias, port }: SshSettings): string {
  return formatTarget({ user, host: alias === "" ? hostName : alias, ...(port === 22 ? {} : { port }) });
}

const defaultKeys = ["id_ed25519", "id_ecdsa", "id_rsa", "id_ed25519_sk", "id_ecdsa_sk"];

/** The configuration of a person's ssh, as ssh_config(5) has it; the first value that fits counts. */
export class SshConfig {
  readonly #lines: readonly Line[];
  readonly #home: string;
  readonly #agent: string | undefined;
  readonly #ownUser: string;

  private constructor(lines: readonly Line[], home: string, agent: string | undefined) {
    this.#lines = lines;
    this.#home = home;
    this.#agent = agent;
    this.#ownUser = userInfo().username;
  }

  /** @throws {ZorError} INVALID_ARGUMENT that names a file that cannot be read or understood. */
  static async read({ env, files }: SshConfigOptions): Promise<SshConfig> {
    const home = env["HOME"] || userInfo().homedir;
    const paths = files ?? [join(home, ".ssh/config"), "/etc/ssh/ssh_config"];
    const lines: Line[] = [];
    for (const path of paths) lines.push(...(await readLines(path, { home, inside: [] })));
    return new SshConfig(lines, home, env["SSH_AUTH_SOCK"] || undefined);
  }

  /** @throws {ZorError} INVALID_ARGUMENT for a value that cannot be used, FAILED_PRECONDITION for a ProxyCommand. */
  lookUp(target: SshTarget): SshSettings {
    const found = this.#collect(target);
    const first = (key: string): string | undefined => found.values.get(key)?.[0];
    const hostName = this.#expand(first("hostname") ?? target.host, { "%h": target.host, "%n": target.host });
    const user = target.user ?? first("user") ?? this.#ownUser;
    const port = target.port ?? Number(first("port") ?? 22);
    if (!Number.isInteger(port) || port < 1 || port > 65_535)
      throw invalidArgument(`Port of ${target.host}`, `${first("port") ?? ""} is not a port`);
    const tokens = { "%h": hostName, "%n": target.host, "%p": String(port), "%r": user };
    const path = (text: string) => this.#path(this.#expand(text, tokens));
    const command = first("proxycommand");
    const jump = first("proxyjump");
    if (jump === undefined && command !== undefined && command !== "none") {
      throw failedPrecondition(
        "PROXY_COMMAND",
        target.host,
        `the ssh configuration of ${target.host} has a ProxyCommand, which is not run here; use ProxyJump instead`,
      );
    }
    const files = (found.values.get("identityfile") ?? []).filter((file) => file !== "none").map(path);
    const known = words(first("userknownhostsfile") ?? "~/.ssh/known_hosts ~/.ssh/known_hosts2");
    const global = words(first("globalknownhostsfile") ?? "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2");
    return {
      alias: target.host,
      hostName,
      user,
      port,
      jumps: jumpsOf(target, jump),
      identityFiles: found.values.has("identityfile")
        ? files
        : defaultKeys.map((name) => join(this.#home, ".ssh", name)),
      identitiesOnly: isYes(first("identitiesonly")),
      agentSocket: this.#agentSocket(first("identityagent"), path),
      knownHostsFiles: [...known, ...global].filter((file) => file !== "none" && file !== "/dev/null").map(path),
      hashKnownHosts: isYes(first("hashknownhosts")),
      hostKeyAlias: first("hostkeyalias"),
      unknownKeys: policyOf(first("stricthostkeychecking")),
      notes: found.notes,
    };
  }

  #agentSocket(text: string | undefined, path: (text: string) => string): string | undefined {
    if (text === undefined || text === "SSH_AUTH_SOCK") return this.#agent;
    return text === "none" ? undefined : path(text);
  }

  #collect(target: SshTarget) {
    const values = new Map<string, string[]>();
    const notes = new Set<string>();
    const visit = (lines: readonly Line[]): void => {
      for (const line of lines) {
        if (line.type !== LineType.DIRECTIVE) continue;
        const key = line.param.toLowerCase();
        if ("config" in line) {
          if (
            key === "host"
              ? hostMatches(valuesOf(line.value), target.host)
              : this.#matches(line as Match, { target, values, notes })
          )
            visit((line as Section).config);
        } else if (key === "identityfile") values.set(key, [...(values.get(key) ?? []), textOf(line.value)]);
        else if (!values.has(key)) values.set(key, [textOf(line.value)]);
      }
    };
    visit(this.#lines);
    return { values, notes: [...notes] };
  }

  #matches({ criteria }: Match, { target, values, notes }: MatchContext): boolean {
    return Object.entries(criteria).every(([word, value]) => {
      const negated = word.startsWith("!");
      const name = (negated ? word.slice(1) : word).toLowerCase();
      const list = valuesOf(value).flatMap((text) => text.split(","));
      const hostName = values.get("hostname")?.[0] ?? target.host;
      const user = target.user ?? values.get("user")?.[0] ?? this.#ownUser;
      const verdicts: Readonly<Record<string, () => boolean>> = {
        all: () => true,
        host: () => hostMatches(list, hostName),
        originalhost: () => hostMatches(list, target.host),
        user: () => hostMatches(list, user),
        localuser: () => hostMatches(list, this.#ownUser),
      };
      const verdict = verdicts[name];
      if (verdict !== undefined) return verdict() !== negated;
      // Nothing is run because a file says so.
      if (name !== "canonical" && name !== "final")
        notes.add(`"Match ${name}" of the ssh configuration is passed over`);
      return false;
    });
  }

  #path(text: string): string {
    if (text === "~" || text.startsWith("~/")) return join(this.#home, text.slice(1));
    return isAbsolute(text) ? text : join(this.#home, ".ssh", text);
  }

  #expand(text: string, tokens: Readonly<Record<string, string>>): string {
    const all: Readonly<Record<string, string>> = { "%%": "%", "%d": this.#home, "%u": this.#ownUser, ...tokens };
    return text.replace(/%./g, (token) => all[token] ?? token);
  }
}

interface MatchContext {
  readonly target: SshTarget;
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly notes: Set<string>;
}

interface Reading {
  readonly home: string;
  /** Files whose Include led here. */
  readonly inside: readonly string[];
}

async function readLines(path: string, { home, inside }: Reading): Promise<readonly Line[]> {
  if (inside.includes(path)) throw invalidArgument(path, "its Include lines go in a circle");
  let lines: readonly Line[];
  try {
    const text = await readIfExists(path);
    if (text === undefined) return [];
    lines = SSHConfig.parse(text);
  } catch (error) {
    throw invalidArgument(path, `the configuration of ssh cannot be read: ${messageOf(error)}`);
  }
  return included(lines, path, { home, inside: [...inside, path] });
}

/** The lines with those of other files in place of each Include, at every depth. */
async function included(lines: readonly Line[], path: string, reading: Reading): Promise<readonly Line[]> {
  const all: Line[] = [];
  for (const line of lines) {
    if (line.type !== LineType.DIRECTIVE) continue;
    if ("config" in line) {
      const inner = await included((line as Section).config, path, reading);
      all.push({ ...line, config: inner } as unknown as Line);
    } else if (line.param.toLowerCase() !== "include") all.push(line);
    else {
      const files = await filesOf(valuesOf(line.value), path, reading.home);
      for (const file of files) all.push(...(await readLines(file, reading)));
    }
  }
  return all;
}

async function filesOf(patterns: readonly string[], path: string, home: string): Promise<readonly string[]> {
  const base = path.startsWith("/etc/") ? dirname(path) : join(home, ".ssh");
  const lists = await Promise.all(
    patterns.map(async (pattern) => {
      const full = pattern.startsWith("~/")
        ? join(home, pattern.slice(2))
        : isAbsolute(pattern)
          ? pattern
          : join(base, pattern);
      const name = full.slice(full.lastIndexOf("/") + 1);
      if (!/[*?]/.test(name)) return [full];
      const names = await readdir(dirname(full)).catch(() => []);
      return names
        .filter((each) => globMatches(name, each) && !each.startsWith("."))
        .sort()
        .map((each) => join(dirname(full), each));
    }),
  );
  return lists.flat();
}

function jumpsOf(target: SshTarget, text: string | undefined): readonly SshTarget[] {
  if (text === undefined || text.toLowerCase() === "none") return [];
  return text.split(",").map((each) => parseTarget(`ProxyJump of ${formatTarget(target)}`, each.trim()));
}

function hostMatches(patterns: readonly string[], name: string): boolean {
  const text = name.toLowerCase();
  return anyMatches(patterns, (pattern) => globMatches(pattern.toLowerCase(), text));
}

type Value = string | readonly { readonly val: string }[];

function valuesOf(value: Value): readonly string[] {
  return typeof value === "string" ? words(value) : value.map(({ val }) => val);
}

function textOf(value: Value): string {
  return typeof value === "string" ? value : value.map(({ val }) => val).join(" ");
}

function words(text: string): readonly string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}

function isYes(text: string | undefined): boolean {
  return /^(yes|true)$/i.test(text ?? "");
}

function policyOf(text: string | undefined): SshSettings["unknownKeys"] {
  if (text === undefined) return "ask";
  if (/^(yes|true)$/i.test(text)) return "refuse";
  return text.toLowerCase() === "accept-new" ? "accept-new" : "ask";
}
