import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DemoTerminals, expectToFit, leave, sizes } from "./demo-terminals.js";

let fleet: DemoTerminals;

beforeAll(async () => {
  fleet = await DemoTerminals.start();
  for (const name of ["alpha/s1", "alpha/s2", "alpha/s3", "beta/s1"]) await fleet.container(name, "--leave-stopped");
}, 620_000);
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
}, 300_000);

/** States by name. */
async function states(): Promise<Record<string, string>> {
  const { instances } = (await fleet.demo.json(["get", "instances"])) as {
    instances: { name: string; status: { state: string } }[];
  };
  return Object.fromEntries(
    instances.map(({ name, status }) => [name.replace(/hosts\/(.+)\/instances\//, "$1/"), status.state]),
  );
}

describe.each(sizes)("what is stopped, at $columns x $rows", (size) => {
  it("is found by a query on hosts of a pattern, and started in a wave that all can see", async () => {
    const stopped = ["alpha/s1", "alpha/s2", "alpha/s3"];
    await fleet.demo.must(["stop", ...stopped]).catch(() => undefined);
    await using terminal = await fleet.open(size);
    await terminal.press("2", "/", 'state=stopped and host~"^al.*"', "Enter");
    const found = await terminal.sees(/── instances 3 of 8 \/state=stopped and host~"\^al\.\*" ─/);
    expect(found).toMatch(/❯ s1 +alpha +○ stopped/);
    expect(found).not.toContain("beta");
    expect(found).not.toContain("running  ");
    expectToFit(found, size);
    await terminal.press("C-a");
    await terminal.sees("3 marked");
    await terminal.press("s");
    const asked = await terminal.sees("Start 3 instances?");
    for (const name of stopped) expect(asked).toMatch(new RegExp(`${name} +stopped`));
    // Another key than y leaves everything as it is, and the marks where they are.
    await terminal.press("Escape");
    await terminal.sees("nothing done: start was not confirmed");
    expect(await terminal.screen()).toContain("3 marked");
    expect(await states()).toMatchObject({ "alpha/s1": "INSTANCE_STATE_STOPPED" });
    await terminal.press("s");
    await terminal.sees("Start 3 instances?");
    await terminal.press("y");
    await terminal.sees("── instances 0 of 8", 120_000);
    await terminal.press(":", "operations", "Enter");
    expectToFit(await terminal.sees(/❯ wave\.instance\.\S+ +.*● succeeded +100%/, 120_000), size);
    expect(await states()).toMatchObject({
      "alpha/s1": "INSTANCE_STATE_RUNNING",
      "alpha/s2": "INSTANCE_STATE_RUNNING",
      "alpha/s3": "INSTANCE_STATE_RUNNING",
      "beta/s1": "INSTANCE_STATE_STOPPED",
    });
    await leave(terminal);
  });
});
