import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import { type CliResult, CliRun } from "../../helpers/zor-cli.js";
import { AgentProcess } from "../agent/agent-process.js";

let agent: AgentProcess;
let config: string;

beforeAll(async () => {
  agent = await AgentProcess.create();
  await agent.start();
  config = join(agent.state, "cli");
  const identity = join(config, "ana");
  await mkdir(config);
  await agent.pki.issue({ kind: "user", id: "ana", role: Role.ROLE_OPERATOR }, { directory: identity });
  await zor(
    "context",
    "add",
    "zt",
    "--agent",
    "zt",
    "--address",
    await agent.address(),
    "--identity",
    identity,
    "--use",
  );
  await zor("create", "lan", "zt/lan1");
  await zor("create", "lan", "zt/lan2");
});

afterAll(() => agent?.destroy());

async function run(...argv: string[]): Promise<CliResult> {
  return new CliRun(argv, { env: { ZOR_CONFIG: config } }).result;
}

/** Output of a command that must succeed. */
async function zor(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(...argv);
  if (code !== 0) throw new Error(`zor ${argv.join(" ")} ended with ${code}: ${stderr}`);
  return stdout.trim();
}

it("creates a box from options and says what it does", async () => {
  const said = await zor(
    ...["create", "a2b", "zt/wan", "lan1", "zt/lan2", "--delay", "50ms", "--jitter", "5ms", "--ba-loss", "1%"],
    ...["--ba-rate", "10mbit", "--seed", "7", "--at", "1h for 10s: loss 20%"],
  );
  expect(said).toBe("a2b zt/wan is ACTIVE (lan1>lan2 50ms±5, lan2>lan1 50ms±5 1% 10Mb/s)");
});

it("lists boxes, as a table and as the API tells them", async () => {
  const [header = "", row = ""] = (await zor("get", "a2bs")).split("\n");
  expect(header).toMatch(/^NAME +STATE +LANS +A→B +B→A/);
  expect(row).toMatch(/^zt\/wan +ACTIVE +lan1,lan2 +50ms±5 +50ms±5 1% 10Mb\/s/);
  const { a2bs } = JSON.parse(await zor("get", "a2bs", "-o", "json"));
  expect(a2bs).toMatchObject([{ name: "hosts/zt/a2bs/wan", spec: { lanA: "lan1", lanB: "lan2", seed: "7" } }]);
  expect(a2bs[0].spec.schedule).toHaveLength(1);
});

it("changes what is said and leaves the rest", async () => {
  expect(await zor("set", "a2b", "wan", "--ab-down", "--ba-loss", "5%")).toBe(
    "a2b zt/wan is ACTIVE (lan1>lan2 DOWN, lan2>lan1 50ms±5 5% 10Mb/s)",
  );
  expect(await zor("set", "a2b", "zt/wan", "--no-ab-down", "--no-schedule")).toBe(
    "a2b zt/wan is ACTIVE (lan1>lan2 50ms±5, lan2>lan1 50ms±5 5% 10Mb/s)",
  );
  expect(JSON.parse(await zor("get", "a2b", "wan", "-o", "json")).a2bs[0].spec.schedule ?? []).toEqual([]);
  expect(await zor("set", "a2b", "wan", "--delay", "0", "--drop-every", "10", "--ba-drop-filter", "icmp")).toBe(
    "a2b zt/wan is ACTIVE (lan1>lan2 ±5ms 1/10, lan2>lan1 ±5ms 5% 10Mb/s 1/10 drop icmp)",
  );
  expect(await zor("set", "a2b", "wan", "--clear", "--dry-run")).toContain("nothing was changed");
  expect(await zor("set", "a2b", "wan", "--clear")).toBe(
    "a2b zt/wan is ACTIVE (lan1>lan2 untouched, lan2>lan1 untouched)",
  );
});

it.each([
  [["create", "a2b", "zt/x", "lan1", "lan2", "--loss", "120%"], /--loss: "120%" is not a part such as 1%/],
  [["create", "a2b", "zt/x", "lan1", "lan1"], /a2b\.spec\.lan_b: must be another lan/],
  [["create", "a2b", "zt/x", "lan1", "lan2"], /would close a loop/],
  [["create", "a2b", "zt/wan", "lan1", "lan2"], /exists already/],
  [["set", "a2b", "wan", "--delay", "11s"], /--delay: "11s" is not a time .* at most 10s/],
  [["set", "a2b", "wan", "--drop-filter", "tcp prot 80"], /a2b\.spec\.a_to_b\.drop_filter: .*syntax error/],
  [["set", "a2b", "nope", "--delay", "1s"], /a2b nope/],
  [["delete", "lan", "zt/lan1", "--yes"], /in use by hosts\/zt\/a2bs\/wan/],
])("refuses %j", async (argv, message) => {
  const { code, stderr } = await run(...argv);
  expect(code).not.toBe(0);
  expect(stderr).toMatch(message);
});

it("deletes a box after saying what that cuts", async () => {
  const { stderr } = await run("delete", "a2b", "wan", "--dry-run");
  expect(stderr).toContain("a2b zt/wan: active; lan1 and lan2 of zt part");
  expect(await zor("delete", "a2b", "wan", "--yes")).toBe("zt/wan deleted");
  expect(JSON.parse(await zor("get", "a2bs", "-o", "json")).a2bs ?? []).toEqual([]);
  await zor("delete", "lan", "zt/lan1", "zt/lan2", "--yes");
});
