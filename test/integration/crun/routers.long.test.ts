import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../../../agent/host/exec.js";
import type { HostLayout } from "../../../deploy/demo/layout.js";
import { eventually } from "../../helpers/eventually.js";
import { makeFrrTree } from "../../helpers/frr-tree.js";
import { CliRun } from "../../helpers/zor-cli.js";
import { FaultFleet } from "../c2c-faults/fault-fleet.js";

/** OSPF in one area over eth0, as quick as it goes, and a network of each router's own. */
const start = `set -e
ip address add 10.99.$ROUTER.1/32 dev lo
cat >/etc/frr/zebra.conf <<END
hostname r$ROUTER
END
cat >/etc/frr/ospfd.conf <<END
interface eth0
 ip ospf hello-interval 1
 ip ospf dead-interval 4
router ospf
 ospf router-id 10.99.$ROUTER.1
 timers throttle spf 0 50 500
 timers throttle lsa all 0
 timers lsa min-arrival 0
 network 10.98.0.0/24 area 0
 network 10.99.$ROUTER.1/32 area 0
END
chown -R 101:101 /etc/frr
/usr/lib/frr/zebra -d -f /etc/frr/zebra.conf
exec /usr/lib/frr/ospfd -f /etc/frr/ospfd.conf
`;

let fleet: FaultFleet;
let config: string;

beforeAll(async () => {
  config = await mkdtemp(join(tmpdir(), "zt-frr-"));
  fleet = await FaultFleet.make({ agentFlags: ["--container-capabilities", "SYS_ADMIN"] });
  const { hubMain, hubState } = fleet.layout;
  await zor("context", "add", "t", "--address", hubMain, "--identity", join(hubState, "admin"));
  const [first, second] = fleet.hosts;
  const trees = [first, second].map(({ state }) => join(state, "images", "frr")) as [string, string]; // two hosts
  await makeFrrTree(trees[0]);
  await writeFile(join(trees[0], "router.sh"), start, { mode: 0o755 });
  await run("mkdir", ["-p", join(second.state, "images")]);
  await run("cp", ["--archive", "--reflink=auto", ...trees]);
});

afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
  await rm(config, { recursive: true });
});

async function zor(...argv: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await new CliRun(argv, { env: { ZOR_CONFIG: config } }).result;
  if (code !== 0) throw new Error(`zor ${argv.join(" ")}: ${stderr}${stdout}`);
  return stdout;
}

const vtysh = (router: string, command: string) => zor("exec", router, "--", "vtysh", "-c", command);

test("two of Debian's FRR in containers on two hosts become OSPF neighbours over the link, and forward", async () => {
  const routers = fleet.hosts.map(({ id }: HostLayout) => `${id}/router`);
  for (const [index, router] of routers.entries()) {
    const nic = `lan=lan1,addr=10.98.0.${index + 1}/24`;
    const rights = ["--cap-add", "SYS_ADMIN", "--sysctl", "net.ipv4.ip_forward=1"];
    const own = ["--env", `ROUTER=${index + 1}`, "--nic", nic, "--memory", "256M"];
    await zor("create", "instance", router, "--rootfs", "frr", ...rights, ...own, "--", "/bin/sh", "/router.sh");
  }
  const [a = "", b = ""] = routers;
  await eventually(async () => expect(await vtysh(a, "show ip ospf neighbor")).toMatch(/10\.99\.2\.1 .*Full/));
  await eventually(async () => expect(await vtysh(b, "show ip ospf neighbor")).toMatch(/10\.99\.1\.1 .*Full/));
  // There, and back.
  await eventually(async () =>
    expect(await zor("exec", a, "--", "ip", "route")).toMatch(/10\.99\.2\.1 .*10\.98\.0\.2/),
  );
  await eventually(async () =>
    expect(await zor("exec", b, "--", "ip", "route")).toMatch(/10\.99\.1\.1 .*10\.98\.0\.1/),
  );
  const ping = ["ping", "-c", "1", "-W", "5", "-I", "10.99.1.1", "10.99.2.1"];
  expect(await zor("exec", a, "--", ...ping)).toContain("1 packets received");
  expect(await zor("exec", b, "--", "cat", "/proc/sys/net/ipv4/ip_forward")).toBe("1\n");
});

test("a capability that no agent allows is refused, with the setting that would allow it", async () => {
  const [host] = fleet.hosts;
  const refused = zor("create", "instance", `${host.id}/more`, "--rootfs", "micro", "--cap-add", "SYS_MODULE");
  await expect(refused).rejects.toThrow(/does not allow the capability SYS_MODULE.*containerCapabilities/);
});
