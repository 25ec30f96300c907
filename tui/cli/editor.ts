import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { once } from "node:events";
import { status } from "@grpc/grpc-js";
import { ZorError } from "../../lib/errors.js";
import { canRun } from "../../lib/files.js";
import { boundCommand } from "../../lib/owned-process.js";
import { quote } from "../../lib/names.js";

/** Variables of the environment, as of the process. */
type Environment = Readonly<Record<string, string | undefined>>;

/** A file that a person edits, in a directory that nobody else can look into. Removed when it is disposed of, unless it is kept. */
export class EditedFile implements AsyncDisposable {
  readonly path: string;
  readonly #directory: string;
  readonly #editor: readonly string[];
  #kept = false;

  private constructor(directory: string, name: string, editor: readonly string[]) {
    this.#directory = directory;
    this.path = join(directory, name);
    this.#editor = editor;
  }

  /** @throws {ZorError} FAILED_PRECONDITION when there is no editor. */
  static async create(name: string, env: Environment): Promise<EditedFile> {
    const editor = await findEditor(env);
    return new EditedFile(await mkdtemp(join(tmpdir(), "zor-edit-")), name, editor);
  }

  /** Has the person edit a text. Resolves to what was saved. @throws {ZorError} when the editor fails: then nothing is to be done. */
  async edit(text: string): Promise<string> {
    await writeFile(this.path, text, { mode: 0o600 });
    const [program = "", ...args] = this.#editor;
    const child = spawn(...boundCommand(program, [...args, this.path]), { stdio: "inherit" });
    await once(child, "exit");
    const { exitCode: code, signalCode: signal } = child;
    if (code !== 0) {
      const how = code === null ? `was ended by ${signal ?? "a signal"}` : `ended with ${code}`;
      throw new ZorError({
        reason: "EDITOR_FAILED",
        code: status.FAILED_PRECONDITION,
        message: `nothing was changed: the editor ${quote(this.#editor.join(" "))} ${how}`,
      });
    }
    return readFile(this.path, "utf8");
  }

  /** Leaves the file where it is. */
  keep(): void {
    this.#kept = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#kept) await rm(this.#directory, { recursive: true, force: true });
  }
}

/** Program and arguments of $VISUAL, $EDITOR or vi: words with spaces between them, and no shell that reads them. */
async function findEditor(env: Environment): Promise<readonly string[]> {
  const text = env["VISUAL"] || env["EDITOR"] || "vi";
  const [program = "", ...args] = text.trim().split(/\s+/);
  const places = program.includes("/") ? [program] : searchPath().map((directory) => join(directory, program));
  for (const place of places) if (await canRun(place)) return [place, ...args];
  throw new ZorError({
    reason: "NO_EDITOR",
    code: status.FAILED_PRECONDITION,
    message: `the editor ${quote(program)} is not there; set VISUAL or EDITOR to one that is, or use: zor set, zor label`,
  });
}

function searchPath(): readonly string[] {
  return (process.env["PATH"] ?? "").split(delimiter).filter((directory) => directory !== "");
}

/** What was saved without the lines that are only said. */
export function withoutNotes(text: string): string {
  return text
    .split("\n")
    .filter((line) => !line.startsWith("#"))
    .join("\n")
    .trim();
}

/** Lines that are only said, before a text. */
export function withNotes(notes: readonly string[], text: string): string {
  const lines = notes.flatMap((note) => note.split("\n")).map((line) => `# ${line}`.trimEnd());
  return `${lines.join("\n")}\n${text}\n`;
}
