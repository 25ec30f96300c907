import { type ChildProcess, spawn, spawnSync } from "node:child_process";

/** What the launcher has found the terminal's settings to be, as `stty -g` prints them. */
const settingsVariable = "ZOR_TERMINAL";
const settingsForm = /^[0-9a-f]+(?::[0-9a-f]+)+$/;

/** What undoes raw mode where nobody knows how it was before: the opposites of what libuv sets (uv_tty_set_mode). */
const usual = ["icanon", "echo", "isig", "iexten", "icrnl", "ixon", "brkint", "opost"];

/**
 * Reads "on" and "off", line by line, until whoever holds the terminal has ended. When the last was "on", it ended without giving the terminal
 * back: what it left on is turned off, and the settings are what they were, unless somebody else (the shell) has changed them already.
 */
const script = `sequences=$1 words=$2; shift 2
state=
while read -r word; do
  state=$word
  [ "$word" = off ] || raw=$(stty -g <&1 2>/dev/null)
done
[ "$state" = on ] || exit 0
printf '%b' "$sequences"
[ "$(stty -g <&1 2>/dev/null)" != "$raw" ] || stty "$@" <&1 2>/dev/null
[ -z "$words" ] || printf '\\r\\n%s\\r\\n' "$words"`;

/** What a program leaves a terminal with. */
export interface Kept {
  /** Turns off what it may have turned on. */
  readonly sequences: string;
  /** A line for whoever is left with the terminal; "": none. */
  readonly words: string;
}

/**
 * Someone tiny beside this program, who gives the terminal back if the program cannot, because it was killed (SIGKILL, SIGSEGV): a shell in a
 * session of its own, which no key and no hang-up of the terminal reaches, and which ends with the program, at once and without a word where it
 * ended well.
 */
export class TerminalKeeper implements Disposable {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
    // It is never waited for: it ends by itself.
    child.on("error", () => undefined);
    child.stdin?.on("error", () => undefined);
    child.unref();
    // Where a pipe is, it is a socket, whose type does not say so.
    if (child.stdin !== null && "unref" in child.stdin) (child.stdin as unknown as { unref(): void }).unref();
  }

  /**
   * Begins beside this program, whose standard output is the terminal.
   * @param settings what to set when it was killed: those of {@link terminalSettings}, read before raw mode.
   */
  static begin({ sequences, words }: Kept, settings: readonly string[]): TerminalKeeper {
    const escaped = sequences.replaceAll("\x1b", "\\033");
    const child = spawn("/bin/sh", ["-c", script, "zor-terminal", escaped, words, ...settings], {
      stdio: ["pipe", "inherit", "ignore"],
      detached: true,
      cwd: "/",
      env: { PATH: "/usr/bin:/bin", LC_ALL: "C" },
    });
    return new TerminalKeeper(child);
  }

  /** From now on the terminal is to be given back if this program is killed; it is in raw mode already. */
  hold(): void {
    this.#say("on");
  }

  /** The terminal is as it was, or somebody else's. */
  release(): void {
    this.#say("off");
  }

  /** There is nothing to keep any more. */
  [Symbol.dispose](): void {
    this.release();
    this.#child.stdin?.end();
  }

  #say(word: string): void {
    if (this.#child.stdin?.writable === true) this.#child.stdin.write(`${word}\n`);
  }
}

/** The settings of the terminal that is standard input, as arguments of stty: those that the launcher has read, else as they are now. */
export function terminalSettings(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const given = env[settingsVariable] ?? "";
  if (settingsForm.test(given)) return [given];
  const read = spawnSync("stty", ["-g"], { stdio: ["inherit", "pipe", "ignore"], encoding: "utf8" });
  const settings = (read.stdout ?? "").trim();
  return settingsForm.test(settings) ? [settings] : usual;
}
