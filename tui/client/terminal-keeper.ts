import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { closeSync, fstatSync, writeSync } from "node:fs";

/** What the launcher has found the terminal's settings to be, as `stty -g` prints them. */
const settingsVariable = "ZOR_TERMINAL";
/** The file descriptor that leads to whom the launcher has begun, before this program was loaded. */
const begunVariable = "ZOR_TERMINAL_KEEPER";
const settingsForm = /^[0-9a-f]+(?::[0-9a-f]+)+$/;

/** What undoes raw mode where nobody knows how it was before: the opposites of what libuv sets (uv_tty_set_mode). */
const usual = ["icanon", "echo", "isig", "iexten", "icrnl", "ixon", "brkint", "opost"];

/** Runs what it is told in its first line; the launcher begins the same. */
const listener = 'IFS= read -r script && eval "$script"';

/**
 * In one line: takes the arguments of stty, a word each line up to an empty one, what turns off what is left on, and the words. Reads "on" and "off"
 * then until whoever holds the terminal has ended. When the last was "on", it ended without giving the terminal back: what it left on is turned
 * off, and the settings are what they were, unless somebody else (the shell) has changed them already.
 */
const script = [
  `set --; while IFS= read -r word && [ -n "$word" ]; do set -- "$@" "$word"; done`,
  "IFS= read -r sequences; IFS= read -r words; state=",
  `while read -r word; do state=$word; [ "$word" = off ] || raw=$(stty -g <&1 2>/dev/null); done`,
  `[ "$state" = on ] || exit 0`,
  `printf '%b' "$sequences"`,
  `[ "$(stty -g <&1 2>/dev/null)" != "$raw" ] || stty "$@" <&1 2>/dev/null`,
  `[ -z "$words" ] || printf '\\r\\n%s\\r\\n' "$words"`,
].join("; ");

/** What a program leaves a terminal with. */
export interface Kept {
  /** Turns off what it may have turned on. */
  readonly sequences: string;
  /** A line for whoever is left with the terminal; "": none. */
  readonly words: string;
}

/** Where somebody is told something. */
interface Listener {
  /** @throws when nobody listens any more. */
  say(text: string): void;
  end(): void;
}

/**
 * Someone tiny beside this program, who gives the terminal back if the program cannot, because it was killed (SIGKILL, SIGSEGV): a shell in a
 * session of its own, which no key and no hang-up of the terminal reaches, and which ends with the program, at once and without a word where it
 * ended well.
 */
export class TerminalKeeper implements Disposable {
  readonly #listener: Listener;

  private constructor(listener: Listener, { sequences, words }: Kept, settings: readonly string[]) {
    this.#listener = listener;
    const lines = [script, ...settings, "", sequences.replaceAll("\x1b", "\\033"), words.replaceAll("\n", " ")];
    listener.say(lines.map((line) => `${line}\n`).join(""));
  }

  /**
   * Begins beside this program, whose standard output is the terminal. That takes a large program several milliseconds, and far more on a slow machine.
   * @param settings what to set when it was killed: those of {@link terminalSettings}, read before raw mode.
   */
  static begin(kept: Kept, settings: readonly string[]): TerminalKeeper {
    const child = spawn("/bin/sh", ["-c", listener], {
      stdio: ["pipe", "inherit", "ignore"],
      detached: true,
      cwd: "/",
      env: { PATH: "/usr/bin:/bin", LC_ALL: "C" },
    });
    return new TerminalKeeper(listenerIn(child), kept, settings);
  }

  /** Whom the launcher has begun; undefined when it has not, or could not. Asked once: what this program starts does not hear of it. */
  static begun(
    env: Record<string, string | undefined>,
    kept: Kept,
    settings: readonly string[],
  ): TerminalKeeper | undefined {
    const given = env[begunVariable] ?? "";
    delete env[begunVariable];
    if (!/^[3-9]$/.test(given)) return undefined;
    const descriptor = Number(given);
    try {
      if (!fstatSync(descriptor).isFIFO()) return undefined;
      return new TerminalKeeper(listenerAt(descriptor), kept, settings);
    } catch {
      // It is not there, or has ended.
      return undefined;
    }
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
    this.#listener.end();
  }

  #say(word: string): void {
    try {
      this.#listener.say(`${word}\n`);
    } catch {
      // Somebody has ended it: nobody gives the terminal back then.
    }
  }
}

function listenerIn(child: ChildProcess): Listener {
  const { stdin } = child;
  // It is never waited for: it ends by itself.
  child.on("error", () => undefined);
  stdin?.on("error", () => undefined);
  child.unref();
  // Where a pipe is, it is a socket, whose type does not say so.
  if (stdin !== null && "unref" in stdin) (stdin as unknown as { unref(): void }).unref();
  return {
    say(text) {
      if (stdin?.writable === true) stdin.write(text);
    },
    end() {
      stdin?.end();
    },
  };
}

function listenerAt(descriptor: number): Listener {
  let open = true;
  return {
    say(text) {
      if (open) writeSync(descriptor, text);
    },
    end() {
      if (open) closeSync(descriptor);
      open = false;
    },
  };
}

/** The settings of the terminal that is standard input, as arguments of stty: those that the launcher has read, else as they are now. */
export function terminalSettings(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const given = env[settingsVariable] ?? "";
  if (settingsForm.test(given)) return [given];
  const read = spawnSync("stty", ["-g"], { stdio: ["inherit", "pipe", "ignore"], encoding: "utf8" });
  const settings = (read.stdout ?? "").trim();
  return settingsForm.test(settings) ? [settings] : usual;
}
