import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { newEtag } from "../../../lib/kinds/change.js";
import { Instance } from "../../../proto/gen/zor/v1/instance.js";
import { Link } from "../../../proto/gen/zor/v1/link.js";
import { CliFleet } from "./fleet.js";

let fleet: CliFleet;
let directory: string;
beforeEach(async () => {
  fleet = await CliFleet.create();
  directory = await mkdtemp(join(tmpdir(), "zt-edit-"));
});
afterEach(async () => {
  await fleet[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

const vm1 = "hosts/alpha/instances/vm1";
const instance = (name = vm1) => fleet.hub.log.find("instance", name);
const link = () => fleet.hub.log.find("link", "links/demo");
const updates = () => fleet.hub.requests.filter(({ method }) => method.startsWith("update"));

function label(labels: Record<string, string>, name = vm1): void {
  fleet.hub.put({ kind: "instance", value: Instance.fromPartial({ ...instance(name), labels, etag: newEtag() }) });
}

describe("zor label", () => {
  it("sets and takes labels away by a mask, and tells it", async () => {
    label({ site: "lab1", old: "x" });
    const { code, stdout } = await fleet.zor(["label", "instance", "alpha/vm1", "role=web", "a.b=c=d", "old-"]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "instance alpha/vm1 labelled\n" });
    expect(instance()?.labels).toEqual({ site: "lab1", role: "web", "a.b": "c=d" });
    expect(updates().at(-1)?.request).toMatchObject({ updateMask: ["labels.role", "labels.a.b", "labels.old"] });
  });

  it("does not change what is there, unless it is told to", async () => {
    label({ role: "web" });
    const { code, stderr } = await fleet.zor(["label", "vm", "alpha/vm1", "role=db"]);
    expect(code).toBe(4);
    expect(stderr).toContain("alpha/vm1 has role=web already; add --overwrite to change it");
    expect(updates()).toEqual([]);
    expect((await fleet.zor(["label", "vm", "alpha/vm1", "role=web"])).code).toBe(0);
    expect((await fleet.zor(["label", "vm", "alpha/vm1", "role=db", "--overwrite"])).code).toBe(0);
    expect(instance()?.labels).toEqual({ role: "db" });
  });

  it("looks again when somebody was faster, and then refuses to overwrite what they set", async () => {
    label({});
    fleet.hub.meanwhile = () => label({ other: "x" });
    expect((await fleet.zor(["label", "vm", "alpha/vm1", "role=web"])).code).toBe(0);
    expect(instance()?.labels).toEqual({ other: "x", role: "web" });
    fleet.hub.meanwhile = () => label({ tier: "theirs" });
    const { code, stderr } = await fleet.zor(["label", "vm", "alpha/vm1", "tier=mine"]);
    expect(code).toBe(4);
    expect(stderr).toContain("has tier=theirs already");
  });

  it("takes several names, all of a kind, of a host, or those of a filter", async () => {
    const text = async (...words: string[]) => (await fleet.zor(["label", ...words])).stdout.trim().split("\n").sort();
    expect(await text("vms", "alpha/vm1", "beta/vm1", "a=b")).toEqual([
      "instance alpha/vm1 labelled",
      "instance beta/vm1 labelled",
    ]);
    expect(await text("lans", "--all", "a=b", "-o", "name")).toEqual(["hosts/alpha/lans/lan1", "hosts/beta/lans/lan1"]);
    expect(await text("lans", "--all", "--host", "beta", "c=d", "-o", "name")).toEqual(["hosts/beta/lans/lan1"]);
    expect(await text("lans", "--filter", "labels.c = d", "e=f", "-o", "name")).toEqual(["hosts/beta/lans/lan1"]);
    expect(await text("lans", "--selector", "c=d", "--filter", "name : beta", "g=h", "-o", "name")).toEqual([
      "hosts/beta/lans/lan1",
    ]);
    const nobody = await fleet.zor(["label", "lans", "--filter", "labels.c = nothing", "e=f"]);
    expect(nobody).toMatchObject({ code: 0, stderr: "no lans match\n" });
  });

  it("changes nothing with --dry-run, and prints the response as JSON", async () => {
    const { stdout } = await fleet.zor(["label", "vm", "alpha/vm1", "a=b", "--dry-run", "-o", "json"]);
    expect(JSON.parse(stdout).instance.labels).toEqual({ a: "b" });
    expect(instance()?.labels).toEqual({});
  });

  it.each<[string[], RegExp]>([
    [["vm", "alpha/vm1"], /say which label: KEY=VALUE, or KEY-/],
    [["vm", "a=b"], /name them, or give --filter, --selector or --all/],
    [["vm", "alpha/vm1", "--all", "a=b"], /not both/],
    [["vm", "alpha/vm1", "a=b", "beta/vm1"], /names come first/],
    [["vm", "alpha/vm1", "a=b", "a-"], /"a" is given twice/],
    [["vm", "alpha/vm1", "=b"], /has no key/],
    [["operations", "op1", "a=b"], /is not a kind.*The kinds are hosts, instances, lans, links, a2bs/],
  ])("%j is refused with what to do", async (words, says) => {
    const { code, stderr } = await fleet.zor(["label", ...words]);
    expect(code).toBe(2);
    expect(stderr).toMatch(says);
  });
});

describe("zor annotate", () => {
  it("sets and takes notes away, which zor describe shows", async () => {
    const { code, stdout } = await fleet.zor(["annotate", "host", "alpha", "why=lab 3 until June", "x=y"]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "host alpha annotated\n" });
    expect((await fleet.zor(["annotate", "host", "alpha", "x-"])).code).toBe(0);
    expect(fleet.hub.log.find("host", "hosts/alpha")?.annotations).toEqual({ why: "lab 3 until June" });
    expect((await fleet.zor(["describe", "host", "alpha"])).stdout).toMatch(/Annotations\n +why +lab 3 until June\n/);
  });
});

describe("zor describe", () => {
  it("shows what the terminal interface shows of a resource, as text", async () => {
    const { code, stdout } = await fleet.zor(["describe", "instance", "alpha/vm1"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^instance alpha\/vm1\n/);
    expect(stdout).toMatch(/\n state +● running\n/);
    expect(stdout).toMatch(/eth0.*lan1/);
    for (const line of stdout.split("\n")) expect(line.length).toBeLessThan(300);
  });

  it("takes several names, and says which does not exist", async () => {
    const { stdout } = await fleet.zor(["describe", "hosts", "alpha", "beta"]);
    expect(stdout).toMatch(/^host alpha\n[\s\S]*\n\nhost beta\n/);
    expect((await fleet.zor(["describe", "lan", "alpha/nolan"])).code).toBe(3);
  });

  it("prints the response as JSON and YAML", async () => {
    const { stdout } = await fleet.zor(["describe", "instance", "alpha/vm1", "-o", "json"]);
    expect(JSON.parse(stdout)).toMatchObject({ instance: { name: vm1, spec: { memoryMib: "256" } } });
    expect((await fleet.zor(["describe", "lan", "alpha/lan1", "-o", "yaml"])).stdout).toContain("mtu: 1500");
  });

  it("escapes what comes from outside, fits the terminal and honours NO_COLOR", async () => {
    label({ evil: "\x1b[31mred\u202e" });
    for (const env of [{}, { NO_COLOR: "1" }] as Record<string, string>[]) {
      const { stdout } = await fleet.zor(["describe", "instance", "alpha/vm1"], { columns: 60, env });
      const plain = stdout.replaceAll(/\x1b\[\d+m/g, "");
      expect(plain).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
      for (const line of plain.split("\n")) expect(line.length).toBeLessThanOrEqual(60);
      if (env["NO_COLOR"] !== undefined) expect(stdout).toBe(plain);
    }
  });
});

describe("zor edit", () => {
  /** Edits as a shell script does that is given the file. */
  async function edit(script: string, ...argv: string[]) {
    const editor = join(directory, "editor");
    await writeFile(editor, `#!/bin/sh\ncp "$1" ${directory}/seen.$(ls ${directory} | wc -l)\n${script}\n`, {
      mode: 0o755,
    });
    return fleet.zor(["edit", ...argv], { env: { VISUAL: editor } });
  }
  const seen = async (round: number) => readFile(join(directory, `seen.${round + 1}`), "utf8");

  function demo(change: Parameters<typeof Link.fromPartial>[0] = {}): void {
    const before = link() ?? Link.fromPartial({ name: "links/demo", uid: "u", spec: { a: "hosts/alpha/lans/lan1" } });
    const status = { reason: "only observed" };
    fleet.hub.put({ kind: "link", value: Link.fromPartial({ ...before, status, ...change, etag: newEtag() }) });
  }

  it("shows what can be changed, and sends only what was, with the etag that was read", async () => {
    demo({ labels: { site: "lab1" }, spec: { a: "hosts/alpha/lans/lan1", seed: 3n } });
    const { etag } = link() ?? {};
    const { code, stdout } = await edit('sed -i "s/lab1/lab2/; s/seed:.*/seed: 4/" "$1"', "link", "demo");
    expect({ code, stdout }).toEqual({ code: 0, stdout: "link demo edited: labels.site and spec.seed\n" });
    const text = await seen(0);
    expect(text).toMatch(/^# What can be changed of link demo\./);
    expect(text).toContain("annotations: {}");
    expect(text).not.toMatch(/only observed|uid|etag|^name:/m);
    expect(updates().at(-1)?.request).toMatchObject({ link: { etag }, updateMask: ["labels.site", "spec.seed"] });
    expect(link()).toMatchObject({ labels: { site: "lab2" }, spec: { seed: 4n, a: "hosts/alpha/lans/lan1" } });
  });

  it("works for every kind that can be changed", async () => {
    for (const [kind, name] of [
      ["host", "alpha"],
      ["instance", "alpha/vm1"],
      ["lan", "alpha/lan1"],
    ] as const) {
      const { code, stdout } = await edit(`sed -i 's/^labels: .*/labels: {by: edit}/' "$1"`, kind, name);
      expect({ code, stdout }).toEqual({ code: 0, stdout: `${kind} ${name} edited: labels.by\n` });
    }
    expect((await edit(`echo 'undialable: true' >> "$1"`, "host", "alpha")).stdout).toContain("edited: undialable");
  });

  it.each([
    ["empty", ': > "$1"', "the file is empty"],
    ["unchanged", ":", "the file was not changed"],
    ["written otherwise", 'echo "annotations: {}" > "$1"', "there is no difference"],
  ])("changes nothing when the file is %s", async (_, script, says) => {
    demo();
    if (says.includes("difference")) demo({ spec: undefined });
    const { code, stderr, stdout } = await edit(script, "link", "demo");
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "", stderr: `nothing was changed: ${says}\n` });
    expect(updates()).toEqual([]);
  });

  it("comes back with what is wrong as comments, and keeps what was written when nothing better comes", async () => {
    demo({ labels: { site: "lab1" } });
    const script = 'grep -q sede "$1" && exit 0; echo "  sede: 3" >> "$1"';
    const { code, stderr } = await edit(script, "link", "demo");
    expect(code).toBe(2);
    expect(await seen(1)).toMatch(/^# .*sede[\s\S]*\n {2}sede: 3\n/);
    const [, kept = ""] = /what you wrote is kept in (\S+)/.exec(stderr) ?? [];
    expect(await readFile(kept, "utf8")).toContain("sede: 3");
    await rm(join(kept, ".."), { recursive: true });
    expect(updates()).toEqual([]);
  });

  it("shows what the server refuses as comments, and what is mended then is sent", async () => {
    const script =
      'if grep -q "^uid" "$1"; then sed -i "/^uid/d; s/^labels: .*/labels: {a: b}/" "$1"; else echo "uid: mine" >> "$1"; fi';
    const { code } = await edit(script, "instance", "alpha/vm1");
    expect(code).toBe(0);
    expect(await seen(1)).toMatch(/^# .*"uid" cannot be changed/m);
    expect(instance()).toMatchObject({ uid: "", labels: { a: "b" } });
  });

  it("merges with what somebody else changed meanwhile, where both changed something else", async () => {
    demo({ labels: { site: "lab1" }, spec: { seed: 3n } });
    fleet.hub.meanwhile = () => demo({ labels: { site: "theirs" } });
    const { code, stderr } = await edit('sed -i "s/seed:.*/seed: 4/" "$1"', "link", "demo");
    expect(code).toBe(0);
    expect(stderr).toContain("demo was changed meanwhile by zor://user/bob: labels.site\n");
    expect(link()).toMatchObject({ labels: { site: "theirs" }, spec: { seed: 4n } });
  });

  it("shows where both changed the same, and sends what is made of it", async () => {
    demo({ labels: { site: "lab1" }, spec: { seed: 3n } });
    fleet.hub.meanwhile = () => demo({ labels: { site: "theirs", other: "too" } });
    const script = 'grep -q "it was" "$1" || sed -i "s/site: lab1/site: mine/" "$1"';
    const { code, stdout } = await edit(script, "link", "demo");
    expect({ code, stdout }).toEqual({ code: 0, stdout: "link demo edited: labels.site\n" });
    const second = await seen(1);
    expect(second).toContain('#   labels.site: it was "lab1", zor://user/bob made it "theirs", you "mine"');
    expect(second).toMatch(/\n {2}other: too\n/);
    expect(link()?.labels).toEqual({ site: "mine", other: "too" });
  });

  it("leaves everything as it is when the merged file is emptied, or the editor fails", async () => {
    demo({ labels: { site: "lab1" } });
    fleet.hub.meanwhile = () => demo({ labels: { site: "theirs" } });
    const script = 'if grep -q "it was" "$1"; then : > "$1"; else sed -i "s/site: lab1/site: mine/" "$1"; fi';
    expect((await edit(script, "link", "demo")).code).toBe(0);
    expect(link()?.labels).toEqual({ site: "theirs" });
    const failed = await edit('sed -i "s/theirs/mine/" "$1"; exit 1', "link", "demo");
    expect(failed).toMatchObject({ code: 4, stderr: expect.stringContaining("ended with 1") });
    expect(link()?.labels).toEqual({ site: "theirs" });
    const none = await fleet.zor(["edit", "link", "demo"], { env: { EDITOR: "no-such-editor -x" } });
    expect(none).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('"no-such-editor" is not there; set VISUAL or EDITOR'),
    });
  });
});
