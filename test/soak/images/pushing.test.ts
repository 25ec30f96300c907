import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hubServerName } from "../../../lib/tls/join.js";
import { CreateHostRequest, HostServiceService } from "../../../proto/gen/zor/v1/host_service.js";
import { saveContext } from "../../../tui/client/contexts.js";
import { eventually } from "../../helpers/eventually.js";
import { type CliResult, CliRun } from "../../helpers/zor-cli.js";
import { AgentProcess } from "../../integration/agent/agent-process.js";
import { HubProcess } from "../../integration/hub/hub-process.js";
import { SmallDisk } from "../faults/small-disk.js";

const mib = 1024 * 1024;
let undo: AsyncDisposableStack;
let alpha: AgentProcess;
let beta: AgentProcess;
let disk: SmallDisk;
let directory: string;

const begin = (...argv: readonly string[]) => new CliRun(argv, { env: { ZOR_CONFIG: join(directory, "config") } });
const zor = (...argv: readonly string[]): Promise<CliResult> => begin(...argv).result;

async function ok(...argv: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await zor(...argv);
  if (code !== 0) throw new Error(`zor ${argv.join(" ")} ended with ${code}: ${stderr}`);
  return stdout;
}

beforeAll(async () => {
  await using begun = new AsyncDisposableStack();
  directory = await mkdtemp(join(tmpdir(), "zt-pushing-"));
  begun.defer(() => rm(directory, { recursive: true }));
  disk = begun.use(await SmallDisk.mount(96));
  const hub = begun.use(await HubProcess.start());
  const context = { name: "hub", addresses: [hub.address], serverName: hubServerName };
  await saveContext(join(directory, "config"), { ...context, identityDirectory: join(hub.state, "admin") }, true);
  const admin = await hub.connect();
  const joined = async (hostId: string, place?: string): Promise<AgentProcess> => {
    const request = CreateHostRequest.fromPartial({ hostId });
    const { joinToken } = await admin.unary(HostServiceService.createHost, request);
    const agent = await AgentProcess.join(joinToken, place);
    begun.defer(() => agent.destroy({ instances: false }));
    await agent.start(["--dial-out"]);
    await eventually(async () => expect(await ok("get", "hosts", hostId)).toContain("READY"), 20_000);
    return agent;
  };
  alpha = await joined("alpha");
  beta = await joined("beta", disk.directory);
  admin.close();
  const file = join(directory, "noise.raw");
  await writeFile(file, randomBytes(24 * mib));
  await ok("image", "import", file, "--host", "alpha", "--name", "noise");
  undo = begun.move();
}, 120_000);

afterAll(async () => {
  await undo?.[Symbol.asyncDispose]();
});

/** What the store of the host that receives holds, but for what is told of calls. */
const held = async () =>
  (await readdir(beta.state, { recursive: true }))
    .filter((name) => !/^(requests|operations|events)(\/|$)|\.(log|tmp|lock)$|run\.json/.test(name))
    .sort();

const imagesThere = () => ok("get", "images", "--host", "beta", "-o", "name");

describe.each([["directly"], ["through the hub"]] as const)("an image that is pushed %s", (how) => {
  const push = ["image", "push", "alpha/noise", "beta", ...(how === "directly" ? [] : ["--through-hub"])];

  it("to a host whose disk is full fails with what to do, and leaves nothing there", { timeout: 120_000 }, async () => {
    const before = await held();
    await disk.fill(6);
    const { code, stderr } = await zor(...push);
    await disk.clear();
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/beta.*noise|noise.*beta/s);
    expect(stderr).toMatch(/free some|make room|delete/i);
    await eventually(async () => expect(await held()).toEqual(before));
    expect(await imagesThere()).not.toContain("noise");
    expect(await ok("get", "hosts", "beta")).toContain("READY");
  });

  it("leaves nothing half done when it is cancelled in the middle", { timeout: 120_000 }, async () => {
    const before = await held();
    const pushing = begin(...push, "--limit", "1M");
    await eventually(async () => expect(await held()).not.toEqual(before));
    pushing.interrupt();
    expect((await pushing.result).code).not.toBe(0);
    await eventually(async () => expect(await held()).toEqual(before));
    expect(await imagesThere()).not.toContain("noise");
  });

  it("goes on when the agent that sends was killed in the middle, and is whole", { timeout: 120_000 }, async () => {
    const before = await held();
    const pushing = begin(...push, "--limit", "1M");
    await eventually(async () => expect(await held()).not.toEqual(before));
    await alpha.end("SIGKILL");
    await alpha.start(["--dial-out"]);
    await eventually(async () => expect(await ok("get", "hosts", "alpha")).toContain("READY"), 30_000);
    expect((await pushing.result).code).toBe(0);
    expect(await imagesThere()).toContain("noise");
    await ok("image", "verify", "beta/noise");
    await ok("image", "rm", "beta/noise", "--yes");
  });
});
