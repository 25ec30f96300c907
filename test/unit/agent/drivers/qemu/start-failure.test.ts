import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { logPathOf } from "../../../../../agent/drivers/qemu/run-directory.js";
import { toStartFailure } from "../../../../../agent/drivers/qemu/start-failure.js";

type Arguments = Parameters<typeof toStartFailure>;
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "zt-failure-"));
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

async function failureOf(log: string): Promise<Error> {
  const instance = { name: "hosts/h1/instances/m1", directory } as Arguments[0];
  await mkdir(dirname(logPathOf(instance)), { recursive: true });
  await writeFile(logPathOf(instance), log);
  return await toStartFailure(instance, {} as Arguments[1]);
}

it("names the package of a QEMU that has gone", async () => {
  const log = "setpriv: failed to execute qemu-system-x86_64: No such file or directory\n";
  expect(await failureOf(log)).toMatchObject({
    reason: "TOOL_MISSING",
    message:
      "hosts/h1/instances/m1: qemu-system-x86_64 is not installed on the host; install it there with: apt-get install qemu-system-x86",
  });
});

it("says what QEMU said, or that it said nothing", async () => {
  expect((await failureOf("qemu-system-x86_64: -cpu x: no such model\n")).message).toMatch(
    /did not start: no such model$/,
  );
  expect((await failureOf("")).message).toMatch(/said nothing.*stopped or killed/);
});
