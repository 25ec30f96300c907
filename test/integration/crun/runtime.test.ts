import { mkdir, rename, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { CrunOptions } from "../../../proto/gen/zor/v1/crun.js";
import { eventually } from "../../helpers/eventually.js";
import { captureMachine, leftBehind } from "../../helpers/leftovers.js";
import { CrunFixture, callOptions } from "./fixture.js";

const before = captureMachine();
const sleep = CrunOptions.fromPartial({ rootfs: "micro", command: ["/bin/sleep", "1000"] });
const path = process.env["PATH"] ?? "";
let world: CrunFixture;

beforeAll(async () => {
  world = await CrunFixture.make({ containerMib: 16 });
});

afterAll(async () => {
  process.env["PATH"] = path;
  const { ownership } = world;
  await world[Symbol.asyncDispose]();
  await eventually(() => expect(leftBehind(before, captureMachine(), ownership)).toEqual([]));
});

/** A driver that finds the programs in a directory of the test's own. */
async function withPrograms(name: string) {
  const programs = join(world.root, name);
  await mkdir(programs);
  for (const tool of ["crun", "conmon"])
    await symlink((await run("which", [tool])).stdout.trim(), join(programs, tool));
  process.env["PATH"] = `${programs}:${path}`;
  const driver = world.nextDriver();
  expect(await driver.fingerprint(callOptions)).toContainEqual(
    expect.objectContaining({ id: "driver.crun", available: true }),
  );
  return { programs, driver };
}

describe.each(["crun", "conmon"])("a host on which %s goes", (tool) => {
  it("says so, by name and with what to do, ends what runs, and goes on when it is back", async () => {
    const { programs, driver } = await withPrograms(`without-${tool}`);
    const instance = await world.define(sleep);
    await driver.create(instance, callOptions);
    const network = { netns: world.netns, nics: [] };
    const handle = await driver.start(instance, network, callOptions);
    await rename(join(programs, tool), join(programs, "away"));
    const missing = {
      code: 9,
      reason: "TOOL_MISSING",
      message: `${tool} is not installed on the host; install the package ${tool}`,
    };
    const seen = await driver.inspect(instance, handle, callOptions);
    expect(seen).toMatchObject({ state: "unknown", reason: expect.stringContaining(missing.message) });
    const another = await world.define(sleep);
    await expect(driver.create(another, callOptions)).rejects.toMatchObject(missing);
    await expect(driver.start(another, network, callOptions)).rejects.toMatchObject(missing);
    await driver.stop(instance, handle);
    expect((await driver.inspect(instance, handle, callOptions)).state).toBe("stopped");
    await expect(driver.start(instance, network, callOptions)).rejects.toMatchObject(missing);
    await expect(driver.destroy(instance)).rejects.toMatchObject(missing);
    await rename(join(programs, "away"), join(programs, tool));
    await driver.stop(instance, await driver.start(instance, network, callOptions));
    await driver.destroy(instance);
    await driver.detach();
    await rm(programs, { recursive: true });
  });
});
