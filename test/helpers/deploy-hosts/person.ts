import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../../../agent/host/exec.js";
import { SshConfig } from "../../../lib/ssh/config.js";
import { SshConnection } from "../../../lib/ssh/connection.js";
import type { SshOptions } from "../../../lib/ssh/login.js";
import { Remembered } from "../../../lib/ssh/questions.js";
import { runTag } from "../run-tag.js";
import { opsUser } from "./debian-tree.js";
import type { DeployHosts } from "./deploy-hosts.js";

/** Answers questions of a login with the password, and says yes or no to unknown keys. */
export function answers(secret: string | undefined = opsUser.password, accepts = false) {
  const asked: string[] = [];
  const questions = new Remembered({
    secret: async (prompt) => {
      asked.push(prompt);
      return secret;
    },
    confirm: async (lines) => {
      asked.push(lines.join("\n"));
      return accepts;
    },
  });
  return { asked, questions };
}

/** Keeps what is to be undone at the end: `onTestFinished` of a test. */
export type Later = (undo: () => void | Promise<void>) => void;

/** A person's home in the lab: the hosts' names and keys are known, "key" is a pair of keys. */
export class Person implements AsyncDisposable {
  readonly home: string;
  readonly env: Readonly<Record<string, string>>;
  readonly #hosts: DeployHosts;
  readonly #later: Later;

  private constructor(home: string, hosts: DeployHosts, later: Later) {
    this.#later = later;
    this.home = home;
    this.env = { HOME: home };
    this.#hosts = hosts;
  }

  static async make(hosts: DeployHosts, later: Later): Promise<Person> {
    const person = new Person(await mkdtemp(join(tmpdir(), `${runTag}-home-`)), hosts, later);
    later(() => person[Symbol.asyncDispose]());
    const { home } = person;
    await mkdir(join(home, ".ssh"), { mode: 0o700 });
    await person.makeKey("key");
    await person.know();
    await person.configure();
    return person;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.home, { recursive: true, force: true });
  }

  path(name: string): string {
    return join(this.home, ".ssh", name);
  }

  get knownHosts(): string {
    return this.path("known_hosts");
  }

  /** Writes the hosts' keys as they are now. */
  async know(): Promise<void> {
    const lines = await Promise.all(this.#hosts.hosts.map((host) => host.knownHost()));
    await writeFile(this.knownHosts, lines.join(""));
  }

  /** Writes ~/.ssh/config: `lines` of a host count before what is there for all. */
  async configure(lines: Readonly<Record<string, readonly string[]>> = {}): Promise<void> {
    const sections = this.#hosts.hosts.map(({ name, address }) =>
      [`Host ${name}`, `HostName ${address}`, `User ${opsUser.name}`, ...(lines[name] ?? [])].join("\n  "),
    );
    const all = ["Host *", "GlobalKnownHostsFile none", "IdentityFile ~/.ssh/key", "IdentityAgent none"].join("\n  ");
    const own = (lines["*"] ?? []).map((line) => `${line}\n`).join("");
    await writeFile(this.path("config"), `${own}${sections.join("\n")}\n${all}\n`);
  }

  async makeKey(name: string, ...options: readonly string[]): Promise<void> {
    await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", this.path(name), ...options]);
  }

  /** Lets a key in on a host. */
  async authorize(at: number, key = "key"): Promise<void> {
    await this.#hosts
      .at(at)
      .shell(
        "install -d -m 700 -o ops -g ops /home/ops/.ssh && cat > /home/ops/.ssh/authorized_keys && chown ops: /home/ops/.ssh/authorized_keys",
        { input: await readFile(`${this.path(key)}.pub`, "utf8") },
      );
    this.#later(async () => void (await this.#hosts.at(at).shell("rm -rf /home/ops/.ssh")));
  }

  async options(more: Partial<SshOptions> = {}): Promise<SshOptions> {
    return { config: await SshConfig.read({ env: this.env, files: [this.path("config")] }), ...more };
  }

  /** Logs in. */
  async open(host: string, more: Partial<SshOptions> = {}): Promise<SshConnection> {
    const connection = await SshConnection.open({ host }, await this.options(more));
    this.#later(() => connection.close());
    return connection;
  }
}
