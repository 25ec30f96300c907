import { cp, mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { hostServerName } from "../../../lib/tls/join.js";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import { saveContext } from "../../../tui/client/contexts.js";
import { type CliResult, CliRun } from "../../helpers/zor-cli.js";
import { AgentProcess } from "../../integration/agent/agent-process.js";

let agent: AgentProcess;
let config: string;

beforeAll(async () => {
  agent = await AgentProcess.create();
  const recipe = join(agent.state, "recipes", "busybox");
  await mkdir(join(agent.state, "recipes"));
  await cp(resolve(import.meta.dirname, "../../../deploy/images/busybox"), recipe, { recursive: true });
  await agent.start();
  config = join(agent.state, "config");
  const identityDirectory = join(agent.state, "ana");
  await agent.pki.issue({ kind: "user", id: "ana", role: Role.ROLE_OPERATOR }, { directory: identityDirectory });
  const serverName = hostServerName(agent.host);
  await saveContext(config, { name: "zt", addresses: [await agent.address()], serverName, identityDirectory }, true);
}, 60_000);
afterAll(() => agent?.destroy(), 60_000);

const zor = (...argv: readonly string[]): Promise<CliResult> =>
  new CliRun(argv, { env: { ZOR_CONFIG: config } }).result;

it("builds a container from a recipe whose image is not there, and another from the image that is there then", async () => {
  expect(await zor("build", "zt/c1", "--from", "busybox")).toMatchObject({
    code: 0,
    stdout: expect.stringContaining("commands can be run in it"),
  });
  expect((await zor("exec", "zt/c1", "--", "echo", "up")).stdout).toBe("up\n");
  const again = await zor("build", "zt/c2", "--from", "busybox");
  expect(again).toMatchObject({ code: 0, stderr: expect.stringContaining("the image zt/busybox is there") });
  expect((await zor("build", "zt/vm1", "--from", "micro")).stdout).toContain("commands can be run in it");
  expect((await zor("build", "zt/c3", "--from", "nothing")).stderr).toContain("there are busybox");
}, 300_000);
