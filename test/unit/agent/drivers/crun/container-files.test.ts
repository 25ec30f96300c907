import { expect, it } from "vitest";
import { containerFiles } from "../../../../../agent/drivers/crun/container-files.js";
import type { DriverInstance } from "../../../../../agent/drivers/driver-instance.js";
import { findIdentity } from "../../../../../lib/process.js";

const instance = { name: "hosts/h1/instances/c1" } as DriverInstance;
const request = {
  ...{ disk: "", filesystem: "", isOverview: false, writable: false },
  ...{ signal: new AbortController().signal, onStage: () => undefined },
};
const files = containerFiles(() => {
  throw new Error("what runs needs nothing of the host");
});

it("opens the root of the process that it was told of", async () => {
  const identity = await findIdentity(process.pid);
  const handle = { pid: process.pid, startTicks: identity?.startTicks ?? "", extra: {} };
  await using opened = await files.openFiles(instance, handle, request);
  expect((await opened.stat("/etc", true)).mode & 0o170000).toBe(0o040000);
});

it("opens nothing of a process that has its number now", async () => {
  const opening = files.openFiles(instance, { pid: process.pid, startTicks: "1", extra: {} }, request);
  await expect(opening).rejects.toThrow("has ended meanwhile");
});
