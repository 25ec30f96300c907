import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { signalProcess } from "../../../lib/process.js";
import { NatState } from "../../../proto/gen/zor/v1/nat.js";
import { eventually } from "../../helpers/eventually.js";
import {
  fetchOnHost,
  hostAddress,
  internetAddress,
  internetAddress6,
  NatRig,
  webPort,
} from "../../integration/network/nat-rig.js";

let rig: NatRig;
let served: string;

beforeAll(async () => {
  served = `/tmp/${process.pid}-zt-netboot`;
  rig = await NatRig.start(`netbootDirs: [${served}]\nnatListen: ["127.0.0.1", "${hostAddress}:80"]\n`);
  await rig.ok("create", "lan", "zt/lan1");
  await Promise.all([rig.container("web"), rig.container("pc")]);
  await rig.ok("create", "nat", "zt/n1", "--lan", "lan1", "--subnet", "10.1.0.0/24");
  await Promise.all([rig.dhcp("web"), rig.dhcp("pc")]);
});
afterAll(async () => {
  const left = await rig.close();
  await run("rm", ["-rf", served]);
  expect(left).toEqual([]);
});

const out = `${internetAddress} sees ${hostAddress}`;
/** The way out works, by both families. */
const works = () =>
  eventually(async () => {
    expect((await rig.nat("n1")).status).toMatchObject({ state: NatState.NAT_STATE_READY, reason: "" });
    expect(await rig.fetch("pc", internetAddress)).toBe(out);
    expect(await rig.fetch("pc", internetAddress6)).toContain(`${internetAddress6} sees 2001:db8::1`);
  });

describe("what is done to a nat behind the agent's back is made good, and told", () => {
  it.each([
    ["slirp4netns", "SIGKILL", "ended"],
    ["dnsmasq", "SIGKILL", "ended"],
    ["slirp4netns", "SIGSTOP", "was stopped"],
    ["dnsmasq", "SIGSTOP", "was stopped"],
  ] as const)("%s gets a %s", async (program, signal, told) => {
    await works();
    const { [program]: before } = await rig.programs();
    if (before === undefined) throw new Error(`${program} does not run`);
    await signalProcess(before, signal);
    await rig.told(new RegExp(`^nat\\.healed .*${program} ${told}`));
    await eventually(async () => {
      const { [program]: after } = await rig.programs();
      expect(after).toBeDefined();
      // What was stopped has its connections still.
      if (signal === "SIGSTOP") expect(after).toEqual(before);
      else expect(after).not.toEqual(before);
    });
    await works();
    const { leases = [] } = (await rig.nat("n1")).status ?? {};
    expect(leases.map(({ name }) => name)).toEqual(expect.arrayContaining(["web", "pc"]));
  });

  it("its rules are flushed, and changed", async () => {
    const netns = await rig.natNetns();
    const rules = async (): Promise<string> => (await run("nft", ["list", "ruleset"], { netns })).stdout;
    const before = await rules();
    for (const change of [
      ["flush", "ruleset"],
      ["flush", "chain", "inet", "zor", "forward"],
      ["delete", "element", "inet", "zor", "denied4", "{ 169.254.0.0/16 }"],
    ]) {
      await run("nft", change, { netns });
      expect(await rules()).not.toBe(before);
      await eventually(async () => expect(await rules()).toBe(before));
    }
    await works();
    await rig.told(/^nat\.healed .*its rules were changed/);
  });

  it("its port, its interface and its namespace are removed", async () => {
    const netns = await rig.natNetns();
    for (const device of ["lan0", "tap0"]) {
      await run("ip", ["-n", netns, "link", "delete", device]);
      await eventually(() => run("ip", ["-n", netns, "link", "show", device]));
      await works();
    }
    // Programs in it go on without its name: what is made anew has it.
    await run("ip", ["netns", "delete", netns]);
    await eventually(async () => expect(await rig.natNetns()).toBe(netns));
    await works();
    await rig.told(/^nat\.healed its net namespace or its interface is gone/);
  });

  it("its programs are killed while the agent is away", async () => {
    await rig.agent.end("SIGKILL");
    for (const program of Object.values(await rig.programs())) {
      if (program !== undefined) await signalProcess(program, "SIGKILL");
    }
    await rig.startAgent();
    await rig.answers();
    await works();
  });

  it("the agent is killed again and again, and starts nothing a second time", async () => {
    const before = await rig.programs();
    for (let count = 0; count < 3; count += 1) {
      await rig.agent.end("SIGKILL");
      expect(await rig.reachesWithoutAgent(internetAddress)).toBe(true);
      await rig.startAgent();
      await rig.answers();
    }
    expect(await rig.programs()).toEqual(before);
    await works();
  });
});

