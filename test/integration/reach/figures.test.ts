import { afterAll, beforeAll, expect, it } from "vitest";
import { ReachRig } from "./rig.js";

let rig: ReachRig;

beforeAll(async () => {
  rig = await ReachRig.start();
  await rig.create("c1", { crun: { rootfs: "micro" } });
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

/** Lines of JSON. */
function jsonLines(text: string): Readonly<Record<string, unknown>>[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

/** The most that the history has of the container's processor time. */
async function mostCpu(): Promise<{ readonly most: number; readonly points: number }> {
  const { stdout, stderr } = await rig.zor("history", "zt/c1", "--cpu", "-o", "json");
  const { series = [] } = JSON.parse(stdout === "" ? "{}" : stdout);
  const points: readonly { readonly most?: string }[] = series[0]?.points ?? [];
  expect(stderr).toBe("");
  return { most: Math.max(0, ...points.map(({ most = "0" }) => Number(most))), points: points.length };
}

it("shows what a container burns through the hub, and what it has burnt after a restart of the agent", async () => {
  const burning = rig.program("exec", "zt/c1", "--", "sh", "-c", "while :; do :; done");
  const watching = rig.program("top", "instances", "zt/c1", "-o", "json", "--count", "0");
  await watching.said(/"cpu":[1-9]\d/);
  await expect.poll(async () => (await mostCpu()).most).toBeGreaterThan(0);
  const { points } = await mostCpu();
  // The sample that is being made is lost with the agent, those before it are not.
  await expect.poll(async () => (await mostCpu()).points).toBeGreaterThan(points + 1);
  watching.kill("SIGKILL");
  burning.kill("SIGKILL");
  await Promise.all([watching.ended, burning.ended]);

  const once = await rig.zor("top", "instances", "zt/c1");
  expect(once).toMatchObject({ code: 0, stderr: "" });
  expect(once.stdout).toMatch(/^NAME +CORES +CPU% .*\nzt\/c1 /);
  const listed = await rig.zor("get", "instances", "--columns", "NAME,cpu,mem.used", "--sort-by", "-cpu");
  expect(listed).toMatchObject({ code: 0, stderr: "" });
  expect(listed.stdout).toMatch(/^NAME +CPU% +USED\nzt\/c1 +\d+\.\d +\S+\/\d+/);
  expect((await rig.zor("history", "zt/c1")).stdout).toMatch(/^zt\/c1, .*\ncpu +.* last .* cores/);

  await rig.agent.end("SIGKILL");
  await rig.agent.start();
  await rig.ready();
  const after = await mostCpu();
  expect(after.most).toBeGreaterThan(0);
  expect(after.points).toBeGreaterThanOrEqual(points);
  const [host] = jsonLines((await rig.zor("top", "hosts", "-o", "json")).stdout);
  expect(host).toMatchObject({ host: "hosts/zt", name: "hosts/zt", part: "" });
  expect(Number(host?.["memory-limit"])).toBeGreaterThan(0);
  const wrong = await rig.zor("history", "zt/none");
  expect(wrong.code).not.toBe(0);
  expect(wrong.stderr).toContain("zt/instances/none");
});
