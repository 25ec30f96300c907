import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NatState } from "../../../proto/gen/zor/v1/nat.js";
import { eventually } from "../../helpers/eventually.js";
import { fetchOnHost, hostAddress, internetAddress, metadataAddress, NatRig, webPort } from "./nat-rig.js";

let rig: NatRig;

beforeAll(async () => {
  rig = await NatRig.start();
});
afterAll(async () => {
  expect(await rig.close()).toEqual([]);
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
});
