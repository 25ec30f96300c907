import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { hubServerName } from "../../../lib/tls/join.js";
import { CreateHostRequest, HostServiceService } from "../../../proto/gen/zor/v1/host_service.js";
import { saveContext } from "../../../tui/client/contexts.js";
import { eventually } from "../../helpers/eventually.js";
import { type CliResult, CliRun } from "../../helpers/zor-cli.js";
import { AgentProcess } from "../../integration/agent/agent-process.js";
import { HubProcess } from "../../integration/hub/hub-process.js";

let hub: HubProcess;
let alpha: AgentProcess;
let beta: AgentProcess;
let config: string;

beforeAll(async () => {
  [hub, config] = await Promise.all([HubProcess.start(), mkdtemp(join(tmpdir(), "zt-elsewhere-"))]);
  const context = { name: "hub", addresses: [hub.address], serverName: hubServerName };
  await saveContext(config, { ...context, identityDirectory: join(hub.state, "admin") }, true);
  const admin = await hub.connect();
  const joined = async (hostId: string): Promise<AgentProcess> => {
    const request = CreateHostRequest.fromPartial({ hostId });
    const { joinToken } = await admin.unary(HostServiceService.createHost, request);
    const agent = await AgentProcess.join(joinToken);
    const { state } = agent;
    for (const name of ["images", "backups"]) await mkdir(join(state, name));
    await run("truncate", ["--size", "16M", join(state, "images", "disk.raw")]);
    await writeFile(join(state, "agent.yaml"), `backupDirs: [${join(state, "backups")}]\n`);
    await agent.start(["--dial-out", "--config", join(state, "agent.yaml")]);
    await eventually(async () => {
      if (!(await ok("get", "hosts", hostId)).includes("READY")) throw new Error(`${hostId} is not ready yet`);
    }, 20_000);
    return agent;
  };
  alpha = await joined("alpha");
  beta = await joined("beta");
  admin.close();
}, 90_000);

afterAll(async () => {
  for (const host of ["alpha", "beta"]) await zor("delete", "instances", "--all", "--host", host, "--force", "--yes");
  for (const agent of [alpha, beta]) await agent?.destroy({ instances: false });
  await hub?.[Symbol.asyncDispose]();
  await rm(config, { recursive: true });
}, 60_000);

const zor = (...argv: readonly string[]): Promise<CliResult> =>
  new CliRun(argv, { env: { ZOR_CONFIG: config } }).result;

async function ok(...argv: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await zor(...argv);
  if (code !== 0) throw new Error(`zor ${argv.join(" ")} ended with ${code}: ${stderr}`);
  return stdout;
}

const shell = (name: string, script: string) => ok("exec", name, "--", "sh", "-c", script);
const ready = (name: string) =>
  expect.poll(() => shell(name, "echo up").catch(String), { timeout: 60_000 }).toBe("up\n");
const write = (name: string, text: string) =>
  shell(name, `printf '%-32s' ${text} | dd of=/dev/vda conv=fsync 2>/dev/null`);
const read = async (name: string) =>
  (await shell(name, "echo 3 >/proc/sys/vm/drop_caches; head -c 32 /dev/vda")).trim();

describe("backups", () => {
  it("are copied to another host with what they build on, and restored there", async () => {
    await ok("create", "instance", "alpha/vm1", "--kernel", "micro", "--image", "disk.raw", "--persistent");
    await ready("alpha/vm1");
    await write("alpha/vm1", "one");
    await ok("backup", "create", "alpha/vm1", "monday");
    await write("alpha/vm1", "two");
    const told = await ok("backup", "create", "alpha/vm1", "tuesday", "--incremental", "--to-host", "beta");
    expect(told).toBe("backup alpha/vm1.tuesday taken and copied to beta\n");
    expect(await ok("get", "backups", "--host", "beta")).toMatch(
      /beta\/vm1\.monday .*READY[\s\S]*beta\/vm1\.tuesday .*READY/,
    );
    await ok("backup", "restore", "beta/vm1.tuesday");
    await ready("beta/vm1");
    expect(await read("beta/vm1")).toBe("two");
    // Another one of that name stays what it is.
    await ok("backup", "create", "beta/vm1", "wednesday");
    // Enough that its copy can be cancelled while it goes on.
    await shell("alpha/vm1", "dd if=/dev/urandom of=/dev/vda bs=1M seek=2 count=12 conv=fsync 2>/dev/null");
    await ok("backup", "create", "alpha/vm1", "wednesday");
    expect((await zor("backup", "copy", "alpha/vm1.wednesday", "beta")).stderr).toContain("exists already");
    expect((await zor("backup", "copy", "alpha/vm1.wednesday", "alpha")).stderr).toContain("is where the backup is");
    await ok("delete", "backup", "beta/vm1.wednesday", "--yes");
  }, 180_000);

  it("leave nothing at the other host when their copy is cancelled, and none that is not what was written", async () => {
    const copying = new CliRun(["backup", "copy", "alpha/vm1.wednesday", "beta", "--rate", "1"], {
      env: { ZOR_CONFIG: config },
    });
    await expect
      .poll(() => zor("get", "backups", "--host", "beta").then(({ stdout }) => stdout))
      .toContain("wednesday");
    copying.interrupt();
    await copying.result;
    await expect
      .poll(() => zor("get", "backups", "--host", "beta").then(({ stdout }) => stdout))
      .not.toContain("wednesday");
    expect(await readdir(join(beta.state, "backups", "beta"))).toEqual(["vm1.monday", "vm1.tuesday"]);
    const file = join(alpha.state, "backups", "alpha", "vm1.wednesday", "disk0.qcow2");
    await run("dd", ["if=/dev/zero", `of=${file}`, "bs=1", "count=1", "seek=70000", "conv=notrunc"]);
    await writeFile(file, "x", { flag: "a" });
    expect((await zor("backup", "copy", "alpha/vm1.wednesday", "beta")).stderr).toContain("is not what was written");
    expect(await readdir(join(beta.state, "backups", "beta"))).toEqual(["vm1.monday", "vm1.tuesday"]);
    await ok("delete", "backup", "alpha/vm1.wednesday", "--yes");
  }, 120_000);

  it("are put back into the machine that is there, which runs only when that is forced", async () => {
    await write("alpha/vm1", "three");
    const restore = ["backup", "restore", "alpha/vm1.monday", "--replace", "--yes"];
    expect((await zor(...restore)).stderr).toContain("is running; stop it first");
    await ok("snapshot", "create", "alpha/vm1", "now");
    expect((await zor(...restore, "--force")).stderr).toContain("has snapshots such as");
    await ok("snapshot", "delete", "alpha/vm1", "now", "--yes");
    await ok(...restore, "--force");
    await ready("alpha/vm1");
    expect(await read("alpha/vm1")).toBe("one");
    expect(await readdir(join(alpha.state, "instances", "vm1", "driver"))).not.toContain("disks.gone");
  }, 120_000);
});
