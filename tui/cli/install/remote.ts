import { createReadStream } from "node:fs";
import { status } from "@grpc/grpc-js";
import { failedPrecondition, ZorError } from "../../../lib/errors.js";
import type { SshDoorOptions } from "../../client/ssh-door.js";
import { SshConnection } from "../../../lib/ssh/connection.js";
import type { SshOptions } from "../../../lib/ssh/login.js";
import type { Remembered } from "../../../lib/ssh/questions.js";
import {
  runScript,
  type ScriptOptions,
  type ScriptResult,
  SudoError,
  type SudoTrouble,
} from "../../../lib/ssh/script.js";
import type { SshTarget } from "../../../lib/ssh/target.js";

/** What all hosts of one run have in common. */
export interface RemoteOptions extends SshOptions {
  readonly signal: AbortSignal;
  /** For doors to what a host listens on. */
  readonly doorOptions: SshDoorOptions;
}

/** Prompt of the password that is asked for once for all hosts. */
export const sudoPrompt = "sudo password";
const maxPasswordTries = 3;

const sudoWords: Readonly<Record<SudoTrouble, string>> = {
  "password-needed":
    "sudo asks for a password, and nobody can be asked for it; run this on a terminal, or allow the user NOPASSWD in sudoers",
  "wrong-password": "sudo does not take the password",
  "not-allowed": "sudo does not let this user become root; add it to the group sudo, or log in as another one",
  "needs-terminal": "sudo there wants a terminal (requiretty); take that setting out for this user",
  missing: "this user is not root, and there is no sudo; log in as root, or install sudo",
};

/** A host that commands are run on as root: one ssh connection. */
export class Remote implements Disposable {
  readonly connection: SshConnection;
  readonly #questions: Remembered | undefined;
  readonly #signal: AbortSignal;
  #password: string | undefined;

  private constructor(connection: SshConnection, { questions, signal }: RemoteOptions) {
    this.connection = connection;
    this.#questions = questions;
    this.#signal = signal;
  }

  /** @throws {ZorError} when it cannot log in. */
  static async open(target: SshTarget, options: RemoteOptions): Promise<Remote> {
    return new Remote(await SshConnection.open(target, options), options);
  }

  [Symbol.dispose](): void {
    this.connection.close();
  }

  /** Runs a script as root. @throws {ZorError} FAILED_PRECONDITION when it cannot become root, UNAVAILABLE when the connection is lost. */
  async root(script: string, options: Omit<ScriptOptions, "root" | "signal"> = {}): Promise<ScriptResult> {
    const run = () =>
      runScript(this.connection, script, { ...options, signal: this.#signal, root: { password: this.#password } });
    for (let tries = 0; ; tries += 1) {
      try {
        return await run();
      } catch (error) {
        if (!(error instanceof SudoError)) throw error;
        const mayAsk = error.trouble === "password-needed" || error.trouble === "wrong-password";
        if (!mayAsk || tries === maxPasswordTries) throw this.#refused(error.trouble);
        // Asked once for all hosts of the run; a wrong one again.
        if (this.#password !== undefined) this.#questions?.forget(sudoPrompt, this.#password);
        const before = this.#password;
        this.#password = await this.#questions?.secret(sudoPrompt);
        if (this.#password === undefined || this.#password === before) throw this.#refused(error.trouble);
      }
    }
  }

  /** Like {@link root}, for what must succeed. @throws {ZorError} FAILED_PRECONDITION with the last line that it said. */
  async must(what: string, script: string, options: Omit<ScriptOptions, "root" | "signal"> = {}): Promise<string> {
    const { code, stdout, stderr } = await this.root(script, options);
    if (code === 0) return stdout;
    const said = `${stderr}\n${stdout}`
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "");
    const why = said.find((line) => /^(zor|E|dpkg|tar|sh):/.test(line)) ?? said[0] ?? `exit code ${code ?? "none"}`;
    throw failedPrecondition("REMOTE_FAILED", this.connection.name, `${what} failed: ${why.slice(0, 400)}`);
  }

  /** The address that ssh reached it at, as the host itself sees it; "" when it does not say. */
  async address(): Promise<string> {
    const { stdout } = await this.connection.exec("printf 'zor<%s>' \"$SSH_CONNECTION\"", { signal: this.#signal });
    const [, , ip = ""] = (/zor<([^>]*)>/.exec(stdout)?.[1] ?? "").split(" ");
    return ip;
  }

  /** Appends a file from an offset to one there, as root. @param onBytes told how many have been sent so far. */
  async send(
    from: { readonly path: string; readonly start: number },
    to: string,
    onBytes: (count: number) => void,
  ): Promise<void> {
    let count = from.start;
    async function* pieces(): AsyncIterable<Buffer> {
      for await (const piece of createReadStream(from.path, { start: from.start, highWaterMark: 256 * 1024 })) {
        yield piece as Buffer;
        count += (piece as Buffer).length;
        onBytes(count);
      }
    }
    await this.must(`sending to ${to}`, `umask 077; mkdir -p '${to.slice(0, to.lastIndexOf("/"))}' && cat >> '${to}'`, {
      stdin: pieces(),
    });
  }

  /**
   * Keeps others that work on this host by zor away until disposed. @throws {ZorError} ABORTED when somebody is at work there.
   */
  async lock(): Promise<Disposable> {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const { promise: held, resolve: onHeld } = Promise.withResolvers<"held">();
    async function* untilReleased(): AsyncIterable<Buffer> {
      await released;
    }
    const script = `exec 9>/run/zor-install.lock; flock -n 9 || exit 75; echo held; cat >/dev/null`;
    const running = this.root(script, {
      stdin: untilReleased(),
      onLine: (line) => (line === "held" ? onHeld("held") : undefined),
    });
    // What becomes of it later is nobody's trouble: it ends with the connection.
    running.catch(() => undefined);
    const first = await Promise.race([held, running]);
    if (first !== "held") {
      const { name } = this.connection;
      throw new ZorError({
        reason: "HOST_LOCKED",
        code: status.ABORTED,
        message: `somebody else installs or changes ${name} just now; wait until that is done, and run it again`,
        resource: name,
      });
    }
    return { [Symbol.dispose]: () => release() };
  }

  #refused(trouble: SudoTrouble): ZorError {
    const { name } = this.connection;
    return failedPrecondition("NO_ROOT", name, `${name}: ${sudoWords[trouble]}`);
  }
}
