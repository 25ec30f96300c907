import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { CliFleet } from "./fleet.js";

let fleet: CliFleet;
beforeAll(async () => {
  fleet = await CliFleet.create();
});
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
});

/** What a shell is offered. */
async function completed(...words: readonly string[]): Promise<string> {
  return (await fleet.zor(["complete", "--", ...words])).stdout;
}

it("an alias stands for a command with its words, is completed, and never before a command", async () => {
  const set = await fleet.zor(["alias", "set", "st", `get instances --filter 'status.state = RUNNING' -o name`]);
  expect(set).toMatchObject({ code: 0, stdout: expect.stringContaining("zor st means: zor get instances") });
  expect((await fleet.zor(["st", "--host", "alpha"])).stdout).toBe("hosts/alpha/instances/vm1\n");
  expect((await fleet.zor(["--context", "viewer", "st"])).code).toBe(0);
  expect(await completed("st", "--ou")).toContain("--output");
  expect(await completed("s")).toMatch(/^st\t/m);
  expect((await fleet.zor(["alias", "list", "-o", "csv"])).stdout).toContain("st,");
  for (const [argv, says] of [
    [["alias", "set", "get", "describe"], /get is a command of zor/],
    [["alias", "set", "tui", "get hosts"], /command of zor/],
    [["alias", "set", "x", "st"], /begins with a command/],
    [["alias", "set", "x", "get 'hosts"], /not closed/],
    [["alias", "remove", "sr"], /did you mean st\?/],
  ] as const) {
    expect((await fleet.zor(argv)).stderr).toMatch(says);
  }
  await writeFile(join(fleet.configDirectory, "aliases.yaml"), "get: describe\nh: get hosts\n");
  expect((await fleet.zor(["get", "hosts", "-o", "name"])).code).toBe(0);
  await writeFile(join(fleet.configDirectory, "aliases.yaml"), "- x\n");
  expect(await fleet.zor(["h"])).toMatchObject({ code: 2, stderr: expect.stringContaining("aliases.yaml") });
  expect((await fleet.zor(["get", "hosts"])).code).toBe(0);
});

it("a name that is nearly right is answered with what it may have meant", async () => {
  expect(await fleet.zor(["describe", "instance", "alpha/vm11"])).toMatchObject({
    code: 3,
    stderr: expect.stringContaining("did you mean alpha/vm1?"),
  });
  expect((await fleet.zor(["describe", "instance", "alpha/quite-another"])).stderr).not.toContain("did you mean");
});
