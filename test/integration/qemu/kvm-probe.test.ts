import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createQemuDriver } from "../../../agent/drivers/qemu/driver.js";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "zt-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

it("the fingerprint tells whether KVM works from a real boot, with a reason when not, and finds it out once", async () => {
  const options = { signal: new AbortController().signal };
  const makeDriver = () =>
    createQemuDriver({
      imageDirectories: ["/var/lib/zor/images"],
      stateDirectory: root,
      log: pino({ level: "silent" }),
    });
  const capabilities = await makeDriver().fingerprint(options);
  const kvm = capabilities.find(({ id }) => id === "driver.qemu.kvm");
  expect(capabilities.find(({ id }) => id === "driver.qemu.tcg")).toMatchObject({ available: true });
  expect(kvm?.available === true || kvm?.reason !== "").toBe(true);
  // An obstacle is found without a boot and not kept; a verdict is.
  const kept = await readFile(join(root, "kvm.json"), "utf8").catch(() => undefined);
  if (kept !== undefined) expect(JSON.parse(kept)).toMatchObject({ works: kvm?.available });
  const again = await makeDriver().fingerprint(options);
  expect(again.find(({ id }) => id === "driver.qemu.kvm")).toEqual(kvm);
  expect(await readFile(join(root, "kvm.json"), "utf8").catch(() => undefined)).toBe(kept);
});
