import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { hubServerName } from "../../../lib/tls/join.js";
import { CreateHostRequest, HostServiceService } from "../../../proto/gen/zor/v1/host_service.js";
import { saveContext } from "../../../tui/client/contexts.js";
import { eventually } from "../../helpers/eventually.js";
import { captureMachine, leftBehind } from "../../helpers/leftovers.js";
import { type CliResult, CliRun } from "../../helpers/zor-cli.js";
import { AgentProcess } from "../agent/agent-process.js";
import { HubProcess } from "../hub/hub-process.js";

const before = captureMachine();
let hub: HubProcess;
let agent: AgentProcess;
let config: string;

async function startFleet(): Promise<void> {
  [hub, config] = await Promise.all([HubProcess.start(), mkdtemp(join(tmpdir(), "zt-snap-cli-"))]);
  const context = { name: "hub", addresses: [hub.address], serverName: hubServerName };
  await saveContext(config, { ...context, identityDirectory: join(hub.state, "admin") }, true);
  const admin = await hub.connect();
  const request = CreateHostRequest.fromPartial({ hostId: "alpha" });
  const { joinToken } = await admin.unary(HostServiceService.createHost, request);
  admin.close();
  agent = await AgentProcess.join(joinToken);
  await Promise.all([mkdir(join(agent.state, "images")), mkdir(join(agent.state, "backups"))]);
  await run("truncate", ["--size", "16M", join(agent.state, "images", "disk.raw")]);
  await settings("");
  await startAgent();
}

afterAll(async () => {
  await zor("delete", "instances", "--all", "--host", "alpha", "--force", "--yes");
  await agent?.destroy({ instances: false });
  await hub?.[Symbol.asyncDispose]();
  await rm(config, { recursive: true });
  const mine = new RegExp(`${agent.state}|${agent.netns}`);
  await eventually(() => expect(leftBehind(before, captureMachine(), mine)).toEqual([]));
});

const begin = (...argv: readonly string[]): CliRun => new CliRun(argv, { env: { ZOR_CONFIG: config } });
const zor = (...argv: readonly string[]): Promise<CliResult> => begin(...argv).result;

/** Runs a command that must succeed; resolves to what it prints. */
async function ok(...argv: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await zor(...argv);
  if (code !== 0) throw new Error(`zor ${argv.join(" ")} ended with ${code}: ${stderr}`);
  return stdout;
}

async function settings(text: string): Promise<void> {
  await writeFile(join(agent.state, "agent.yaml"), text);
}

async function startAgent(): Promise<void> {
  await agent.start(["--dial-out", "--config", join(agent.state, "agent.yaml")]);
  await expect.poll(() => zor("get", "hosts", "alpha").then(({ stdout }) => stdout)).toContain("READY");
}

const shell = (id: string, script: string) => ok("exec", `alpha/${id}`, "--", "sh", "-c", script);
const ready = (id: string) => expect.poll(() => shell(id, "echo up").catch(String), { timeout: 60_000 }).toBe("up\n");
const write = (id: string, text: string) => shell(id, `printf '%-32s' ${text} | dd of=/dev/vda conv=fsync 2>/dev/null`);
const read = async (id: string) => (await shell(id, "echo 3 >/proc/sys/vm/drop_caches; head -c 32 /dev/vda")).trim();