describe("guests of a nat", () => {
  it("do not reach an address that the host has only just got, nor one that came before, in any form", async () => {
    await rig.internet.ip("address", "add", "203.0.113.77/32", "dev", "down0");
    await rig.host.ip("route", "add", "203.0.113.77/32", "via", internetAddress);
    await eventually(async () => expect(await rig.fetch("pc", "203.0.113.77")).toContain("sees"));
    await rig.internet.ip("address", "delete", "203.0.113.77/32", "dev", "down0");
    await rig.host.ip("route", "delete", "203.0.113.77/32");
    await rig.host.ip("address", "add", "203.0.113.77/32", "dev", "lo");
    await rig.host.ip("address", "add", "2001:db8:5::1/128", "dev", "lo");
    const netns = await rig.natNetns();
    await eventually(async () => {
      const { stdout } = await run("nft", ["list", "table", "inet", "zor"], { netns });
      expect(stdout).toContain("203.0.113.77");
      expect(stdout).toContain("2001:db8:5::1");
    });
    for (const address of [
      "203.0.113.77",
      "2001:db8:5::1",
      "2001:db8::1",
      hostAddress,
      "127.0.0.1",
      "0.0.0.0",
      "198.51.100.2",
    ]) {
      expect(await rig.fetch("pc", address), address).not.toContain("sees");
    }
    expect(await fetchOnHost(rig.host, "203.0.113.77", webPort)).toContain("203.0.113.77 sees");
  });

  it("are told names that appear and vanish with instances, and none that another guest claims", async () => {
    await rig.container("mail", "--nic", "lan=lan1");
    await rig.shell("pc", "udhcpc -i eth0 -n -q -f -t 10 -T 1 -x hostname:evil -s /dhcp.sh");
    const mail = await rig.dhcp("mail");
    await eventually(async () => expect(await rig.shell("pc", "nslookup mail.lab 10.1.0.1")).toContain(mail));
    expect(await rig.shell("pc", "nslookup evil.lab 10.1.0.1")).not.toMatch(/^Address.*10\.1\.0\.(?!1\b|1:)/m);
    await rig.ok("delete", "instance", "zt/mail", "--force", "--yes");
    await eventually(async () => expect(await rig.shell("pc", "nslookup mail.lab 10.1.0.1")).not.toContain(mail));
  });

  it("get no more leases than there are addresses, whatever they ask for, and the status stays small", async () => {
    const asks = `for n in $(seq 2 40); do ip link set eth0 down; ip link set eth0 address 02:aa:00:00:00:$(printf %02x $n); ip link set eth0 up; udhcpc -i eth0 -n -q -f -t 2 -T 1 -s /bin/true >/dev/null 2>&1; done; echo done`;
    await rig.container("flood");
    expect(await rig.shell("flood", asks)).toContain("done");
    const { status } = await rig.nat("n1");
    expect(status?.leaseCount).toBeGreaterThan(20);
    expect(status?.leases.length).toBeLessThanOrEqual(256);
    await works();
    await rig.ok("delete", "instance", "zt/flood", "--force", "--yes");
  });

  it("give others no addresses beyond their lan: what a lab's own DHCP server says never reaches the host", async () => {
    const { stdout: before } = await run("ip", ["-n", rig.host.name, "-j", "address", "show"]);
    const frames = run("timeout", ["6", "tcpdump", "-n", "-c", "1", "-i", "any", "udp port 67 or udp port 68"], {
      netns: rig.host.name,
      acceptedExitCodes: [0, 124],
    });
    await rig.dhcp("pc");
    await rig.dhcp("web");
    expect((await frames).stdout).not.toMatch(/BOOTP|DHCP/);
    const { stdout: after } = await run("ip", ["-n", rig.host.name, "-j", "address", "show"]);
    expect(JSON.parse(after)).toEqual(JSON.parse(before));
  });

  it("start from files of the host that its settings allow, and read no others", async () => {
    await mkdir(served, { mode: 0o755 });
    await writeFile(join(served, "boot.txt"), "booted\n", { mode: 0o644 });
    const boot = (directory: string) =>
      rig.zor("set", "nat", "zt/n1", "--boot-dir", directory, "--boot-file", "boot.txt");
    expect((await boot("/etc")).stderr).toContain("netbootDirs");
    await symlink("/etc", join(served, "out"));
    expect((await boot(join(served, "out"))).stderr).toContain("netbootDirs");
    expect(await boot(served)).toMatchObject({ code: 0 });
    expect(await rig.shell("pc", "tftp -g -r boot.txt -l /got 10.1.0.1; cat /got")).toContain("booted");
    expect(await rig.shell("pc", "tftp -g -r ../../etc/shadow -l /not 10.1.0.1; cat /not 2>&1")).not.toContain("root:");
    await rig.ok("set", "nat", "zt/n1", "--no-boot");
    await works();
  });
});

