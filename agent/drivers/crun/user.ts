import { invalidArgument } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { readText, type RootView } from "./root-view.js";

/** Whose a process in a container is. */
export interface ContainerUser {
  readonly uid: number;
  readonly gid: number;
  /** Groups it is in besides. */
  readonly moreGids: readonly number[];
  /** Home directory; "" when none is known. */
  readonly home: string;
}

/** Of who is not said. */
const rootUser: ContainerUser = { uid: 0, gid: 0, moreGids: [], home: "/root" };

const field = "instance.spec.crun.user";
const maxId = 0xffff_fffe;
const maxGroups = 1024;
/** "name", "uid", "name:group", "uid:gid". */
const form = /^([A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\$?)(?::([A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\$?))?$/;

/** Whether a text can name a user. */
export function isUser(text: string): boolean {
  return form.test(text);
}

/**
 * Finds a user in the accounts of a root filesystem.
 * @throws {ZorError} INVALID_ARGUMENT when there is none of that name.
 */
export async function findUser(root: RootView, text: string): Promise<ContainerUser> {
  if (text === "") return rootUser;
  const [, user, group] = form.exec(text) ?? [];
  if (user === undefined) throw invalidArgument(field, `${quote(text)} is not a user such as "web" or "1000:1000"`);
  const accounts = rows(await readText(root, "/etc/passwd"));
  const groups = rows(await readText(root, "/etc/group"));
  const account = accounts.find(([name, , uid]) => name === user || uid === user);
  const uid = Number(account?.[2] ?? user);
  if (!isId(uid))
    throw invalidArgument(field, `the image's /etc/passwd has no user ${quote(user)}; name an id instead`);
  const gid = group === undefined ? Number(account?.[3] ?? "0") : Number(findGroup(groups, group) ?? group);
  if (!isId(gid)) {
    throw invalidArgument(field, `the image's /etc/group has no group ${quote(group ?? "")}; name an id instead`);
  }
  const name = account?.[0];
  const moreGids =
    group === undefined && name !== undefined
      ? groups.filter(([, , , members = ""]) => members.split(",").includes(name)).map(([, , id]) => Number(id))
      : [];
  const home = account?.[5] ?? "";
  return {
    uid,
    gid,
    moreGids: [...new Set(moreGids)].filter((id) => isId(id) && id !== gid).slice(0, maxGroups),
    home: /^\/[^\0\n]*$/.test(home) ? home : "",
  };
}

function findGroup(groups: readonly (readonly string[])[], wanted: string): string | undefined {
  return groups.find(([name, , id]) => name === wanted || id === wanted)?.[2];
}

function rows(text: string | undefined): readonly (readonly string[])[] {
  return (text ?? "").split("\n").map((line) => line.split(":"));
}

function isId(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= maxId;
}
