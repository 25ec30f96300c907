import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { findProcesses } from "../../../lib/process.js";
import { CrunOptions } from "../../../proto/gen/zor/v1/crun.js";
import { eventually } from "../../helpers/eventually.js";
import { captureMachine, leftBehind } from "../../helpers/leftovers.js";
import { CrunFixture, callOptions } from "../../integration/crun/fixture.js";

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

/** A driver whose crun does something else for one verb while the file "broken" is there. */
async function withBroken(verb: string, instead: string) {
  const programs = join(world.root, `${verb}-${instead.split(" ")[0]}`);
  await mkdir(programs);
  const crun = (await run("which", ["crun"])).stdout.trim();
  const script = `#!/bin/sh\nif [ -e ${programs}/broken ]; then case " $* " in *" ${verb} "*) ${instead} ;; esac; fi\nexec ${crun} "$@"\n`;
  await writeFile(join(programs, "crun"), script);
  await chmod(join(programs, "crun"), 0o755);
  process.env["PATH"] = `${programs}:${path}`;
  return { driver: world.nextDriver(), broken: join(programs, "broken") };
}

describe.each([
  ["create", "exec sleep 4711", "RUNTIME_HUNG"],
  ["create", "kill -9 $$", "START_FAILED"],
  ["start", "exec sleep 4711", "RUNTIME_HUNG"],
  ["start", "kill -9 $$", ""],
  ["state", "exec sleep 4711", "RUNTIME_HUNG"],
])("a crun that on %s does: %s", (verb, instead, reason) => {
  it("is waited for so long, told by name, and leaves nothing; afterwards all goes on", async () => {
    const { driver, broken } = await withBroken(verb, instead);
    const instance = await world.define(sleep);
    await driver.create(instance, callOptions);
    const network = { netns: world.netns, nics: [] };
    await writeFile(broken, "");
    const began = performance.now();
    const failed = await driver.start(instance, network, callOptions).catch((error: unknown) => error);
    expect(performance.now() - began).toBeLessThan(150_000);
    if (reason !== "") expect(failed instanceof SuppressedError ? failed.suppressed : failed).toMatchObject({ reason });
    else expect(failed).toBeInstanceOf(Error);
    const mine = (argv: readonly string[]) => argv.join(" ").includes(instance.uid) || argv.join(" ") === "sleep 4711";
    await eventually(async () => expect(await findProcesses(mine)).toEqual([]));
    await run("rm", [broken]);
    await driver.stop(instance, await driver.start(instance, network, callOptions));
    await driver.destroy(instance);
  }, 300_000);
});

describe("a crun that hangs on delete", () => {
  it("keeps no container from being stopped, and none from being deleted later", async () => {
    const { driver, broken } = await withBroken("delete", "exec sleep 4712");
    const instance = await world.define(sleep);
    await driver.create(instance, callOptions);
    const handle = await driver.start(instance, { netns: world.netns, nics: [] }, callOptions);
    await writeFile(broken, "");
    await driver.stop(instance, handle);
    await expect(driver.destroy(instance)).rejects.toMatchObject({ reason: "RUNTIME_HUNG" });
    await run("rm", [broken]);
    await driver.destroy(instance);
  }, 300_000);
});
