import type { FileHandle } from "node:fs/promises";
import { failedPrecondition } from "../../../lib/errors.js";
import { isAlive, type ProcessIdentity } from "../../../lib/process.js";
import { Dir, lookUp, TreeError } from "../../../lib/tree/dir.js";

/** Of /etc/passwd and /etc/group, which are a guest's: more is not read. */
const maxFileBytes = 1024 * 1024;
const maxGroups = 64;

/** Who a process in a container is. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
  /** Name, or the number of who has none. */
  readonly name: string;
  readonly home: string;
  readonly shell: string;
}

/** The root directory of a running container. @throws {ZorError} FAILED_PRECONDITION when it has ended. */
export async function openContainerRoot(handle: ProcessIdentity, resource: string): Promise<Dir> {
  const ended = (): Error =>
    failedPrecondition("NOT_RUNNING", resource, `${resource} has ended; it must run for this: zor start`);
  const root = await Dir.open(`/proc/${handle.pid}/root`, { shown: "/", plainOnly: true }).catch((error: unknown) => {
    throw error instanceof TreeError && error.code !== "EXDEV" ? ended() : error;
  });
  // The pid may have become another's before it was opened.
  if (await isAlive(handle)) return root;
  await root[Symbol.asyncDispose]();
  throw ended();
}

/** Finds a user, "name", "1000", "name:group" or "1000:100", in the container's own files. @throws {ZorError} FAILED_PRECONDITION */
export async function findAccount(root: Dir, user: string, resource: string): Promise<Account> {
  const [who = "", group] = (user === "" ? "0" : user).split(":");
  const users = (await readTable(root, "/etc/passwd")).filter((line) => line.length >= 7);
  const groups = await readTable(root, "/etc/group");
  const known = users.find(([name, , uid]) => (isNumber(who) ? uid === who : name === who));
  if (known === undefined && !isNumber(who)) {
    throw failedPrecondition(
      "NO_SUCH_USER",
      resource,
      `${resource}: its /etc/passwd has no user ${who}; give a number`,
    );
  }
  const [name = who, , uid = who, primary = who, , home = "", shell = ""] = known ?? [];
  const gid = group === undefined ? toId(primary) : findGroup(groups, group, resource);
  const memberOf = groups.filter(([, , , members = ""]) => known !== undefined && members.split(",").includes(name));
  return {
    uid: toId(uid),
    gid,
    additionalGids: group === undefined ? memberOf.map(([, , id = "0"]) => toId(id)).slice(0, maxGroups) : [],
    name: /^[\w.-]+$/.test(name) ? name : uid,
    home: home.startsWith("/") ? home : toId(uid) === 0 ? "/root" : "/",
    shell: shell.startsWith("/") ? shell : "/bin/sh",
  };
}

/** What a login sets for a user. */
export function loginVariables({ home, name, shell }: Account): Readonly<Record<string, string>> {
  return { HOME: home, USER: name, LOGNAME: name, SHELL: shell };
}

function findGroup(groups: readonly (readonly string[])[], wanted: string, resource: string): number {
  if (isNumber(wanted)) return toId(wanted);
  const id = groups.find(([name]) => name === wanted)?.[2];
  if (id !== undefined) return toId(id);
  throw failedPrecondition(
    "NO_SUCH_GROUP",
    resource,
    `${resource}: its /etc/group has no group ${wanted}; give a number`,
  );
}

function isNumber(text: string): boolean {
  return /^\d{1,10}$/.test(text);
}

/** What is no number of a user or group is nobody's. */
function toId(text: string): number {
  const id = Number(text);
  return isNumber(text) && id < 2 ** 32 - 1 ? id : 65_534;
}

/** Lines of a file of accounts, in fields; none when there is no such file. */
async function readTable(root: Dir, path: string): Promise<readonly (readonly string[])[]> {
  let file: FileHandle | undefined;
  try {
    await using place = await lookUp(root, path, { follow: true });
    file = await place.dir.openFile(place.name);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(maxFileBytes), 0, maxFileBytes, 0);
    const text = buffer.toString("utf8", 0, bytesRead);
    // Environment variables and processes are made of it: no line may hold what breaks one.
    return text.split("\n").flatMap((line) => (/[\p{Cc}]/u.test(line) ? [] : [line.split(":")]));
  } catch (error) {
    if (error instanceof TreeError) return [];
    throw error;
  } finally {
    await file?.close();
  }
}
