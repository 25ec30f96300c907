import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { hubServerName } from "../../../lib/tls/join.js";
import { CreateHostRequest, HostServiceService } from "../../../proto/gen/zor/v1/host_service.js";
import { saveContext } from "../../../tui/client/contexts.js";
import { eventually } from "../../helpers/eventually.js";
import { type CliResult, CliRun } from "../../helpers/zor-cli.js";
import { AgentProcess } from "../../integration/agent/agent-process.js";
import { HubProcess } from "../../integration/hub/hub-process.js";

let undo: AsyncDisposableStack;
let hub: HubProcess;
let [alpha, beta] = [] as unknown as [AgentProcess, AgentProcess];
let config: string;

const zor = (...argv: readonly string[]): Promise<CliResult> =>
  new CliRun(argv, { env: { ZOR_CONFIG: config, TMPDIR: config } }).result;

async function done(...argv: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await zor(...argv);
  expect({ argv, code, stderr }).toEqual({ argv, code: 0, stderr: expect.any(String) });
  return stdout;
}

async function refused(...argv: readonly string[]): Promise<string> {
  const { code, stderr } = await zor(...argv);
  expect({ argv, code }).not.toEqual({ argv, code: 0 });
  return stderr;
}

const shell = (name: string, script: string) => done("exec", name, "--", "sh", "-c", script);

async function answers(name: string): Promise<void> {
  await eventually(async () => expect((await zor("exec", name, "--", "true")).code).toBe(0));
}

async function write(name: string, disk: string, words: string): Promise<void> {
  const script = `printf '%-32s' '${words}' | dd of=/dev/${disk} conv=fsync,notrunc 2>/dev/null && echo ok`;
  expect(await shell(name, script)).toBe("ok\n");
}

const read = async (name: string, disk: string): Promise<string> =>
  (await shell(name, `echo 3 >/proc/sys/vm/drop_caches; head -c 32 /dev/${disk}`)).trimEnd();

/** Names of all of a kind on a host. */
async function listed(kind: string, host: string): Promise<readonly string[]> {
  const names = (await done("get", kind, "--host", host, "-o", "name")).trim();
  return names === "" ? [] : names.split("\n").map((name) => name.slice(name.lastIndexOf("/") + 1));
}

const isReady = (host: string) =>
  eventually(async () => expect(await done("get", "hosts", host)).toContain("READY"), 20_000);

/** What is copied aside on a host. */
async function aside({ state }: AgentProcess): Promise<readonly string[]> {
  const directory = join(state, "transfers");
  return existsSync(directory) ? await readdir(directory) : [];
}

beforeAll(async () => {
  undo = new AsyncDisposableStack();
  config = await mkdtemp(join(tmpdir(), "zt-clones-"));
  undo.defer(() => rm(config, { recursive: true, force: true }));
  hub = undo.use(await HubProcess.start());
  await hubContext();
  const admin = await hub.connect();
  const joined = async (hostId: string): Promise<AgentProcess> => {
    const request = CreateHostRequest.fromPartial({ hostId });
    const { joinToken } = await admin.unary(HostServiceService.createHost, request);
    const agent = await AgentProcess.join(joinToken);
    undo.defer(() => agent.destroy({ instances: false }));
    await agent.start(["--dial-out"]);
    await isReady(hostId);
    return agent;
  };
  [alpha, beta] = [await joined("alpha"), await joined("beta")];
  admin.close();
  // An image in the store of one of the two.
  const machine = ["--accel", "tcg", "--kernel", "micro"];
  await done("create", "instance", "alpha/m0", ...machine, "--disk", "size=16M,persistent");
  await answers("alpha/m0");
  await write("alpha/m0", "vda", "the image");
  await done("save", "alpha/m0", "--image", "base");
  await done("delete", "instance", "alpha/m0", "--force", "--yes");
  await done("create", "volume", "alpha/data", "--size", "24M");
  const disks = ["--disk", "image=base,persistent", "--disk", "volume=data"];
  await done("create", "instance", "alpha/m1", ...machine, ...disks);
  await answers("alpha/m1");
}, 300_000);

afterAll(async () => {
  for (const host of ["alpha", "beta"]) await zor("delete", "instances", "--all", "--host", host, "--force", "--yes");
  await undo.disposeAsync();
}, 120_000);

