import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { spoken } from "../../../lib/grpc/spoken.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("lets a caller speak as slowly as it wants between messages that are waited for, and ends one who is silent", async () => {
  async function* messages() {
    yield 1;
    yield 2;
    await new Promise(() => undefined);
  }
  const all = spoken(messages(), 1000);
  expect(await all.next()).toMatchObject({ value: 1 });
  // Whoever takes them may take its time.
  await vi.advanceTimersByTimeAsync(5000);
  expect(await all.next()).toMatchObject({ value: 2 });
  const last = all.next();
  const refused = expect(last).rejects.toMatchObject({ reason: "CALLER_SILENT" });
  await vi.advanceTimersByTimeAsync(1000);
  await refused;
  expect(vi.getTimerCount()).toBe(0);
});

it("ends with its messages, and ends them when nobody wants more", async () => {
  let isEnded = false;
  async function* messages() {
    try {
      yield 1;
      yield 2;
    } finally {
      isEnded = true;
    }
  }
  for await (const each of spoken(messages(), 1000)) if (each === 1) break;
  await vi.advanceTimersByTimeAsync(0);
  expect(isEnded).toBe(true);
  expect(await Array.fromAsync(spoken(messages(), 1000))).toEqual([1, 2]);
});
