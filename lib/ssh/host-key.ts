import { failedPrecondition } from "../errors.js";
import type { SshSettings } from "./config.js";
import { appendKnownHost, fingerprint, type KnownHosts, keyType, nameOf, type ShownKey } from "./known-hosts.js";
import type { SshQuestions } from "./questions.js";

/** What becomes of a server's key that is not known. */
export type HostKeyPolicy = SshSettings["unknownKeys"];

/** What a key is checked against. */
export interface HostKeyCheck {
  readonly known: KnownHosts;
  readonly settings: SshSettings;
  /** The server, for people. */
  readonly name: string;
  readonly policy: HostKeyPolicy;
  readonly questions: SshQuestions | undefined;
}

/**
 * Resolves when a server's key may be trusted; one that is accepted now is added to known_hosts.
 * @throws {ZorError} FAILED_PRECONDITION: SSH_HOST_KEY_CHANGED, SSH_HOST_KEY_REVOKED or SSH_HOST_KEY_UNKNOWN, with what to do.
 */
export async function checkHostKey(
  shown: ShownKey,
  { known, settings, name, policy, questions }: HostKeyCheck,
): Promise<void> {
  const verdict = known.judge(shown);
  if (verdict.kind === "known") return;
  const key = `${keyType(shown.key)} ${fingerprint(shown.key)}`;
  const [file] = settings.knownHostsFiles;
  if (verdict.kind === "revoked") {
    throw failedPrecondition(
      "SSH_HOST_KEY_REVOKED",
      name,
      `${name} shows a key that ${verdict.place} revokes (${key}): it is not to be trusted`,
    );
  }
  if (verdict.kind === "changed") {
    const places = verdict.places.join(", ");
    const entry = nameOf(shown.host, shown.port);
    throw failedPrecondition(
      "SSH_HOST_KEY_CHANGED",
      name,
      `${name} shows another key (${key}) than ${places} has: somebody may stand between, or it was installed anew. When its owner confirms the new key: ssh-keygen -f ${places.split(":")[0] ?? file ?? ""} -R '${entry}'`,
    );
  }
  const why = verdict.why === "" ? "" : ` (${verdict.why})`;
  const unknown = (text: string) =>
    failedPrecondition("SSH_HOST_KEY_UNKNOWN", name, `the key of ${name} is not known${why}: ${key}; ${text}`);
  if (policy === "refuse")
    throw unknown(`only known ones are taken; compare it with the server's, and add it to ${file ?? "known_hosts"}`);
  if (policy === "ask") {
    if (questions === undefined)
      throw unknown(
        "compare it on the server (ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub), and accept it by logging in with ssh once",
      );
    const lines = [
      `The key of ${name} is not known${why}:`,
      `  ${key}`,
      "Compare it on the server: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
    ];
    if (!(await questions.confirm(lines, "Trust it from now on?"))) throw unknown("it was not accepted");
  }
  if (file === undefined) return;
  await appendKnownHost(file, shown, settings.hashKnownHosts);
}
