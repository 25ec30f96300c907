import { EventEmitter } from "node:events";
import { PassThrough } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, expect, it, vi } from "vitest";
import { runRecipe } from "../../../../agent/images/run-recipe.js";

const child = Object.assign(new EventEmitter(), { stdout: new PassThrough(), stderr: new PassThrough() });

vi.mock("../../../../agent/host/exec.js", async (original) => ({
  ...(await original<object>()),
  startOwned: () => child,
}));

afterEach(() => vi.restoreAllMocks());

it("fails, and nothing else does, when the process cannot be started", async () => {
  const lost: unknown[] = [];
  const onLost = (error: unknown): void => void lost.push(error);
  process.on("unhandledRejection", onLost);
  try {
    const run = runRecipe({
      ...{ program: "/r/build", directory: "/d", maxFileBytes: 1, onStep: () => undefined },
      signal: new AbortController().signal,
    });
    const failed = expect(run).rejects.toThrow("EAGAIN");
    child.emit("error", new Error("spawn EAGAIN"));
    // A rejection that nobody takes is told before the next turn.
    await turn();
    child.stdout.end();
    await failed;
    expect(lost).toEqual([]);
  } finally {
    process.off("unhandledRejection", onLost);
  }
});
