import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { CliRun } from "../../helpers/zor-cli.js";
import { FaultFleet } from "../../integration/c2c-faults/fault-fleet.js";

let fleet: FaultFleet;
let config: string;
let image: string;

beforeAll(async () => {
  config = await mkdtemp(join(tmpdir(), "zt-frr-"));
  fleet = await FaultFleet.make({ agentFlags: ["--container-capabilities", "SYS_ADMIN"] });
  const { hubMain, hubState } = fleet.layout;
  await zor("context", "add", "t", "--address", hubMain, "--identity", join(hubState, "admin"));
  // The agents are in namespaces without a way to Debian: the recipe is carried out as an agent does it, and imported.
  const work = join(config, "work");
  await mkdir(work);
  await run(resolve(import.meta.dirname, "../../../deploy/images/frr/build"), [work], { timeoutMs: 600_000 });
  image = join(work, "image");
}, 900_000);

afterAll(async () => {
  await fleet?.[Symbol.asyncDispose]();
  await rm(config, { recursive: true });
}, 120_000);

async function zor(...argv: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await new CliRun(argv, { env: { ZOR_CONFIG: config } }).result;
  if (code !== 0) throw new Error(`zor ${argv.join(" ")}: ${stderr}${stdout}`);
  return stdout;
}

const vtysh = (router: string, ...lines: readonly string[]) =>
  zor("exec", router, "--", "vtysh", ...lines.flatMap((line) => ["-c", line]));

it("routers of the shipped recipe on two hosts become OSPF neighbours over the link, and forward whatever the host does", async () => {
  const [a, b] = fleet.hosts;
  await zor("image", "import", image, "--host", a.id, "--name", "frr");
  await zor("image", "push", `${a.id}/frr`, b.id);
  const routers = [a, b].map(({ id }) => `${id}/router`);
  for (const [index, router] of routers.entries()) {
    const rights = ["--cap-add", "SYS_ADMIN", "--sysctl", "net.ipv4.ip_forward=1", "--memory", "256M"];
    const nic = ["--nic", `lan=lan1,addr=10.98.0.${index + 1}/24`];
    await zor("create", "instance", router, "--rootfs", "frr", ...rights, ...nic, "--", "/init");
  }
  const began = performance.now();
  for (const [index, router] of routers.entries()) {
    const own = `10.99.${index + 1}.1`;
    const lines = ["router ospf", `ospf router-id ${own}`, "network 10.98.0.0/24 area 0", `network ${own}/32 area 0`];
    const quick = ["interface eth0", "ip ospf hello-interval 1", "ip ospf dead-interval 4", "exit"];
    const address = ["interface lo", `ip address ${own}/32`, "exit"];
    await expect
      .poll(() => vtysh(router, "configure terminal", ...address, ...quick, ...lines).catch(String), {
        timeout: 60_000,
      })
      .not.toMatch(/failed|refused|Error|is not running/i);
  }
  const [first = "", second = ""] = routers;
  await expect.poll(() => vtysh(first, "show ip ospf neighbor"), { timeout: 60_000 }).toMatch(/10\.99\.2\.1 .*Full/);
  await expect.poll(() => vtysh(second, "show ip ospf neighbor"), { timeout: 60_000 }).toMatch(/10\.99\.1\.1 .*Full/);
  const fullMs = performance.now() - began;
  expect(fullMs).toBeLessThan(60_000);
  await expect
    .poll(() => zor("exec", first, "--", "ip", "route"), { timeout: 60_000 })
    .toMatch(/10\.99\.2\.1 .*10\.98\.0\.2/);
  expect(await zor("exec", first, "--", "ping", "-c", "1", "-W", "5", "-I", "10.99.1.1", "10.99.2.1")).toContain(
    "1 received",
  );
  // What the host, here its namespace, says of forwarding is its own: either way round, and the container's own stays.
  for (const value of ["0", "1"]) {
    await run("sysctl", ["-q", "-w", `net.ipv4.ip_forward=${value}`], { netns: a.namespace });
    expect(await zor("exec", first, "--", "cat", "/proc/sys/net/ipv4/ip_forward")).toBe("1\n");
    await zor("create", "instance", `${a.id}/plain${value}`, "--rootfs", "micro");
    expect(await zor("exec", `${a.id}/plain${value}`, "--", "cat", "/proc/sys/net/ipv4/ip_forward")).toBe("0\n");
  }
  // And it can be set inside, without tricks.
  await zor(
    "exec",
    first,
    "--",
    "sh",
    "-c",
    "echo 0 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv4/ip_forward",
  );
}, 900_000);
