import { mkdir } from "node:fs/promises";
import { isAbsolute, join, relative } from "node:path";
import { status } from "@grpc/grpc-js";
import { ZorError } from "../../lib/errors.js";
import { readIfExists, writeFileAtomic } from "../../lib/files.js";
import type { Environment } from "../../lib/terminal.js";
import { formatTarget, parseTarget, type SshTarget } from "../../lib/ssh/target.js";
import { hostOfServerName, hubServerName } from "../../lib/tls/join.js";
import { userDirectory } from "../../lib/user-directories.js";
import { type ContextEntry, type ContextsFile, formatContexts, parseContexts } from "./contexts-file.js";

/** A hub or agent to talk to, and as whom. */
export interface Context {
  readonly name: string;
  /** Addresses ("ip:port"), tried in order; never empty. */
  readonly addresses: readonly string[];
  /** DNS name in the server's certificate: "hub.zor", or "alpha.host.zor" for an agent. */
  readonly serverName: string;
  /** Absolute path of the directory with key.pem, cert.pem and ca.pem. */
  readonly identityDirectory: string;
  /** The ssh server that the addresses are seen from; undefined: they are dialled from here. */
  readonly ssh?: SshTarget;
}

/** What a context leads to: one hub, or the agent of one host. */
export function servedBy({ serverName }: Context): "hub" | "agent" {
  return serverName === hubServerName ? "hub" : "agent";
}

/** Id of the host whose agent a context leads to; undefined: it leads to a hub. */
export function agentOf({ serverName }: Context): string | undefined {
  return hostOfServerName(serverName);
}

/** Where a context leads, for people: "127.0.0.1:7440 through ops@rack7". */
export function wayOf({ addresses, ssh }: Pick<Context, "addresses" | "ssh">): string {
  return `${addresses.join(", ")}${ssh === undefined ? "" : ` through ${formatTarget(ssh)}`}`;
}

/** Where contexts and identities are kept: $ZOR_CONFIG, else $XDG_CONFIG_HOME/zor, else ~/.config/zor. */
export function configDirectory(env: Environment): string {
  return env["ZOR_CONFIG"] || userDirectory("config", env);
}

/** Which context to load. */
export interface LoadContextOptions {
  /** Default: $ZOR_CONTEXT, else the current one, else the only one. */
  readonly name?: string | undefined;
  /** Of the process, unless it is a test's. */
  readonly env: Environment;
}

/** @throws {ZorError} FAILED_PRECONDITION when there is none, NOT_FOUND for an unknown name, INVALID_ARGUMENT (file:line:column) for a bad file. */
export async function loadContext(options: LoadContextOptions): Promise<Context> {
  const { env } = options;
  const directory = configDirectory(env);
  const file = await readContexts(directory);
  const [only] = file.contexts;
  const wanted =
    options.name ??
    (env["ZOR_CONTEXT"] || undefined) ??
    file.current ??
    (file.contexts.length === 1 ? only?.name : undefined);
  if (wanted === undefined) throw noContext(file, await findElsewhere(directory, env));
  const entry = file.contexts.find(({ name }) => name === wanted);
  if (entry === undefined) throw unknownContext(wanted, file);
  return toContext(entry, directory);
}

/** All contexts, and which one is current. */
export async function listContexts(
  directory: string,
): Promise<{ readonly current: string | undefined; readonly contexts: readonly Context[] }> {
  const file = await readContexts(directory);
  return { current: file.current, contexts: file.contexts.map((entry) => toContext(entry, directory)) };
}

/** Adds a context or replaces the one of that name; it becomes current when asked or when it is the first. */
export async function saveContext(directory: string, context: Context, makeCurrent: boolean): Promise<void> {
  const file = await readContexts(directory);
  const inside = relative(directory, context.identityDirectory);
  const entry: ContextEntry = {
    name: context.name,
    addresses: context.addresses,
    serverName: context.serverName,
    identity: inside.startsWith("..") || isAbsolute(inside) ? context.identityDirectory : inside,
    ...(context.ssh === undefined ? {} : { ssh: formatTarget(context.ssh) }),
  };
  const others = file.contexts.filter(({ name }) => name !== context.name);
  await writeContexts(directory, {
    current: makeCurrent || file.contexts.length === 0 ? context.name : file.current,
    contexts: [...others, entry],
  });
}

/** Makes a context current. @throws {ZorError} NOT_FOUND for an unknown name. */
export async function selectContext(directory: string, name: string): Promise<void> {
  const file = await readContexts(directory);
  if (!file.contexts.some((entry) => entry.name === name)) throw unknownContext(name, file);
  await writeContexts(directory, { ...file, current: name });
}

/** Forgets a context; its identity's files stay. @throws {ZorError} NOT_FOUND for an unknown name. */
export async function removeContext(directory: string, name: string): Promise<void> {
  const file = await readContexts(directory);
  if (!file.contexts.some((entry) => entry.name === name)) throw unknownContext(name, file);
  await writeContexts(directory, {
    current: file.current === name ? undefined : file.current,
    contexts: file.contexts.filter((entry) => entry.name !== name),
  });
}

async function readContexts(directory: string): Promise<ContextsFile> {
  const path = join(directory, "contexts.yaml");
  const text = await readIfExists(path);
  return text === undefined ? { current: undefined, contexts: [] } : parseContexts(path, text);
}

async function writeContexts(directory: string, file: ContextsFile): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeFileAtomic(join(directory, "contexts.yaml"), formatContexts(file));
}

function toContext(entry: ContextEntry, directory: string): Context {
  const { name, addresses, serverName, identity, ssh } = entry;
  return {
    name,
    addresses,
    serverName,
    identityDirectory: isAbsolute(identity) ? identity : join(directory, identity),
    ...(ssh === undefined ? {} : { ssh: parseTarget(`ssh of context ${name}`, ssh) }),
  };
}

/** Contexts that lie where they are without XDG_CONFIG_HOME: it was set after they were made. */
async function findElsewhere(directory: string, env: Environment): Promise<string> {
  const usual = configDirectory({ HOME: env["HOME"] });
  if (usual === directory || (await readIfExists(join(usual, "contexts.yaml"))) === undefined) return "";
  return `use those in ${usual} with ZOR_CONFIG=${usual}, or `;
}

function noContext({ contexts }: ContextsFile, elsewhere: string): ZorError {
  const remedy =
    contexts.length === 0
      ? `${elsewhere}join a hub with: zor join TOKEN, or start the demo with: zor demo up`
      : `choose one of ${contexts.map(({ name }) => name).join(", ")} with: zor context use NAME`;
  return new ZorError({
    reason: "NO_CONTEXT",
    code: status.FAILED_PRECONDITION,
    message: `no hub is chosen; ${remedy}`,
  });
}

function unknownContext(name: string, { contexts }: ContextsFile): ZorError {
  const known = contexts.map((entry) => entry.name).join(", ");
  return new ZorError({
    reason: "NO_CONTEXT",
    code: status.NOT_FOUND,
    message: `context ${JSON.stringify(name)} does not exist; ${known === "" ? "there are none yet" : `there are: ${known}`}`,
  });
}
