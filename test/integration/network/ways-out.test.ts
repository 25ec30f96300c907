import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NatState } from "../../../proto/gen/zor/v1/nat.js";
import { eventually } from "../../helpers/eventually.js";
import { pingAtOnce } from "../../helpers/pings.js";
import { fetchOnHost, hostAddress, internetAddress, metadataAddress, NatRig, webPort } from "./nat-rig.js";
import { furnish, layCable, type PhyCable, portrait } from "./phy-cable.js";

let rig: NatRig;
let cable: PhyCable;

beforeAll(async () => {
  rig = await NatRig.start("phys: [{device: eth1}]\n");
  cable = await layCable(rig.host, "eth1");
  await furnish(rig.host, "eth1");
});
afterAll(async () => {
  const left = await rig.close();
  await cable[Symbol.asyncDispose]();
  expect(left).toEqual([]);
});

describe("a lab with a way out", () => {
  it("gives its guests addresses, names and the internet, and neither the host nor metadata; and survives its agent", async () => {
    await rig.ok("create", "lan", "zt/lan1");
    await Promise.all([rig.container("web"), rig.container("pc")]);
    const made = ["--subnet", "10.1.0.0/24", "--reserve", "nic=web/eth0,address=10.1.0.9"];
    const forward = ["--forward", `8080:10.1.0.9:${webPort}`];
    expect(await rig.ok("create", "nat", "zt/n1", "--lan", "lan1", ...made, ...forward)).toContain("nat zt/n1 created");
    expect((await rig.zor("delete", "lan", "zt/lan1", "--yes")).stderr).toContain("nats/n1");

    expect(await rig.dhcp("web")).toBe("10.1.0.9");
    const address = await rig.dhcp("pc");
    expect(address).toMatch(/^10\.1\.0\.\d+$/);
    expect(await rig.shell("pc", "nslookup web.lab")).toContain("10.1.0.9");
    expect(await rig.fetch("pc", internetAddress)).toBe(`${internetAddress} sees ${hostAddress}`);
    for (const refused of [hostAddress, metadataAddress, "127.0.0.1", "10.1.0.1"]) {
      expect(await rig.fetch("pc", refused), refused).not.toContain("sees");
    }

    // The agent hears of leases a moment after the guests.
    await eventually(async () => {
      const { status } = await rig.nat("n1");
      expect(status).toMatchObject({ state: NatState.NAT_STATE_READY, reason: "", gateway: "10.1.0.1", leaseCount: 2 });
      expect(status?.leases.map((lease) => `${lease.address} ${lease.name}`).sort()).toEqual(
        ["10.1.0.9 web", `${address} pc`].sort(),
      );
    });
    expect((await rig.nat("n1")).spec?.subnet6).toBe("fd7a:6f72:a01::/64");
    expect(await rig.ok("describe", "nat", "zt/n1")).toMatch(/Leases \(2\)\n +10\.1\.0\./);

    const before = await rig.programs();
    await rig.agent.end("SIGKILL");
    await rig.startAgent();
    await rig.answers();
    expect(await rig.programs()).toEqual(before);
    await rig.serve("web", "the web");
    await eventually(async () => expect(await fetchOnHost(rig.host, "127.0.0.1", 8080)).toBe("the web"));
    expect(await rig.fetch("pc", internetAddress)).toBe(`${internetAddress} sees ${hostAddress}`);
    // A switch that is slow to let a port go may take longer than a connection lasts.
    await eventually(async () => {
      const { stdout, stderr } = await rig.zor("delete", "nat", "zt/n1", "--yes");
      expect(stdout + stderr).toMatch(/deleted|does not exist/);
    });
    expect(Object.values(await rig.programs())).toEqual([undefined, undefined]);
  });

  it("has a network card of its host, which goes on without the agent and is given back as it was found", async () => {
    const before = await portrait(rig.host, "eth1");
    await rig.shell("pc", "ip addr add 10.9.0.9/24 dev eth0");
    await cable.far.ip("address", "add", "10.9.0.1/24", "dev", "far0");
    const answers = async () =>
      expect((await pingAtOnce({ netns: cable.far.name, address: "10.9.0.9", count: 1 })).size).toBe(1);

    const created = await rig.ok("create", "phy", "zt/uplink", "--device", "eth1", "--lan", "lan1");
    expect(created).toContain("phy zt/uplink created");
    await eventually(answers);
    const isReady = async () => expect(await rig.ok("get", "phys")).toMatch(/zt\/uplink +READY +lan1 +eth1 +absorb/);
    await eventually(isReady);
    await rig.agent.end("SIGKILL");
    await eventually(answers);
    await rig.startAgent();
    await rig.answers();
    await eventually(answers);
    await rig.ok("delete", "phy", "zt/uplink", "--yes");
    await eventually(async () => expect(await portrait(rig.host, "eth1")).toEqual(before));
  });
});
