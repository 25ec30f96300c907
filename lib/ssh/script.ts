import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { ClientChannel } from "ssh2";
import { failedPrecondition, unavailable } from "../errors.js";
import { foreignWords } from "../foreign-words.js";
import type { SshConnection } from "./connection.js";

/** A shell script for another machine. */
export interface ScriptOptions {
  /** Bytes for its standard input, in pieces; each is written when the one before was taken. */
  readonly stdin?: Iterable<Buffer> | AsyncIterable<Buffer> | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told each line of its output as it comes. */
  readonly onLine?: ((line: string) => void) | undefined;
  /** How it becomes root; undefined: it runs as whoever logged in. */
  readonly root?: RootOptions | undefined;
}

/** How a command becomes root. */
export interface RootOptions {
  /** The password for sudo; undefined: it must go without. */
  readonly password: string | undefined;
}

/** What a script did. */
export interface ScriptResult {
  readonly code: number | undefined;
  /** Its output alone: what a shell prints at login is left out. */
  readonly stdout: string;
  readonly stderr: string;
}

/** Why sudo did not run something. */
export type SudoTrouble = "password-needed" | "wrong-password" | "not-allowed" | "needs-terminal" | "missing";

/** Thrown by {@link runScript} when sudo does not make it root. */
export class SudoError extends Error {
  readonly trouble: SudoTrouble;

  constructor(trouble: SudoTrouble) {
    super(trouble);
    this.name = "SudoError";
    this.trouble = trouble;
  }
}

const maxOutput = 4 * 1024 * 1024;

/** A word for a POSIX shell. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replace(/'/g, `'\\''`)}'`;
}

/**
 * Runs a script of the POSIX shell on another machine, as root when asked. A password goes to sudo by standard input, when sudo asks
 * for it, and nowhere else. @throws {SudoError} when it cannot become root; {ZorError} UNAVAILABLE when the connection is lost.
 */
export async function runScript(
  connection: SshConnection,
  script: string,
  options: ScriptOptions = {},
): Promise<ScriptResult> {
  const mark = randomBytes(12).toString("hex");
  // What comes before the mark on either output is the login shell's.
  const marked = `printf '\\n%s\\n' zor-${mark}; printf '\\n%s\\n' zor-${mark} >&2\n${script}`;
  const plain = `sh -c ${shellWord(marked)}`;
  const prompt = `zor-password-${mark}:`;
  const command =
    options.root === undefined
      ? plain
      : `if test "$(id -u)" = 0; then exec ${plain}; else LC_ALL=C LANGUAGE=C exec sudo -S -p ${prompt} -- ${plain}; fi`;
  // The login shell may be any: only the words of sh -c are for it.
  const run = new Run(connection, { mark: `zor-${mark}`, prompt, options });
  await connection.stream(`exec sh -c ${shellWord(command)}`, options.signal, (channel) => run.attach(channel));
  return run.result();
}

interface RunOptions {
  readonly mark: string;
  readonly prompt: string;
  readonly options: ScriptOptions;
}

/** One script that runs. */
class Run {
  readonly #connection: SshConnection;
  readonly #closed = Promise.withResolvers<void>();
  #channel: ClientChannel | undefined;
  readonly #options: RunOptions;
  readonly #started = Promise.withResolvers<boolean>();
  #out = "";
  #err = "";
  #told = 0;
  #asked = 0;
  #code: number | undefined;
  #hasEnded = false;
  #trouble: SudoTrouble | undefined;

