import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import { eventually } from "../../helpers/eventually.js";
import { type CliResult, CliRun } from "../../helpers/zor-cli.js";
import { AgentProcess } from "../../integration/agent/agent-process.js";

let agent: AgentProcess;
let config: string;
const addresses = { web: "10.82.0.1", db: "10.82.0.2", odd: "10.82.0.3" } as const;
type Guest = keyof typeof addresses;

beforeAll(async () => {
  agent = await AgentProcess.create();
  await agent.start();
  config = join(agent.state, "cli");
  const identity = join(config, "ana");
  await mkdir(config);
  await agent.pki.issue({ kind: "user", id: "ana", role: Role.ROLE_OPERATOR }, { directory: identity });
  await zor(
    ...["context", "add", "zt", "--agent", "zt", "--address", await agent.address()],
    ...["--identity", identity, "--use"],
  );
  await zor("create", "lan", "zt/lan1");
  for (const [id, address] of Object.entries(addresses)) {
    const nic = `lan=lan1,addr=${address}/24`;
    await zor("create", "instance", `zt/${id}`, "--rootfs", "micro", "--nic", nic, "--label", `role=${id}`);
  }
}, 300_000);

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

/** Sets the filter of an instance to these rules. */
const filter = (id: Guest, ...rules: string[]) =>
  zor("set", "instance", `zt/${id}`, ...rules.flatMap((rule) => ["--filter-rule", rule]));

/** Whether one instance's ping is answered by another. */
async function reaches(from: Guest, to: Guest): Promise<boolean> {
  return (await run("exec", `zt/${from}`, "--", "ping", "-c", "2", "-W", "2", addresses[to])).code === 0;
}

it("groups are followed by label, answers come back, and it holds without agent and after its return", {
  timeout: 240_000,
}, async () => {
  await eventually(async () => expect(await reaches("odd", "db")).toBe(true));
  await filter("db", "in default drop", "in allow icmp from instances labels.role = web");
  expect([await reaches("web", "db"), await reaches("odd", "db"), await reaches("db", "odd")]).toEqual([
    true,
    false,
    true,
  ]);
  const described = await zor("describe", "instance", "zt/db");
  expect(described).toMatch(/filter +in default drop\n +in allow icmp from instances labels\.role = web/);

  await zor("label", "instance", "zt/odd", "role=web", "--overwrite");
  await eventually(async () => expect(await reaches("odd", "db")).toBe(true));
  await zor("label", "instance", "zt/odd", "role=odd", "--overwrite");
  await eventually(async () => expect(await reaches("odd", "db")).toBe(false));

  await agent.end("SIGKILL");
  await agent.start();
  // It has another port now.
  await zor(
    ...["context", "add", "again", "--agent", "zt", "--address", await agent.address()],
    ...["--identity", join(config, "ana"), "--use"],
  );
  await eventually(async () => expect([await reaches("web", "db"), await reaches("odd", "db")]).toEqual([true, false]));

  await zor("stop", "zt/db");
  await zor("start", "zt/db");
  await eventually(async () => expect([await reaches("web", "db"), await reaches("odd", "db")]).toEqual([true, false]));
  await zor("set", "instance", "zt/db", "--no-filter-rule");
  await eventually(async () => expect(await reaches("odd", "db")).toBe(true));
});

it.each([
  [["in allow tcp 99999"], /port_settings\.filter\.rules\[0\]\.ports/],
  [["in allow tpc"], /"tpc" is not tcp, udp, icmp/],
  [["in maybe"], /is not a rule; its form is/],
  [["in allow from instances labels.role ="], /remote_instances/],
])("refuses %j, and changes nothing", async (rules, message) => {
  const { code, stderr } = await run("set", "instance", "zt/web", ...rules.flatMap((rule) => ["--filter-rule", rule]));
  expect([code === 0, stderr]).toEqual([false, expect.stringMatching(message)]);
  expect(await zor("describe", "instance", "zt/web")).not.toContain("filter");
});

it("shows what each rule has met, of all or of one, and says what has no filter", { timeout: 240_000 }, async () => {
  await zor("label", "instance", "zt/odd", "role=odd", "--overwrite");
  await filter("db", "in default drop", "in drop icmp from instances labels.role = none", "in allow icmp", "in drop 1");
  expect(await reaches("web", "db")).toBe(true);
  const line = async (rule: string) =>
    (await zor("lan", "filters", "zt/lan1"))
      .split("\n")
      .find((each) => each.startsWith("db/eth0 ") && each.includes(` ${rule} `)) ?? "";
  await eventually(async () =>
    expect(await line("in allow icmp")).toMatch(/ 2 +in allow icmp +[1-9]\d* +\d+ +\d+s +-$/),
  );
  expect(await line("in drop icmp from instances labels.role = none")).toMatch(
    / - +- +- +nobody belongs to its group now$/,
  );
  expect(await line("in drop 1")).toMatch(/ 3 +in drop 1 +0 +0 +\d+s +-$/);
  expect(await run("exec", "zt/odd", "--", "nc", "-w", "1", addresses.db, "81")).not.toMatchObject({ code: 0 });
  await eventually(async () => expect(await line("dropped by no rule")).toMatch(/ [1-9]\d* +\d+ +\d+s +-$/));

  const one = JSON.parse(await zor("lan", "filters", "zt/lan1", "--port", "db/eth0", "-o", "json"));
  expect(one.filters).toMatchObject([{ endpoint: "hosts/zt/instances/db/nics/eth0", defaultIn: "FILTER_ACTION_DROP" }]);
  const none = await run("lan", "filters", "zt/lan1", "--port", "zt/web/eth0");
  expect([none.code, none.stdout, none.stderr]).toEqual([0, "", expect.stringContaining("zt/web eth0 has no filter")]);
  const refused = async (port: string) => (await run("lan", "filters", "zt/lan1", "--port", port)).stderr;
  expect(await refused("web/eth7")).toContain(
    "hosts/zt/instances/web/nics/eth7 is not plugged into hosts/zt/lans/lan1 now",
  );
  expect(await refused("web")).toContain('--port: "web" is not an interface such as vm1/eth0');
  expect(await refused("web/no$")).toContain("--port");
  await zor("set", "instance", "zt/db", "--no-filter-rule");
});
