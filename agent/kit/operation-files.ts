import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomic } from "../../lib/files.js";
import { abandoned } from "../../lib/operations.js";
import { Operation, OperationState } from "../../proto/gen/zor/v1/operation.js";
import type { DurableWriter } from "./spec-directory.js";

/** Where operations are kept, and who is told what cannot be. */
export interface OperationFilesOptions {
  readonly directory: string;
  readonly logError: (error: unknown, message: string) => void;
  readonly write?: DurableWriter;
}

/** An operation that ended is remembered at least this long by the next run. */
const keepMs = 60 * 60 * 1000;

/**
 * The operations of an agent as files: whoever was told of one can ask for it, whatever happens to the agent. Their beginning and their end
 * are written, not the steps between.
 */
export class OperationFiles {
  readonly #options: OperationFilesOptions;
  /** The newest write of each operation, by name. */
  readonly #writes = new Map<string, Promise<void>>();
  readonly #begun = new Set<string>();

  constructor(options: OperationFilesOptions) {
    this.#options = options;
  }

  /** Writes an operation that has begun or ended. Never throws: the work goes on, kept or not. */
  note(operation: Operation): void {
    const { name, state } = operation;
    const isRunning = state === OperationState.OPERATION_STATE_RUNNING;
    if (isRunning && this.#begun.has(name)) return;
    if (isRunning) this.#begun.add(name);
    else this.#begun.delete(name);
    const text = `${JSON.stringify(Operation.toJSON(operation))}\n`;
    this.#queue(name, async () => {
      await mkdir(this.#options.directory, { recursive: true, mode: 0o700 });
      await (this.#options.write ?? writeFileAtomic)(this.#path(name), text);
    });
  }

  /** Removes an operation that is forgotten. */
  forget(name: string): void {
    this.#queue(name, () => rm(this.#path(name), { force: true }));
  }

  /** Resolves when all that was noted until now is on the disk, or cannot be. */
  async settled(): Promise<void> {
    await Promise.all(this.#writes.values());
  }

  /** What an earlier run left: those it had not finished are told as abandoned, old and damaged ones are removed. */
  async load(now: Date): Promise<readonly Operation[]> {
    await mkdir(this.#options.directory, { recursive: true, mode: 0o700 });
    const left: Operation[] = [];
    for (const file of await readdir(this.#options.directory)) {
      const path = join(this.#options.directory, file);
      const operation = parse(await readFile(path, "utf8"));
      const endTime = operation?.updateTime?.getTime() ?? 0;
      if (operation === undefined || endTime + keepMs < now.getTime()) {
        await rm(path, { force: true });
      } else if (operation.state === OperationState.OPERATION_STATE_RUNNING) {
        const message = `the agent was restarted before ${operation.verb} of ${operation.target} ended; look whether it is there`;
        left.push(abandoned(operation, message, now));
      } else left.push(operation);
    }
    return left.sort((one, other) => (one.createTime?.getTime() ?? 0) - (other.createTime?.getTime() ?? 0));
  }

  #queue(name: string, work: () => Promise<void>): void {
    const before = this.#writes.get(name) ?? Promise.resolve();
    const write = before.then(work).catch((error: unknown) => {
      this.#options.logError(error, `operation ${name} could not be written down; it is known until the agent ends`);
    });
    this.#writes.set(name, write);
    void write.then(() => {
      if (this.#writes.get(name) === write) this.#writes.delete(name);
    });
  }

  #path(name: string): string {
    return join(this.#options.directory, `${createHash("sha256").update(name).digest("hex")}.json`);
  }
}

function parse(text: string): Operation | undefined {
  try {
    const operation = Operation.fromJSON(JSON.parse(text));
    // What cannot be sent again is as good as cut off.
    Operation.encode(operation).finish();
    return operation.name === "" ? undefined : operation;
  } catch {
    return undefined;
  }
}