  constructor(connection: SshConnection, options: RunOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  /** Listens, before anything can be missed. */
  attach(channel: ClientChannel): void {
    this.#channel = channel;
    channel.setEncoding("utf8");
    channel.stderr.setEncoding("utf8");
    channel.on("data", (text: string) => this.#onOut(text));
    channel.stderr.on("data", (text: string) => this.#onErr(text));
    channel.on("exit", (code: number | null) => {
      this.#hasEnded = true;
      this.#code = code ?? undefined;
    });
    channel.on("close", () => {
      this.#started.resolve(false);
      this.#closed.resolve();
    });
  }

  async result(): Promise<ScriptResult> {
    const { options, mark } = this.#options;
    const onAbort = (): void => {
      this.#channel?.signal("TERM");
      this.#channel?.close();
    };
    options.signal?.addEventListener("abort", onAbort, { once: true });
    try {
      // One that ends before its input does waits for no more of it.
      if (await this.#started.promise) await Promise.race([this.#feed(), this.#closed.promise]);
      await this.#closed.promise;
    } finally {
      options.signal?.removeEventListener("abort", onAbort);
    }
    options.signal?.throwIfAborted();
    if (!hasBegun(this.#err, mark)) this.#throwSudo();
    if (!this.#hasEnded) {
      const { name } = this.#connection;
      throw unavailable("SSH_LOST", name, `the ssh connection to ${name} was lost while a command ran`);
    }
    if (!hasBegun(this.#err, mark)) this.#throwNoShell();
    return { code: this.#code, stdout: after(this.#out, mark), stderr: after(this.#err, mark) };
  }

  async #feed(): Promise<void> {
    const channel = this.#channel;
    if (channel === undefined) return;
    for await (const piece of this.#options.options.stdin ?? []) {
      if (channel.destroyed || !channel.writable) return;
      if (!channel.write(piece)) await Promise.race([once(channel, "drain"), this.#closed.promise]);
    }
    channel.end();
  }

  #onOut(text: string): void {
    if (this.#out.length < maxOutput) this.#out += text;
    const { options, mark } = this.#options;
    if (options.onLine === undefined || !hasBegun(this.#out, mark)) return;
    const lines = after(this.#out, mark).split("\n");
    for (const line of lines.slice(this.#told, -1)) options.onLine(line);
    this.#told = Math.max(this.#told, lines.length - 1);
  }

  #onErr(text: string): void {
    if (this.#err.length < maxOutput) this.#err += text;
    const { mark, prompt, options } = this.#options;
    if (hasBegun(this.#err, mark)) {
      this.#started.resolve(true);
      return;
    }
    const asked = this.#err.split(prompt).length - 1;
    if (asked <= this.#asked) return;
    this.#asked = asked;
    const password = options.root?.password;
    if (asked > 1) this.#giveUp("wrong-password");
    else if (password === undefined) this.#giveUp("password-needed");
    else this.#channel?.write(`${password}\n`);
  }

  #giveUp(trouble: SudoTrouble): void {
    this.#trouble = trouble;
    this.#channel?.close();
  }

  /** It logged in, and something else than the script ran: an account without a shell, with a password to change, with a command of its own. */
  #throwNoShell(): never {
    const { name } = this.#connection;
    const said = foreignWords(`${this.#err.trim()} ${this.#out.trim()}`.trim(), "it says nothing");
    throw failedPrecondition(
      "SSH_NO_SHELL",
      name,
      `${name} lets in and runs no commands: ${said}; the user needs a shell that takes commands (log in with ssh once to see)`,
    );
  }

  /** It never began: why. */
  #throwSudo(): void {
    if (this.#options.options.root === undefined) return;
    if (this.#trouble !== undefined) throw new SudoError(this.#trouble);
    const text = this.#err;
    if (/must have a tty|no tty present/i.test(text)) throw new SudoError("needs-terminal");
    if (/not in the sudoers|not allowed to (?:run|execute)|may not run sudo/i.test(text))
      throw new SudoError("not-allowed");
    if (/incorrect password|Sorry, try again/i.test(text)) throw new SudoError("wrong-password");
    if (/password is required/i.test(text)) throw new SudoError("password-needed");
    if (/sudo: (?:command )?not found|exec: sudo/i.test(text)) throw new SudoError("missing");
  }
}

/** Whether a script said its mark: a line of its own, for sudo tells the whole command of somebody who may not run it. */
function hasBegun(text: string, mark: string): boolean {
  return text.includes(`\n${mark}\n`);
}

function after(text: string, mark: string): string {
  const at = text.indexOf(`${mark}\n`);
  return at === -1 ? "" : text.slice(at + mark.length + 1);
}
