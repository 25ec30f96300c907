import { describe, expect, it } from "vitest";
import { askUntilEnded } from "../../../../../agent/kinds/instance/ask-until-ended.js";

const never = new AbortController().signal;

describe("asking until it has ended", () => {
  it.each([1, 2, 7])("asks %i times, when it ends after that many", async (times) => {
    const attempts: number[] = [];
    const ask = async (attempt: number) => attempts.push(attempt);
    const waitForEnd = async () => attempts.length === times;
    expect(await askUntilEnded({ ask, waitForEnd, signal: never })).toEqual({ ended: true, asked: times });
    expect(attempts).toEqual([...attempts.keys()]);
  });

  it("goes on when a later asking fails, since what is ending cannot be asked", async () => {
    let asked = 0;
    const ask = async () => {
      asked += 1;
      if (asked > 1) throw new Error("the connection ended");
    };
    expect(await askUntilEnded({ ask, waitForEnd: async () => asked === 3, signal: never })).toMatchObject({
      ended: true,
    });
  });

  it("fails when the first asking does", async () => {
    const ask = async () => Promise.reject(new Error("no ear"));
    await expect(askUntilEnded({ ask, waitForEnd: async () => false, signal: never })).rejects.toThrow("no ear");
  });

  it("ends when the time is over, and tells how often it asked", async () => {
    const over = new AbortController();
    const ask = async (attempt: number) => {
      if (attempt === 2) over.abort();
    };
    expect(await askUntilEnded({ ask, waitForEnd: async () => false, signal: over.signal })).toEqual({
      ended: false,
      asked: 3,
    });
  });
});
