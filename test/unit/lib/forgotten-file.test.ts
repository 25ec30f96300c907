import { open } from "node:fs/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { isForgottenFile } from "../../../lib/forgotten-file.js";

it("knows what Node says of a file that was not closed, and takes nothing else for it", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const others = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  const told: unknown[] = [];
  const hear = (error: unknown): void => void told.push(error);
  process.on("uncaughtException", hear);
  try {
    await (async () => void (await open("/etc/passwd")))();
    await expect
      .poll(() => {
        collect();
        return told.length;
      })
      .toBe(1);
  } finally {
    process.off("uncaughtException", hear);
    for (const other of others) process.on("uncaughtException", other);
  }
  expect(told.map(isForgottenFile)).toEqual([true]);
  expect(isForgottenFile(new Error("A FileHandle object was closed during garbage collection"))).toBe(false);
  expect(isForgottenFile(Object.assign(new Error("another state"), { code: "ERR_INVALID_STATE" }))).toBe(false);
  expect(isForgottenFile(undefined)).toBe(false);
});