it("has a machine made on another host, with the image that it needs, its disks and what its volume holds", async () => {
  expect(await read("alpha/m1", "vda")).toBe("the image");
  await write("alpha/m1", "vdb", "in the volume");
  const told = await done("clone", "alpha/m1", "m2", "--to", "beta");
  expect(told).toBe("beta/m2 made\n");
  await answers("beta/m2");
  expect([await read("beta/m2", "vda"), await read("beta/m2", "vdb")]).toEqual(["the image", "in the volume"]);
  expect(await listed("images", "beta")).toContain("base");
  expect(await listed("volumes", "beta")).toEqual([]);
  await write("beta/m2", "vdb", "of its own");
  expect(await read("alpha/m1", "vdb")).toBe("in the volume");
  const both = await Promise.all(["alpha/m1", "beta/m2"].map((name) => done("get", "instance", name, "-o", "json")));
  const uids = both.map((text) => /"uid": "([^"]+)"/.exec(text)?.[1]);
  expect(new Set(uids).size).toBe(2);
  expect([await aside(alpha), await aside(beta)]).toEqual([[], []]);
});

it("takes a machine that does not run, and leaves it as it is", async () => {
  await done("stop", "alpha/m1");
  await done("clone", "alpha/m1", "m3", "--to", "beta", "--no-start");
  expect(await done("get", "instance", "beta/m3")).toContain("STOPPED");
  await done("start", "beta/m3");
  await answers("beta/m3");
  expect(await read("beta/m3", "vdb")).toBe("in the volume");
  await done("start", "alpha/m1");
  await answers("alpha/m1");
});

it("refuses what cannot be before anything is copied", async () => {
  expect(await refused("clone", "alpha/m1", "m2", "--to", "beta")).toContain("hosts/beta/instances/m2");
  expect(await refused("clone", "alpha/m1", "m9", "--to", "gamma")).toContain("hosts/gamma");
  expect(await refused("clone", "alpha/nobody", "m9", "--to", "beta")).toContain("hosts/alpha/instances/nobody");
  await done("create", "lan", "alpha/only");
  await done("create", "instance", "alpha/m4", "--accel", "tcg", "--kernel", "micro", "--nic", "lan=only");
  expect(await refused("clone", "alpha/m4", "m9", "--to", "beta")).toContain("hosts/beta/lans/only");
  expect(await listed("instances", "beta")).toEqual(["m2", "m3"]);
  expect([await aside(alpha), await aside(beta)]).toEqual([[], []]);
  await done("clone", "alpha/m1", "m9", "--to", "beta", "--dry-run");
  expect(await listed("instances", "beta")).toEqual(["m2", "m3"]);
});

it.each([
  ["cancelled", async () => undefined],
  ["cut short by the end of the agent that reads", () => restarted("alpha", alpha)],
  ["cut short by the end of the agent that takes", () => restarted("beta", beta)],
  ["cut short by the end of the hub", restartedHub],
])("leaves nothing when it is %s", async (how, end) => {
  await shell("alpha/m1", "dd if=/dev/urandom of=/dev/vdb bs=1M count=20 conv=fsync");
  const clone = ["clone", "alpha/m1", "m5", "--to", "beta", "--rate", "1"];
  const { operation } = JSON.parse(await done(...clone, "--no-wait", "-o", "json")) as { operation: { name: string } };
  await eventually(async () => expect(await aside(alpha)).toHaveLength(1));
  const other = ["clone", "alpha/m1", "m6", "--dry-run"];
  await eventually(async () => expect((await zor(...other)).stderr).toContain(`is being cloned by ${operation.name}`));
  if (how === "cancelled") await done("cancel", operation.name.split("/").at(-1) ?? "");
  await end();
  await eventually(async () => expect([await aside(alpha), await aside(beta)]).toEqual([[], []]));
  expect(await listed("instances", "beta")).toEqual(["m2", "m3"]);
  await answers("alpha/m1");
  // The machine is free again.
  await eventually(async () => expect((await zor("snapshot", "create", "alpha/m1", "free")).code).toBe(0));
  await done("snapshot", "delete", "alpha/m1", "free", "--yes");
});

/** Has zor speak to the hub that runs now. */
async function hubContext(): Promise<void> {
  const context = { name: "hub", addresses: [hub.address], serverName: hubServerName };
  await saveContext(config, { ...context, identityDirectory: join(hub.state, "admin") }, true);
}

async function restarted(host: string, agent: AgentProcess): Promise<void> {
  await agent.end("SIGKILL");
  await agent.start(["--dial-out"]);
  await isReady(host);
}

async function restartedHub(): Promise<void> {
  await hub.kill();
  await hub.run();
  await hubContext();
  for (const host of ["alpha", "beta"]) await isReady(host);
}