describe("states of instances on the command line, through a hub", () => {
  it("are taken, listed as a tree, watched, gone back to and deleted", async () => {
    await startFleet();
    await ok("create", "instance", "alpha/vm1", "--kernel", "micro", "--image", "disk.raw", "--persistent");
    await ready("vm1");
    const watch = begin("get", "snapshots", "--watch", "-o", "name");
    await write("vm1", "one");
    expect(await ok("snapshot", "create", "alpha/vm1", "before", "-m", "before the upgrade")).toBe(
      "snapshot alpha/vm1.before taken\n",
    );
    await write("vm1", "two");
    await ok("snapshot", "create", "alpha/vm1", "booted", "--ram");
    await watch.stdout.sees("hosts/alpha/snapshots/vm1.booted");
    watch.interrupt();
    const tree = await ok("snapshot", "list", "alpha/vm1");
    expect(tree).toMatch(/^alpha\/vm1\.before +READY +vm1\.before .* disks .*before the upgrade$/m);
    expect(tree).toMatch(/^alpha\/vm1\.booted +READY +└─vm1\.booted +vm1 +\* +memory/m);
    await write("vm1", "three");
    await ok("stop", "alpha/vm1");
    expect(await ok("snapshot", "revert", "alpha/vm1", "before", "--yes")).toContain("gone back to");
    expect(await ok("snapshot", "list", "alpha/vm1")).toMatch(/READY +vm1\.before +vm1 +\* /);
    // It runs on where it was, without booting.
    await ok("snapshot", "revert", "alpha/vm1", "booted", "--yes");
    await ready("vm1");
    expect(await read("vm1")).toBe("two");
    await ok("set", "snapshot", "alpha/vm1.before", "-m", "other");
    expect(await ok("describe", "snapshot", "alpha/vm1.before")).toMatch(/description +other/);
    expect(await ok("snapshot", "delete", "alpha/vm1", "before", "--yes")).toBe("alpha/vm1.before deleted\n");
    expect(await ok("get", "snapshots", "-o", "name")).toBe("hosts/alpha/snapshots/vm1.booted\n");
  });

  it("are saved as images and cloned", async () => {
    await ok("save", "alpha/vm1", "--image", "golden");
    await ok("save", "alpha/vm1", "--image", "patched", "--overlay", "--rate", "50");
    expect(await ok("clone", "alpha/vm1", "vm2", "--no-start")).toBe("alpha/vm2 made\n");
    await ok("delete", "instance", "alpha/vm2", "--yes");
    await ok("create", "instance", "alpha/vm3", "--kernel", "micro", "--image", "golden", "--leave-stopped");
    expect((await zor("image", "rm", "alpha/golden", "--yes")).stderr).toContain("instances/vm3");
    await ok("delete", "instance", "alpha/vm3", "--yes");
    expect(await ok("image", "list")).toMatch(/alpha\/golden +READY +qcow2 .* saved from hosts\/alpha\/instances\/vm1/);
    expect(await ok("describe", "image", "alpha/patched")).toMatch(/needs +alpha\/disk.raw/);
    expect(await ok("describe", "image", "alpha/disk.raw")).toMatch(/Used by \(2\)/);
    expect((await zor("image", "export", "alpha/patched", "-")).stderr).toContain("only the difference to");
  });

  it("are refused where backups have no directory, and say what to set", async () => {
    expect((await zor("backup", "create", "alpha/vm1", "none")).stderr).toContain("backupDirs");
  });

  it("outlast hub and agent; backups are taken and restored, by increments too", async () => {
    await agent.end("SIGKILL");
    await settings(`backupDirs: [${join(agent.state, "backups")}]\n`);
    await hub.kill();
    await hub.run();
    await startAgent();
    await ready("vm1");
    expect(await ok("get", "snapshots", "-o", "name")).toBe("hosts/alpha/snapshots/vm1.booted\n");
    expect(await ok("backup", "create", "alpha/vm1", "monday")).toBe("backup alpha/vm1.monday taken\n");
    await write("vm1", "three");
    await ok("backup", "create", "alpha/vm1", "tuesday", "--incremental", "-m", "more");
    expect(await ok("get", "backups")).toMatch(/alpha\/vm1\.tuesday .*READY/);
    expect(await ok("describe", "backup", "alpha/vm1.tuesday")).toContain("vm1.monday");
    await ok("backup", "restore", "alpha/vm1.tuesday", "--as", "vm1-tuesday");
    await ready("vm1-tuesday");
    expect(await read("vm1-tuesday")).toBe("three");
    expect((await zor("delete", "backup", "alpha/vm1.monday", "--yes")).stderr).toContain("builds on it");
    await ok("delete", "backup", "alpha/vm1.tuesday", "--yes");
    await ok("delete", "backup", "alpha/vm1.monday", "--yes");
    expect(await readdir(join(agent.state, "backups"), { recursive: true })).toEqual(["alpha"]);
  });

  it("say what is wrong with what they are given, and change nothing", async () => {
    const names = async () => [await ok("get", "snapshots", "-o", "name"), await ok("get", "backups", "-o", "name")];
    const has = await names();
    for (const [argv, words] of [
      [["snapshot", "create", "alpha/nobody", "x"], "instances/nobody does not exist"],
      [["snapshot", "create", "alpha/vm1", "booted"], "exists already"],
      [["snapshot", "create", "alpha/vm1", "../x"], "name"],
      [["snapshot", "create", "alpha/vm1", "x".repeat(64)], "name"],
      [["snapshot", "create", "alpha/vm1", "x", "-m", "bell\u0007"], "control characters"],
      [["snapshot", "create", "alpha/vm1", "x", "-m", "y".repeat(1025)], "1024"],
      [["snapshot", "revert", "alpha/vm1", "none", "--yes"], "vm1.none"],
      [["snapshot", "delete", "alpha/vm1", "none", "--yes"], "vm1.none"],
      [["backup", "create", "alpha/vm1", "x", "--to", "/etc"], "backupDirs"],
      [["backup", "create", "alpha/vm1", "x", "--to", join(agent.state, "backups", "..", "images")], "backupDirs"],
      [["backup", "create", "alpha/vm1", "x", "--rate", "0"], "--rate"],
      [["backup", "restore", "alpha/vm1.none"], "vm1.none"],
      [["save", "alpha/vm1", "--image", "../golden"], "letters"],
      [["save", "alpha/vm1", "--image", "golden"], "exists already"],
      [["save", "alpha/vm1", "--image", "x", "--disk", "7"], "disk"],
      [["clone", "alpha/vm1", "vm1"], "exists already"],
      [["clone", "alpha/vm1", "a,b"], "name"],
    ] as const) {
      const { code, stderr } = await zor(...argv);
      expect(stderr, argv.join(" ")).toContain(words);
      expect(code).not.toBe(0);
    }
    expect(await names()).toEqual(has);
  });
});
