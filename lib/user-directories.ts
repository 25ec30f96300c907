import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import type { Environment } from "./terminal.js";

/** What is kept for a user: settings and identities; logs and other state. Nothing is cached, and nothing lives in the runtime directory. */
type UserDirectory = "config" | "state";

const directories: Readonly<Record<UserDirectory, readonly [variable: string, fallback: string]>> = {
  config: ["XDG_CONFIG_HOME", ".config"],
  state: ["XDG_STATE_HOME", ".local/state"],
};

/** Where programs of this project keep what belongs to a user (XDG Base Directory Specification, 0.8: relative paths do not count). */
export function userDirectory(kind: UserDirectory, env: Environment): string {
  const [variable, fallback] = directories[kind];
  const base = env[variable] ?? "";
  return join(isAbsolute(base) ? base : join(homeOf(env), fallback), "zor");
}

function homeOf({ HOME: home = "" }: Environment): string {
  return isAbsolute(home) ? home : homedir();
}
