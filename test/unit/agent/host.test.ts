import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { agentConfigSchema, settle } from "../../../agent/config.js";
import { missing, present } from "../../../agent/host/capability.js";
import { findObstacles, formatFingerprint } from "../../../agent/host/doctor.js";
import { probeHost, takeFingerprint } from "../../../agent/host/fingerprint.js";
import { ensureHostUid } from "../../../agent/host/host-uid.js";
import { lockState } from "../../../agent/host/state-lock.js";
import { FileRequestStore } from "../../../agent/kit/request-store.js";
import { loadConfig } from "../../../lib/config.js";
import { packagedImages } from "../../../lib/program.js";
import { Fingerprint } from "../../../proto/gen/zor/v1/host.js";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "zt-host-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe("the uid of a host", () => {
  it("stays, also when one copy is damaged, which is then set aside", async () => {
    const uid = await ensureHostUid(directory);
    await writeFile(join(directory, "host-uid"), uid.slice(0, 10));
    expect(await ensureHostUid(directory)).toBe(uid);
    expect((await readdir(directory)).filter((name) => name.startsWith("host-uid.corrupt-"))).toHaveLength(1);
    await rm(join(directory, "host-uid.bak"));
    expect(await ensureHostUid(directory)).toBe(uid);
  });
});

describe("the lock on a state directory", () => {
  it("is held by one at a time and names its holder", async () => {
    const first = await lockState(directory);
    await expect(lockState(directory)).rejects.toMatchObject({
      reason: "STATE_IN_USE",
      message: expect.stringContaining(`pid ${process.pid}`),
    });
    await first[Symbol.asyncDispose]();
    const second = await lockState(directory);
    await second[Symbol.asyncDispose]();
  });
});

describe("settings", () => {
  const load = async (yaml: string, flags = {}) => {
    const file = join(directory, "agent.yaml");
    await writeFile(file, yaml);
    return loadConfig(agentConfigSchema, { file, flags });
  };

  it.each([
    ["listen: [10.0.0.1]\n", "agent.yaml:1:10 listen.0: expected"],
    ["host: a\nlisten:\n  - 10.0.0.1:99999\n", "agent.yaml:3:5 listen.0: expected"],
    ["host: a\nhosst: b\n", "agent.yaml:2:"],
    ["host: [a\n", "agent.yaml:"],
    ["host: -a\n", "agent.yaml:1:7 host: use 1 to 63 letters"],
    ["netns: a/b\n", "agent.yaml:1:8 netns: use"],
    ["underlay: [10.0.1]\n", "agent.yaml:1:12 underlay.0: expected an IP address"],
  ])("in %j are refused with the place", async (yaml, message) => {
    await expect(load(yaml)).rejects.toThrow(message);
  });

  it("come from flags first, then the file, then joining, then defaults", async () => {
    const config = await load("listen: ['10.0.0.1:1']\nnetns: mine\n", { state: directory, listen: ["[fd00::1]:2"] });
    const joined = { host: "h", listen: ["10.0.0.9:9"], underlay: ["10.0.0.9"], dialOut: true, undialable: false };
    expect(settle(config, joined, "h")).toMatchObject({
      listen: ["[fd00::1]:2"],
      netns: "mine",
      underlay: ["10.0.0.9"],
      dialOut: true,
      cableListen: "127.0.0.1:7444",
      imageDirs: [`${directory}/images`, "/var/lib/zor/images", packagedImages],
    });
    expect(settle(await load(""), undefined, "h").netns).toBe("zor-h");
  });
});

describe("doctor", () => {
  const all = ["root", "tun", "netns", "veth", "ovs", "driver.qemu"].map((id) => present(id));
  const withCapabilities = (capabilities: Fingerprint["capabilities"]) => ({ ...Fingerprint.create(), capabilities });

  it("fits every line into 80 columns, whatever tools said", () => {
    const reason = `${"long ".repeat(60)}${"x".repeat(300)}\u001b[31m\u202e`;
    const text = formatFingerprint(withCapabilities([...all, missing("driver.crun", reason)]));
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(text).not.toMatch(/[^\P{C}\n]/u);
    expect(text).toContain("-- driver.crun");
  });

  it("names what an agent cannot do without", () => {
    expect(findObstacles(withCapabilities(all))).toEqual([]);
    expect(findObstacles(withCapabilities([missing("tun", "no"), ...all.filter(({ id }) => id !== "tun")]))).toEqual([
      "tun",
    ]);
    expect(findObstacles(withCapabilities(all.slice(0, 5)))).toEqual(["any usable driver"]);
  });

  it("gives a reason for everything that is missing, and reports damaged files", async () => {
    await writeFile(join(directory, "spec.json.corrupt-2026-01-01T000000.000Z"), "");
    const { capabilities } = await takeFingerprint({
      probes: [probeHost, async () => [present("driver.x", "1")]],
      imageDirs: [directory],
      stateDirectory: directory,
      signal: AbortSignal.timeout(60_000),
    });
    expect(capabilities.filter(({ available, reason }) => !available && reason === "")).toEqual([]);
    expect(capabilities.find(({ id }) => id === "image.micro")).toMatchObject({ available: false });
    expect(capabilities.find(({ id }) => id === "state.files")?.reason).toContain("spec.json.corrupt-");
    expect(capabilities.map(({ id }) => id)).toEqual(
      expect.arrayContaining(["root", "tun", "netns", "ovs", "driver.x"]),
    );
  });
});

describe("answered requests", () => {
  const record = { digest: "d", response: Buffer.from([1, 2, 3]), timeMs: Date.now() };

  it("are found again by another agent, and a file that was cut off counts as none", async () => {
    const errors: unknown[] = [];
    const store = () => new FileRequestStore(join(directory, "requests"), (error) => errors.push(error));
    await store().put("a", record);
    expect(await store().find("a")).toEqual(record);
    expect(await store().find("b")).toBeUndefined();
    const [file = ""] = await readdir(join(directory, "requests"));
    await writeFile(join(directory, "requests", file), '{"digest":"d"');
    expect(await store().find("a")).toBeUndefined();
    expect(errors).toEqual([]);
  });

  it("are still recognised when they cannot be written", async () => {
    await writeFile(join(directory, "requests"), "in the way");
    const errors: unknown[] = [];
    const store = new FileRequestStore(join(directory, "requests", "x"), (error) => errors.push(error));
    await store.put("a", record);
    expect(await store.find("a")).toEqual(record);
    expect(errors).toHaveLength(1);
  });
});
