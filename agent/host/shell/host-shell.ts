import { once } from "node:events";
import { fchmodSync, fchownSync, fstatSync } from "node:fs";
import { stat } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { wardenEnd } from "../../../lib/owned-process.js";
import { findOwnControlGroup } from "../own-control-group.js";
import { hasExited, type OwnedSession, startOnPipes, startOnTerminal, type TerminalSession } from "../owned-session.js";
import type { HostShellPolicy } from "./shell-policy.js";
import type { ShellUser } from "./shell-user.js";

/** What a shell is started with. */
export interface ShellStart {
  readonly policy: Pick<HostShellPolicy, "command" | "sudo">;
  readonly user: ShellUser;
  /** Of the caller's; empty: a shell. */
  readonly command: readonly string[];
  /** Undefined: it has no terminal. */
  readonly terminal: { readonly columns: number; readonly rows: number; readonly kind: string } | undefined;
}

/** A shell on this host. */
export interface HostShell {
  readonly session: OwnedSession | TerminalSession;
  /** Ends it with all that it began: it is hung up, and killed when it does not follow. Idempotent. */
  end(): Promise<void>;
}

/** So long a shell has to end by itself after it was hung up: it writes its history. */
const hangUpMs = 1000;

/** The command line of a shell; pure. It never becomes anybody else than it begins as, unless the policy has it. */
export function shellCommand({ policy, user, command }: Omit<ShellStart, "terminal">): readonly [string, ...string[]] {
  const { uid, gid, shell } = user;
  const walls = [
    ...(policy.sudo ? [] : ["--no-new-privs"]),
    // Root without any capability is root all the same; everybody else has none to begin with.
    ...(uid === 0 ? [] : ["--inh-caps=-all"]),
  ];
  const become = [`--reuid=${uid}`, `--regid=${gid}`, "--init-groups", ...walls, "--"];
  const what = policy.command ?? (command.length > 0 ? command : [shell, "-l"]);
  return ["setpriv", ...become, ...what];
}

/** Its environment: nothing of the agent's. Pure. */
export function shellEnvironment(user: ShellUser, terminal: string | undefined): Record<string, string> {
  const { name, uid, home, shell } = user;
  const own = "/usr/local/bin:/usr/bin:/bin";
  return {
    PATH: uid === 0 ? `/usr/local/sbin:/usr/sbin:/sbin:${own}` : own,
    HOME: home,
    USER: name,
    LOGNAME: name,
    SHELL: shell,
    LANG: "C.UTF-8",
    ...(terminal === undefined ? {} : { TERM: terminal }),
  };
}

/** Starts a shell; it and all it begins end with this process, or before. */
export async function startHostShell(start: ShellStart): Promise<HostShell> {
  const { user, terminal } = start;
  const command = shellCommand(start);
  const environment = shellEnvironment(user, terminal?.kind);
  const group = await findOwnControlGroup();
  const options = { environment, cwd: await homeOf(user), whole: true, ...(group === undefined ? {} : { group }) };
  const session =
    terminal === undefined
      ? startOnPipes(["setsid", ...command], { ...options, stdin: true })
      : await startOnTerminal(command, {
          ...options,
          columns: terminal.columns,
          rows: terminal.rows,
          // As login(1) does: programs open their terminal by its name.
          prepare: (slave) => {
            fchownSync(slave, user.uid, fstatSync(slave).gid);
            fchmodSync(slave, 0o600);
          },
        });
  let ended: Promise<void> | undefined;
  return { session, end: () => (ended ??= endShell(session)) };
}

async function endShell(session: OwnedSession): Promise<void> {
  const { child } = session;
  const exited = hasExited(child)
    ? Promise.resolve()
    : once(child, "exit").then(
        () => undefined,
        () => undefined,
      );
  // Closing the terminal hangs up.
  await session[Symbol.asyncDispose]();
  await Promise.race([exited, delay(hangUpMs, undefined, { ref: false })]);
  if (hasExited(child)) return;
  child.kill(wardenEnd);
  await exited;
}

/** A home that is not there is no reason to give no shell. */
async function homeOf({ home }: ShellUser): Promise<string> {
  const found = await stat(home).catch(() => undefined);
  return found?.isDirectory() === true ? home : "/";
}
