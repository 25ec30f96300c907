import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { exists, readIfExists } from "../../../lib/files.js";
import { launcherPath } from "../../../lib/program.js";
import { runProgram } from "../../client/run-program.js";

/** What to do when one of its programs is missing. */
export const sshRemedy = "install openssh-client";

/** End of the names under which ssh knows instances. */
export const domain = ".zor";

/** What ssh is given of ours: a key of this person on this machine, and what servers inside prove themselves with. */
export class SshFiles {
  readonly directory: string;

  constructor(configDirectory: string) {
    this.directory = join(configDirectory, "ssh");
  }

  get key(): string {
    return join(this.directory, "id_ed25519");
  }

  get knownHosts(): string {
    return join(this.directory, "known_hosts");
  }

  /** Makes the key when there is none; resolves to its public half. @throws {ZorError} FAILED_PRECONDITION without ssh-keygen. */
  async ensureKey(): Promise<string> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    if (!(await exists(this.key)))
      await runProgram(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "zor", "-f", this.key],
        ["ignore", "ignore", "inherit"],
        { remedy: sshRemedy },
      );
    const [type = "", key = ""] = (await readFile(`${this.key}.pub`, "utf8")).trim().split(" ");
    return `${type} ${key}`;
  }

  /** Keeps what a server proves itself with. What was known under that name is forgotten. */
  async know(alias: string, keys: readonly string[]): Promise<void> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    const before = ((await readIfExists(this.knownHosts)) ?? "").split("\n");
    const others = before.filter((line) => line !== "" && !line.startsWith(`${alias} `));
    const lines = [...others, ...keys.map((key) => `${alias} ${key}`)];
    if (lines.join("\n") === before.filter((line) => line !== "").join("\n")) return;
    const fresh = `${this.knownHosts}.${process.pid}`;
    await writeFile(fresh, `${lines.join("\n")}\n`, { mode: 0o600 });
    await rename(fresh, this.knownHosts);
  }

  /** Options of ssh, by their names in its configuration. */
  options(
    proxyArguments: readonly string[],
    { alias, acceptNew }: { readonly alias?: string; readonly acceptNew: boolean },
  ): Readonly<Record<string, string>> {
    return {
      ProxyCommand: `${quoted(launcherPath)} ${proxyArguments.join(" ")} --user %r --port %p`,
      IdentityFile: quoted(this.key),
      IdentitiesOnly: "yes",
      UserKnownHostsFile: quoted(this.knownHosts),
      GlobalKnownHostsFile: "/dev/null",
      StrictHostKeyChecking: acceptNew ? "accept-new" : "yes",
      ...(alias === undefined ? {} : { HostKeyAlias: alias }),
    };
  }
}

/** Name under which ssh knows an instance: "hosts/alpha/instances/vm1" is "vm1.alpha.zor". ssh writes names in lower case. */
export function toAlias(name: string): string {
  const [, host = "", , id = ""] = name.split("/");
  return `${id}.${host}${domain}`.toLowerCase();
}

/** What a person means by a name for ssh: "vm1.alpha.zor" is "alpha/vm1"; others stay. */
export function fromAlias(text: string): string {
  if (!text.endsWith(domain)) return text;
  const name = text.slice(0, -domain.length);
  const dot = name.lastIndexOf(".");
  return dot === -1 ? name : `${name.slice(dot + 1)}/${name.slice(0, dot)}`;
}

function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path.replaceAll("%", "%%") : `"${path.replaceAll("%", "%%")}"`;
}
