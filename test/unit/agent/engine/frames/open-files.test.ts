import { closeSync, openSync, readFileSync } from "node:fs";
import { afterEach, expect, test, vi } from "vitest";
import { readTransmitDrops } from "../../../../../agent/engine/frames/device-drops.js";
import { openSocket } from "../../../../../lib/net/socket-calls.js";
import { setTapQueues } from "../../../../../agent/engine/frames/tap-queue.js";
import { visitNetns } from "../../../../../lib/net/visit-netns.js";
import { SystemCallError } from "../../../../../lib/libc.js";

vi.mock(import("node:fs"), async (original) => {
  const actual = await original();
  return {
    ...actual,
    openSync: vi.fn(actual.openSync),
    closeSync: vi.fn(actual.closeSync),
    readFileSync: vi.fn(actual.readFileSync) as typeof actual.readFileSync,
  };
});
vi.mock(import("../../../../../lib/net/socket-calls.js"), async (original) => {
  const actual = await original();
  return { ...actual, openSocket: vi.fn(actual.openSocket) };
});

const { openSync: openSyncOf } = await vi.importActual<typeof import("node:fs")>("node:fs");

afterEach(() => void vi.resetAllMocks());

const EMFILE = 24;
const tooMany = (): never => {
  throw Object.assign(new Error("too many open files"), { code: "EMFILE" });
};

test("a namespace is not visited when there is no descriptor left for the way back, and none leaks", () => {
  vi.mocked(openSync).mockReturnValueOnce(1_000).mockImplementationOnce(tooMany);
  vi.mocked(closeSync).mockReturnValueOnce(undefined);
  const work = vi.fn();
  expect(visitNetns("zt-none", work)).toBeUndefined();
  expect(work).not.toHaveBeenCalled();
  expect(vi.mocked(closeSync).mock.calls).toEqual([[1_000]]);
});

test("a namespace of which only the name is left is as one that is gone", () => {
  vi.mocked(openSync).mockImplementationOnce(() => openSyncOf("/dev/null", "r"));
  const work = vi.fn();
  expect(visitNetns("zt-none", work)).toBeUndefined();
  expect(work).not.toHaveBeenCalled();
});

test("drops are not known while there are too many open files", () => {
  expect(readTransmitDrops(undefined)?.has("lo")).toBe(true);
  vi.mocked(readFileSync).mockImplementationOnce(tooMany);
  expect(readTransmitDrops(undefined)).toBeUndefined();
});

test("queues stay as they are while there are too many open files", () => {
  vi.mocked(openSocket).mockImplementationOnce(() => {
    throw new SystemCallError("socket", EMFILE);
  });
  expect(() => setTapQueues(undefined, new Map([["zt-none", 10]]))).not.toThrow();
  expect(openSocket).toHaveBeenCalledOnce();
});
