import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KindContext } from "../../../../agent/kit/context.js";
import { HostScope } from "../../../../agent/kit/host-scope.js";
import { Publisher } from "../../../../agent/kit/publisher.js";
import { References } from "../../../../agent/kit/references.js";
import { Remarks } from "../../../../agent/kit/remarks.js";
import { writeFileAtomic } from "../../../../lib/files.js";
import { createLog } from "../../../../lib/log.js";
import { Operations } from "../../../../lib/operations.js";
import { WatchLog } from "../../../../lib/watch/watch-log.js";

/** A change of a test. */
export const change = { validateOnly: false, caller: "zor://user/tester" };

/** A disk that is full. */
export const diskFull = Object.assign(new Error("no space"), { code: "ENOSPC" });

/** What an agent gives to its kinds, with a real disk below it; agents come and go. */
export class KindWorld {
  readonly state: string;
  readonly watchLog = new WatchLog();
  /** Errors that the next writes meet, instead of writing. */
  diskFailure: unknown;

  private constructor(state: string) {
    this.state = state;
  }

  static async create(): Promise<KindWorld> {
    return new KindWorld(await mkdtemp(join(tmpdir(), "zt-kind-")));
  }

  /** What a newly started agent gives to its kinds. */
  context(): KindContext {
    const log = createLog("test", { write: () => undefined });
    return {
      host: "h1",
      state: this.state,
      scope: new HostScope("h1"),
      references: new References("h1"),
      publisher: new Publisher(this.watchLog, "h1"),
      operations: new Operations({ prefix: "hosts/h1/operations", publish: () => undefined, forget: () => undefined }),
      remarks: new Remarks(),
      log,
      logError: () => undefined,
      now: () => new Date(),
      signal: new AbortController().signal,
      write: (path, content, options) =>
        this.diskFailure === undefined ? writeFileAtomic(path, content, options) : Promise.reject(this.diskFailure),
    };
  }

  /** Types of all events so far. */
  eventTypes(): readonly string[] {
    return this.watchLog.list("event").map(({ type }) => type);
  }

  /** Names of what is on the disk of a kind. */
  files(...path: readonly string[]): Promise<string[]> {
    return readdir(join(this.state, ...path));
  }

  async destroy(): Promise<void> {
    await rm(this.state, { recursive: true, force: true });
  }
}
