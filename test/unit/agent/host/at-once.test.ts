import { expect, test } from "vitest";
import { AtOnce } from "../../../../agent/host/at-once.js";

test("no more programs run at once than may be, and one that has ended or failed makes room", async () => {
  const gate = new AtOnce({ most: 2, reason: "BUSY", what: "callers look" });
  const held = [Promise.withResolvers<number>(), Promise.withResolvers<number>()];
  const running = held.map(({ promise }) => gate.run(() => promise));
  await expect(gate.run(async () => 3)).rejects.toMatchObject({
    reason: "BUSY",
    message: expect.stringContaining("2 callers look already"),
  });
  held[0]?.reject(new Error("failed"));
  await expect(running[0]).rejects.toThrow("failed");
  expect(await gate.run(async () => 4)).toBe(4);
  held[1]?.resolve(1);
  expect(await running[1]).toBe(1);
  expect(await gate.run(async () => 5)).toBe(5);
});
