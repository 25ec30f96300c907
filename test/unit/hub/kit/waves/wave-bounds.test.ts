import { expect, test } from "vitest";
import { WaveBounds } from "../../../../../hub/kit/waves/wave-bounds.js";

const ana = "zor://user/ana";

test("one caller may have ten waves, counting those that are being begun, and all fifty", () => {
  const bounds = new WaveBounds();
  const nine = Array.from({ length: 9 }, () => ana);
  const room = bounds.admit(ana, nine);
  expect(() => bounds.admit(ana, nine)).toThrow(/10 waves of zor:\/\/user\/ana run already; cancel one/);
  bounds.admit("zor://user/ben", nine)[Symbol.dispose]();
  room[Symbol.dispose]();
  bounds.admit(ana, nine)[Symbol.dispose]();
  const others = Array.from({ length: 50 }, (_, index) => `zor://user/u${index}`);
  expect(() => bounds.admit(ana, others)).toThrow(/50 waves run already/);
});

test("no more than 128 calls of a caller are under way, and the next is made as soon as one has ended, also badly", async () => {
  const bounds = new WaveBounds();
  const calls: PromiseWithResolvers<void>[] = [];
  const make = (): Promise<void> => {
    const call = Promise.withResolvers<void>();
    calls.push(call);
    return call.promise;
  };
  const made = Array.from({ length: 130 }, () => bounds.call(ana, make).catch(() => undefined));
  expect(calls.length).toBe(128);
  // Another one has room of his own.
  await bounds.call("zor://user/ben", async () => undefined);
  calls[0]?.reject(new Error("no"));
  await made[0];
  await expect.poll(() => calls.length).toBe(129);
  calls[1]?.resolve();
  await made[1];
  await expect.poll(() => calls.length).toBe(130);
  for (const call of calls) call.resolve();
  await Promise.all(made);
});
