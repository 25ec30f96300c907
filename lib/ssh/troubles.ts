import { status } from "@grpc/grpc-js";
import { messageOf, unavailable, ZorError } from "../errors.js";
import { foreignWords } from "../foreign-words.js";
import type { Authentication } from "./authentication.js";

/** The error of a server that takes no connection. `cause` undefined: nothing came back in time. */
export function cannotReach(name: string, place: string, cause: unknown): ZorError {
  const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined;
  const words: Readonly<Record<string, string>> = {
    ENOTFOUND: "its name cannot be resolved; check it, and HostName of the ssh configuration",
    EAI_AGAIN: "its name cannot be resolved for now; check the DNS of this machine",
    ECONNREFUSED: `nothing listens on ${place}; is sshd running there, on that port?`,
    EHOSTUNREACH: "there is no way to it from here",
    ENETUNREACH: "there is no way to its network from here",
  };
  const why =
    cause === undefined
      ? `nothing comes back from ${place}; the machine is down, or a firewall drops what is sent to it`
      : ((typeof code === "string" ? words[code] : undefined) ?? messageOf(cause));
  return unavailable("SSH_UNREACHABLE", name, `cannot reach ${name} by ssh: ${why}`, cause);
}

/** What is known of a connection that ended before it was open. */
export interface LostOptions {
  readonly error: unknown;
  /** The beginning of what the server said. */
  readonly first: string;
  readonly isLoggingIn: boolean;
}

/** The error of a connection that ended before it was open. */
export function lostWhileOpening(name: string, { error, first, isLoggingIn }: LostOptions): ZorError {
  const isMute = first === "";
  if (/Exceeded MaxStartups|Not allowed at this time/.test(first) || (isMute && !/says nothing/.test(textOf(error)))) {
    const message = `the sshd of ${name} closes connections before it says anything: too many come at once (MaxStartups), or it refuses this machine for a while (PerSourcePenalties, fail2ban, hosts.deny); wait and try again, with fewer at once`;
    return unavailable("SSH_THROTTLED", name, message, error);
  }
  if (/Too many authentication failures/i.test(textOf(error))) {
    const message = `${name} ended the login after too many keys that it does not know; name the right one with IdentityFile and IdentitiesOnly yes in the ssh configuration`;
    return new ZorError({
      reason: "SSH_AUTHENTICATION",
      code: status.UNAUTHENTICATED,
      message,
      resource: name,
      cause: error,
    });
  }
  if (!isMute && !/^SSH-|\nSSH-/.test(first))
    return unavailable("SSH_UNREACHABLE", name, `what listens there for ${name} is no sshd`, error);
  const when = isLoggingIn ? "while it logged in" : "while it was being opened";
  return unavailable(
    "SSH_LOST",
    name,
    `the ssh connection to ${name} ended ${when}${error === undefined ? "" : `: ${textOf(error)}`}`,
    error,
  );
}

/** The error of a server that does not let us in: what was tried, what it would take, and what to do. */
export function authenticationFailed(name: string, { tried, offered }: Authentication): ZorError {
  const did = tried.length === 0 ? "there was nothing to try" : `tried: ${[...new Set(tried)].join(", ")}`;
  const takes = offered.length === 0 ? "" : `; it takes: ${offered.join(", ")}`;
  const remedy = offered.includes("publickey")
    ? `put your key there with ssh-copy-id, name it with IdentityFile in the ssh configuration, or load it with ssh-add`
    : "ask whoever runs it for a way in";
  return new ZorError({
    reason: "SSH_AUTHENTICATION",
    code: status.UNAUTHENTICATED,
    message: `${name} does not let this user in (${did}${takes}); ${remedy}`,
    resource: name,
  });
}

function textOf(error: unknown): string {
  return foreignWords(error, "no reason was given");
}

/** Whether a server opened no channel for want of room: sshd says so when as many commands run as it lets (MaxSessions). */
export function isOpenFailure(error: unknown): boolean {
  const [connectFailed, resourceShortage] = [2, 4];
  return (
    error instanceof Error && "reason" in error && (error.reason === connectFailed || error.reason === resourceShortage)
  );
}

/** What a server answers that opens no channel, with what to do. */
export function channelWords(error: unknown): string {
  const text = messageOf(error).replace(/^\(SSH\) Channel open failure: /, "");
  if (/administratively prohibited|open failed/i.test(text))
    return `${text}; its sshd does not allow it (AllowTcpForwarding, PermitOpen, MaxSessions)`;
  return /refused/i.test(text) ? `${text}; nothing listens there` : text;
}
