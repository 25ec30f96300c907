import { describe, expect, it } from "vitest";
import { HeardTable } from "../../../../../agent/network/heard/heard-table.js";
import { saidAddress } from "../../../../../agent/network/heard/said-address.js";

const mac = "02:00:00:00:00:0a";
const hex = (text: string): Buffer => Buffer.from(text.replace(/[\s:]/g, ""), "hex");

/** A frame of ARP. */
function arp({ operation = 1, sender = "0a4f0007", head = "00010800 0604", from = mac } = {}): Buffer {
  return hex(`ffffffffffff ${mac} 0806 ${head} 000${operation} ${from} ${sender} 000000000000 0a4f0008`);
}

const address = "fd00:0000:0000:0000:0000:0000:0000:0007";

/** A frame of neighbour discovery. */
function nd({ type = 135, source = address, target = address, hops = "ff", next = "3a" } = {}): Buffer {
  return hex(
    `333300000001 ${mac} 86dd 60000000 0018 ${next} ${hops} ${source} ff020000000000000000000000000001 ${type.toString(16)}000000 00000000 ${target}`,
  );
}

describe("what frames say of addresses", () => {
  it.each([
    ["a request of ARP", arp(), "10.79.0.7"],
    ["an answer of ARP", arp({ operation: 2 }), "10.79.0.7"],
    ["a solicitation", nd({ target: "fd000000000000000000000000000008" }), "fd00::7"],
    ["a trial of an address", nd({ source: "0".repeat(32) }), "fd00::7"],
    ["an advertisement", nd({ type: 136, source: "fe80000000000000000000000000000a" }), "fd00::7"],
  ])("%s says its sender's", (_, frame, said) => {
    expect(saidAddress(frame)).toEqual({ address: said, mac });
  });

  it.each([
    ["nothing", Buffer.alloc(0)],
    ["a frame that is cut off", arp().subarray(0, 41)],
    ["a probe, which has no address yet", arp({ sender: "00000000" })],
    ["loopback", arp({ sender: "7f000001" })],
    ["an address of a group", arp({ sender: "e0000001" })],
    ["broadcast", arp({ sender: "ffffffff" })],
    ["RARP", arp({ operation: 3 })],
    ["ARP of another network", arp({ head: "00060800 0604" })],
    ["ARP with addresses of other lengths", arp({ head: "00010800 0804" })],
    ["the MAC of a group", arp({ from: "03:00:00:00:00:0a" })],
    ["no MAC", arp({ from: "00:00:00:00:00:00" })],
    ["a solicitation that is cut off", nd().subarray(0, 77)],
    ["a solicitation from beyond the link", nd({ hops: "40" })],
    ["another message of ICMPv6", nd({ type: 134 })],
    ["what is not ICMPv6", nd({ next: "11" })],
    ["an IPv6 group", nd({ type: 136, target: "ff020000000000000000000000000001" })],
    ["an IPv4 address in disguise", nd({ source: "00000000000000000000ffff0a4f0007" })],
    ["loopback of IPv6", nd({ type: 136, target: "00000000000000000000000000000001" })],
    ["IPv4", hex(`ffffffffffff ${mac} 0800 ${"00".repeat(60)}`)],
  ])("%s says none", (_, frame) => {
    expect(saidAddress(frame)).toBeUndefined();
  });
});

describe("the table of addresses", () => {
  const port = (instance: string, ifindex = 1) => ({ endpoint: `hosts/h/instances/${instance}/nics/eth0`, ifindex });
  const at = (last: number) => ({ address: `10.0.0.${last}`, mac });
  const of = (table: HeardTable, instance: string) => table.ofInstance(`hosts/h/instances/${instance}`);

  it("keeps the latest of a NIC, and nothing of others is lost for it", () => {
    const table = new HeardTable();
    table.hear(port("quiet", 2), at(250), 0);
    for (let last = 1; last <= 20; last += 1) table.hear(port("loud"), at(last), last);
    expect(of(table, "loud").map(({ address: said }) => said)).toEqual(
      Array.from({ length: 16 }, (_, index) => `10.0.0.${index + 5}`),
    );
    expect(of(table, "quiet")).toHaveLength(1);
  });

  it("lets a NIC make only so much news, and more after a while", () => {
    const table = new HeardTable();
    const said = Array.from({ length: 100 }, (_, index) => table.hear(port("loud"), at(index), 0));
    expect(said.filter((how) => how === "new")).toHaveLength(32);
    expect(said.at(-1)).toBe("refused");
    expect(table.hear(port("loud"), at(200), 3_999)).toBe("refused");
    expect(table.hear(port("loud"), at(200), 4_000)).toBe("new");
    expect(table.hear(port("loud"), at(201), 4_001)).toBe("refused");
    expect(table.hear(port("loud"), at(200), 4_001)).toBe("known");
  });

  it("tells another MAC of an address", () => {
    const table = new HeardTable();
    table.hear(port("vm"), at(1), 0);
    expect(table.hear(port("vm"), { ...at(1), mac: "02:00:00:00:00:0b" }, 1)).toBe("new");
    expect(of(table, "vm")).toMatchObject([{ address: "10.0.0.1", mac: "02:00:00:00:00:0b", sinceMs: 1 }]);
  });

  it("forgets what was not heard for half an hour, and nothing else", () => {
    const table = new HeardTable();
    const halfAnHour = 30 * 60 * 1000;
    table.hear(port("old"), at(1), 0);
    table.hear(port("said-again"), at(2), 0);
    table.hear(port("said-again"), at(2), halfAnHour);
    expect([...table.expire(halfAnHour - 1)]).toEqual([]);
    expect([...table.expire(halfAnHour)]).toEqual([port("old").endpoint]);
    expect(of(table, "old")).toEqual([]);
    expect(of(table, "said-again")).toHaveLength(1);
    table.forget(port("said-again").endpoint);
    expect(table.all).toEqual([]);
  });
});
