import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CliFleet } from "./fleet.js";

let fleet: CliFleet;
let directory: string;
beforeAll(async () => {
  fleet = await CliFleet.create(["zor.v1.NatService"]);
  directory = await mkdtemp(join(tmpdir(), "zt-apply-"));
});
afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

const lab = `
kind: nat
name: alpha/out
labels: { lab: paris }
spec: { lan: lan7 }
---
lans:
  - name: hosts/alpha/lans/lan7
    labels: { lab: paris }
    spec: { mtu: 9000 }
    status: { state: LAN_STATE_ACTIVE }
`;

async function file(name: string, text: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, text);
  return path;
}

describe("zor apply, diff and wait", () => {
  it("create in the order of references, change only what is named, and change nothing a second time", async () => {
    const path = await file("lab.yaml", lab);
    const before = fleet.hub.requests.length;
    expect(await fleet.zor(["apply", "-f", path, "--dry-run"])).toMatchObject({
      code: 0,
      stdout: "lan alpha/lan7 would be created\nnat alpha/out would be created\n",
    });
    expect(fleet.hub.log.find("lan", "hosts/alpha/lans/lan7")).toBeUndefined();
    expect(fleet.hub.requests.length).toBe(before + 2);
    expect(await fleet.zor(["diff", "-f", path])).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('lan alpha/lan7 is not there yet\n+ labels.lab: "paris"\n+ spec.mtu: 9000\n'),
    });
    expect((await fleet.zor(["apply", "-f", path])).stdout).toBe("lan alpha/lan7 created\nnat alpha/out created\n");
    const again = await fleet.zor(["apply", "-f", path, "-o", "json"]);
    expect(JSON.parse(again.stdout).resources).toMatchObject([
      { kind: "lan", name: "hosts/alpha/lans/lan7", outcome: "unchanged" },
      { kind: "nat", outcome: "unchanged" },
    ]);
    expect(await fleet.zor(["diff", "-f", path])).toMatchObject({ code: 0, stdout: "" });
    await fleet.zor(["label", "nat", "alpha/out", "kept=yes"]);
    const input = "kind: nat\nname: alpha/out\nspec: {lan: lan1}\n";
    expect((await fleet.zor(["diff", "-f", "-"], { input })).stdout).toBe(
      'nat alpha/out differs\n- spec.lan: "lan7"\n+ spec.lan: "lan1"\n',
    );
    expect((await fleet.zor(["apply", "-f", "-"], { input })).stdout).toBe("nat alpha/out changed (spec.lan)\n");
    expect(fleet.hub.log.find("nat", "hosts/alpha/nats/out")).toMatchObject({
      labels: { lab: "paris", kept: "yes" },
      spec: { lan: "lan1" },
    });
  });

  it("take the output of zor get back", async () => {
    const { stdout } = await fleet.zor(["get", "instances", "-o", "yaml"]);
    const { code, stdout: told } = await fleet.zor(["apply", "-f", "-"], { input: stdout });
    expect({ code, told }).toEqual({
      code: 0,
      told: "instance alpha/vm1 unchanged\ninstance beta/vm1 unchanged\n",
    });
  });

  it("tell of each resource what became of it; what refers to one that failed is not tried", async () => {
    const path = await file(
      "bad.yaml",
      "kind: nat\nname: hosts/alpha/nats/far\nspec: {lan: lan8}\n---\nkind: lan\nname: alpha/lan8\nuid: x\nspec: {}\n---\nkind: instance\nname: alpha/vm1\nspec: {nics: [{name: eth0, lan: lan8}]}\n---\nkind: operation\nname: operations/x\n",
    );
    const { code, stdout } = await fleet.zor(["apply", "-f", path]);
    expect(stdout).toContain("lan alpha/lan8 created\n");
    expect(stdout).toMatch(/operation operations\/x FAILED: .*cannot be created/);
    expect(code).toBe(2);
  });

  it("say where a file is wrong, and change nothing then", async () => {
    const before = fleet.hub.requests.length;
    for (const [text, says] of [
      ["kind: lan\nname: alpha/x\nspec: {mtuu: 1}\n", /bad\.yaml:3:8: .*did you mean mtu\?/],
      ["kind: lna\nname: alpha/x\n", /bad\.yaml:1:1: .*did you mean lan\?/],
      ["name: x\n", /say of what kind/],
      ["a: [\n", /bad\.yaml:\d+:\d+/],
      ["kind: lan\nname: alpha/x\n---\nkind: lan\nname: alpha/x\n", /described at .*bad\.yaml:1:1 as well/],
      ["things: []\n", /neither/],
    ] as const) {
      const { code, stderr } = await fleet.zor(["apply", "-f", await file("bad.yaml", text)]);
      expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(says) });
    }
    expect(fleet.hub.requests.length).toBe(before);
  });

  it("prune what has the labels and is in no file, after asking, and nothing that is not theirs", async () => {
    const path = await file("lab.yaml", lab);
    await fleet.zor(["apply", "-f", path]);
    const less = await file("less.yaml", "kind: lan\nname: alpha/lan7\nlabels: {lab: paris}\n");
    const argv = ["apply", "-f", less, "--prune", "--selector", "lab=paris"];
    expect((await fleet.zor(["apply", "-f", less, "--prune"])).code).toBe(2);
    expect(await fleet.zor(argv)).toMatchObject({ code: 4, stderr: expect.stringContaining("nat alpha/out") });
    expect(fleet.hub.log.find("nat", "hosts/alpha/nats/out")).toBeDefined();
    const stranger = await file("stranger.yaml", "kind: lan\nname: alpha/lan7\nlabels: {lab: lyon}\n");
    const refused = await fleet.zor(["apply", "-f", stranger, "--prune", "-l", "lab=paris", "--yes"]);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining("does not have the labels") });
    expect(await fleet.zor([...argv, "--dry-run"])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("alpha/out could be deleted"),
    });
    expect((await fleet.zor([...argv, "--yes"])).stdout).toContain("alpha/out pruned\n");
    expect(fleet.hub.log.find("nat", "hosts/alpha/nats/out")).toBeUndefined();
    expect(fleet.hub.log.find("lan", "hosts/alpha/lans/lan1")).toBeDefined();
  });

  it("wait for states, filters and the end of things", async () => {
    await fleet.zor(["stop", "alpha/vm1"]);
    const run = fleet.run(["wait", "alpha/vm1", "--for", "state=running"]);
    await fleet.zor(["start", "alpha/vm1"]);
    expect(await run.result).toMatchObject({ code: 0, stdout: "instance alpha/vm1: state=running\n" });
    expect((await fleet.zor(["wait", "lan", "alpha/lan1", "--for", "spec.mtu = 1500"])).code).toBe(0);
    expect((await fleet.zor(["wait", "lan", "alpha/never", "--for", "deleted"])).code).toBe(0);
    const several = ["wait", "lans", "--filter", "name : lan1", "--for", "exists"];
    expect((await fleet.zor(several)).stdout).toMatch(/^lan alpha\/lan1: exists\nlan beta\/lan1: exists\n$/);
    const late = await fleet.zor(["wait", "alpha/vm1", "--for", "deleted", "--timeout", "300ms"]);
    expect(late).toMatchObject({ code: 6, stderr: expect.stringContaining("not deleted in time") });
    expect((await fleet.zor(["wait", "alpha/vm1", "--for", "state=runing"])).stderr).toContain("did you mean RUNNING");
  });
});

describe("zor explain", () => {
  it("says what kinds, fields and values are", async () => {
    const say = async (...words: string[]) => (await fleet.zor(["explain", ...words])).stdout;
    expect(await say()).toMatch(/^lan +\S/m);
    expect(await say("lan")).toMatch(/^lan {2}<zor\.v1\.Lan>\n {2}\S[\s\S]*FIELDS\n {2}name {2}<string>[\s\S]*METHODS/);
    expect(await say("lan.spec.mtu")).toMatch(/^mtu {2}<int32> {2}\(default: 1500\)\n {2}\S/);
    expect(await say("instance.status.state")).toMatch(/VALUES\n {2}\w+\n {6}\S[\s\S]* {2}RUNNING\n/);
    expect(await say("lan.spec", "--recursive")).toContain("      ");
    expect(JSON.parse(await say("lan.spec", "-o", "json")).fields.length).toBeGreaterThan(3);
    expect(await say("LanSpec")).toContain("mtu  <int32>");
    expect(await fleet.zor(["explain", "lan.spec.mtuu"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('did you mean "spec.mtu"?'),
    });
    expect(await fleet.zor(["explain", "lna"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("did you mean lan?"),
    });
  });
});
