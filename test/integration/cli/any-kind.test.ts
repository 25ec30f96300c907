import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import "../../extension/register.js";
import type { Gauge } from "../../extension/gen/zor/test/v1/gauge.js";
import { CliFleet } from "./fleet.js";

// Kinds that are only in the tables of kinds and codecs: nothing of tui/ knows them.
let fleet: CliFleet;
beforeEach(async () => {
  fleet = await CliFleet.create(["zor.test.v1.GaugeService", "zor.test.v1.MemoService"]);
});
afterEach(async () => {
  await fleet[Symbol.asyncDispose]();
});

const g1 = "hosts/alpha/gauges/g1";
// What is stored under the name of a gauge is one.
const gauge = (name = g1) => fleet.hub.log.find("gauge", name) as Gauge | undefined;

async function done(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await fleet.zor(argv);
  expect({ code, stderr: stderr.replace(/^context .*\n/, "") }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

async function refused(...argv: string[]): Promise<string> {
  const { code, stderr } = await fleet.zor(argv);
  expect(code).toBe(2);
  return stderr;
}

describe("a kind that nothing is known of but what the API says", () => {
  it("is created from its fields, listed, shown and deleted", async () => {
    expect(await done("create", "gauge", "alpha/g1", "--set", "spec.limit=7", "--label", "site=lab1")).toBe(
      "gauge alpha/g1 created\n",
    );
    expect(gauge()).toMatchObject({ spec: { limit: 7 }, labels: { site: "lab1" } });
    expect(await done("create", "memo", "m1", "--set", "spec.text=hello = world")).toBe("memo m1 created\n");
    expect(await done("get", "gauges")).toMatch(/^NAME .*\nalpha\/g1 /);
    expect(await done("get", "gg", "g1", "-o", "name")).toBe(`${g1}\n`);
    expect(JSON.parse(await done("get", "gauges", "-o", "json"))).toMatchObject({ gauges: [{ spec: { limit: 7 } }] });
    expect(await done("get", "gauges", "--host", "alpha", "-o", "name")).toBe(`${g1}\n`);
    expect(await done("get", "gauges", "--host", "beta", "-o", "name")).toBe("");
    expect(await done("get", "memos", "-o", "yaml")).toContain("text: hello = world");
    expect(await done("get", "gauges", "--filter", "spec.limit > 5", "-o", "name")).toBe(`${g1}\n`);
    expect(await done("delete", "gauge", "alpha/g1", "--yes")).toBe("alpha/g1 deleted\n");
    expect(await done("delete", "memos/m1", "--yes")).toBe("m1 deleted\n");
    expect(gauge()).toBeUndefined();
  });

  it("is created from a file", async () => {
    const directory = await mkdtemp(join(tmpdir(), "zt-cli-"));
    const file = join(directory, "gauge.yaml");
    await writeFile(file, `name: ${g1}\nspec:\n  limit: 9\n`);
    expect(await done("create", "gauge", "-f", file)).toBe("gauge alpha/g1 created\n");
    expect(gauge()?.spec?.limit).toBe(9);
    expect(await refused("create", "gauge", "-f", file, "--set", "spec.limit=1")).toContain("by the file alone");
    await writeFile(file, "spec:\n  limt: 9\n");
    expect(await refused("create", "gauge", "alpha/g2", "-f", file)).toContain("gauge.yaml:2:3");
    await rm(directory, { recursive: true });
  });

  it("is changed by masks, only if it still has the etag that is asked for", async () => {
    await done("create", "gauge", "alpha/g1", "--set", "spec.limit=7", "--set", "spec.lan=lan1", "--label", "a=b");
    const { etag = "" } = gauge() ?? {};
    expect(await done("set", "gauge", "g1", "spec.limit=8", "labels.c=d", "--etag", etag)).toBe(
      "gauge alpha/g1 changed\n",
    );
    expect(fleet.hub.requests.at(-1)?.request).toMatchObject({ updateMask: ["spec.limit", "labels.c"] });
    expect(gauge()).toMatchObject({ spec: { limit: 8, lan: "lan1" }, labels: { a: "b", c: "d" } });
    const { code, stderr } = await fleet.zor(["set", "gauge", "g1", "spec.limit=9", "--etag", etag]);
    expect(code).toBe(4);
    expect(stderr).toContain("was changed by zor://user/bob");
    await done("set", "gauge", "g1", "spec.lan=", "--label", "a=");
    expect(gauge()).toMatchObject({ spec: { limit: 8, lan: "" }, labels: { c: "d" } });
  });

  it.each<[string[], RegExp]>([
    [["spec.limti=8"], /"spec.limti" is not a field; did you mean "spec.limit"\?/],
    [["spec.limit=many"], /spec.limit cannot be "many": it is a number/],
    [["status.reading=3"], /"status.reading" cannot be changed/],
    [["spec.limit"], /FIELD=VALUE/],
    [["spec=5"], /spec consists of fields: give one of spec.lan and spec.limit/],
    [[], /nothing is said to change/],
  ])("is not changed by %j", async (words, says) => {
    await done("create", "gauge", "alpha/g1");
    expect(await refused("set", "gauge", "g1", ...words)).toMatch(says);
  });

  it("is described, labelled and edited", async () => {
    await done("create", "gauge", "alpha/g1", "--set", "spec.limit=7");
    expect(await done("describe", "gauge", "g1")).toMatch(/^gauge alpha\/g1\n[\s\S]*\n *spec:\n +limit: 7\n/);
    expect(await done("label", "gauge", "g1", "site=lab1")).toBe("gauge alpha/g1 labelled\n");
    expect(await done("get", "gauges", "-L", "site")).toMatch(/ SITE\nalpha\/g1 .*lab1\n/);
    const { code } = await fleet.zor(["edit", "gauge", "g1"], { env: { VISUAL: "sed -i s/lab1/lab2/" } });
    expect(code).toBe(0);
    expect(gauge()?.labels).toEqual({ site: "lab2" });
  });

  it("stands in help and in the errors about kinds", async () => {
    expect(await done("create", "--help")).toMatch(/gauge +Create a gauge/);
    expect(await done("set", "gauge", "--help")).toMatch(/Examples:\n {2}zor set gauge alpha/);
    expect(await refused("get", "gauegs")).toMatch(/did you mean gauges\? The kinds are hosts, .*gauges and memos/);
    expect(await refused("get", "gauges", "memos/m1")).toContain("not the name of a gauge");
  });
});
