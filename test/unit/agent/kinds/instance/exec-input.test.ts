import { describe, expect, it } from "vitest";
import { readAhead } from "../../../../../agent/kinds/instance/exec-input.js";
import type { ExecRequest } from "../../../../../proto/gen/zor/v1/exec_service.js";

const resize = (columns: number): ExecRequest => ({ message: { $case: "resize", value: { columns, rows: 24 } } });
const typed = (text: string): ExecRequest => ({ message: { $case: "stdin", value: Buffer.from(text) } });

async function* of(...requests: readonly ExecRequest[]): AsyncGenerator<ExecRequest> {
  yield* requests;
}

function reading(...requests: readonly ExecRequest[]): ReturnType<typeof readAhead> {
  return readAhead(of(...requests), { stdin: true, tty: true }, (error) => {
    throw error;
  });
}

/** Writes down what is typed as it comes. */
function noteTyped(input: ReturnType<typeof readAhead>, log: string[]): Promise<void> {
  return (async () => {
    for await (const data of input.stdin) log.push(Buffer.from(data).toString());
  })();
}

describe("what a client sends to a command on a terminal", () => {
  it("is typed at a terminal of the size that was told before", async () => {
    const input = reading(typed("a"), resize(90), typed("b"), resize(91), resize(92), typed("c"));
    const log: string[] = [];
    const ended = noteTyped(input, log);
    for await (const { columns } of input.resizes) {
      log.push(`${columns} begins`);
      // However long the terminal takes for it.
      for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
      log.push(`${columns} holds`);
      if (columns === 92) break;
    }
    await ended;
    // Of two sizes that come at once the last counts.
    expect(log.filter((each) => !each.startsWith("91"))).toEqual([
      "a",
      "90 begins",
      "90 holds",
      "b",
      "92 begins",
      "92 holds",
      "c",
    ]);
  });

  it("is typed all the same when nobody takes sizes any more", async () => {
    const input = reading(resize(90), typed("a"), resize(91), typed("b"));
    const log: string[] = [];
    const ended = noteTyped(input, log);
    const failing = (async () => {
      for await (const { columns } of input.resizes) throw new Error(`no ${columns}`);
    })();
    await expect(failing).rejects.toThrow("no 90");
    await ended;
    expect(log).toEqual(["a", "b"]);
  });

  it("holds up nobody when it was sizes alone, faster than they are taken", async () => {
    const input = reading(...Array.from({ length: 500 }, (_, turn) => resize(turn + 1)));
    for await (const _ of input.stdin) throw new Error("nothing was typed");
    expect(input.failure()).toBeUndefined();
    for await (const { columns } of input.resizes) {
      expect(columns).toBe(500);
      break;
    }
  });
});
