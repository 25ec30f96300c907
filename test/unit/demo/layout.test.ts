import { describe, expect, it } from "vitest";
import { blockCount, hubListeners, layOut, parseDemoName, preferredBlock } from "../../../deploy/demo/layout.js";
import { ZorError } from "../../../lib/errors.js";

describe("the layout of a demo", () => {
  it("gives the default demo the first block", () => {
    const layout = layOut("demo", preferredBlock("demo"));
    expect(layout.hubMain).toBe("127.0.0.1:17440");
    expect(layout.hosts.map((host) => [host.hubAddress, host.agentAddress, host.cableAddress])).toEqual([
      ["198.18.0.1", "198.18.0.2:7443", "198.18.0.9:7444"],
      ["198.18.0.5", "198.18.0.6:7443", "198.18.0.10:7444"],
    ]);
  });

  it("puts the hub on loopback and on the wire of each host", () => {
    const layout = layOut("demo", 0);
    expect(hubListeners(layout, layout.hubJoin)).toEqual(["127.0.0.1:17441", "198.18.0.1:17441", "198.18.0.5:17441"]);
  });

  it("keeps every name within the limits of the kernel, up to the last block", () => {
    const layout = layOut("abcdefghijkl", blockCount - 1);
    for (const host of layout.hosts) {
      expect(host.hubInterface.length).toBeLessThanOrEqual(15);
      // Room for "instances/{63 characters}/driver/" and a socket below the limit of 107 bytes is left.
      expect(host.state.length).toBeLessThanOrEqual(36);
    }
    expect(Number(layout.hubReverse.split(":")[1])).toBeLessThan(32_768);
  });

  it("gives two blocks no address in common and stays inside 198.18.0.0/15", () => {
    const addresses = Array.from({ length: blockCount }, (_, block) => layOut("d", block).hosts)
      .flat()
      .flatMap((host) => [host.hubAddress, host.address, host.underlayAddress]);
    expect(new Set(addresses).size).toBe(blockCount * 6);
    for (const address of addresses) expect(address).toMatch(/^198\.1[89]\.\d{1,3}\.\d{1,3}$/);
  });

  it.each(["", "Demo", "1st", "a-b", "a".repeat(13), "../x", "a\n"])("refuses the name %j", (name) => {
    expect(() => parseDemoName(name)).toThrow(ZorError);
  });
});