describe("ports of the host", () => {
  it("lead to guests and elsewhere while others stay, and only where the settings allow", async () => {
    const address = (await rig.dhcp("web")).trim();
    await rig.serve("web", "the web");
    await rig.ok(
      "set",
      "nat",
      "zt/n1",
      "--forward",
      `8080:${address}:${webPort}`,
      "--forward",
      `${hostAddress}:80:${address}:${webPort}`,
    );
    await eventually(async () => expect(await fetchOnHost(rig.host, "127.0.0.1", 8080)).toBe("the web"));
    await eventually(async () => expect(await fetchOnHost(rig.internet, hostAddress, 80)).toBe("the web"));
    const refused = async (forward: string) => (await rig.zor("set", "nat", "zt/n1", "--forward", forward)).stderr;
    expect(await refused(`80:${address}`)).toContain("natListen");
    expect(await refused(`0.0.0.0:8081:${address}`)).toContain("natListen");
    expect(await refused(`8000:${address}`)).toContain("another program has it");
    // Nothing has changed.
    expect((await rig.nat("n1")).spec?.forwards).toHaveLength(2);
    await eventually(async () => expect(await fetchOnHost(rig.host, "127.0.0.1", 8080)).toBe("the web"));
    await rig.ok("set", "nat", "zt/n1", "--no-forward");
    expect(await fetchOnHost(rig.host, "127.0.0.1", 8080)).toBe("");
    await works();
  });
});

describe("a nat", () => {
  it("is refused where the host has a route to its subnet, and where another nat gives addresses", async () => {
    const refused = async (...argv: readonly string[]) => (await rig.zor("create", "nat", "zt/n2", ...argv)).stderr;
    expect(await refused("--subnet", "203.0.113.0/26")).toContain("the host has a route to 203.0.113.0/24");
    await rig.host.ip("route", "add", "10.9.0.0/16", "via", internetAddress);
    expect(await refused("--subnet", "10.9.1.0/24")).toContain("the host has a route to 10.9.0.0/16");
    expect(await refused("--lan", "lan1", "--subnet", "10.1.0.0/16")).toContain("hosts/zt/nats/n1 has the subnet");
    expect(await refused("--lan", "lan1", "--subnet", "10.2.0.0/24")).toContain("gives addresses in lan lan1 already");
    expect(await refused("--lan", "nowhere")).toContain("hosts/zt/lans/nowhere does not exist");
    expect(await rig.ok("get", "nats", "-o", "name")).toBe("hosts/zt/nats/n1\n");
  });

  it("leaves the host's own network as it was", async () => {
    const facts = async (): Promise<readonly string[]> => {
      const host = rig.host.name;
      const shown = await Promise.all([
        run("nft", ["list", "ruleset"], { netns: host }),
        run("ip", ["-n", host, "route", "show", "table", "all"]),
        run("ip", ["-n", host, "-br", "link"]),
        run("sysctl", ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"], { netns: host }),
      ]);
      return [...shown.map(({ stdout }) => stdout), await readFile("/etc/resolv.conf", "utf8")];
    };
    const before = await facts();
    await rig.ok("create", "lan", "zt/lan2");
    await rig.ok("create", "nat", "zt/n3", "--lan", "lan2", "--subnet", "10.3.0.0/24");
    expect(await facts()).toEqual(before);
    await rig.ok("delete", "nat", "zt/n3", "--yes");
    expect(await facts()).toEqual(before);
  });

  it("moves to another lan and back while it is used", async () => {
    await rig.ok("set", "nat", "zt/n1", "--no-lan");
    expect(await rig.fetch("pc", internetAddress)).not.toContain("sees");
    expect((await rig.nat("n1")).status?.state).toBe(NatState.NAT_STATE_READY);
    await rig.ok("set", "nat", "zt/n1", "--lan", "lan1");
    await works();
  });
});
