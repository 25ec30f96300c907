import { afterEach, expect, it, vi } from "vitest";
import { findFreeAddress, learnAddress, neighbourOf } from "../../../../agent/network/free-address.js";
import { PacketSocket } from "../../../../agent/network/packet-socket.js";

const signal = new AbortController().signal;
const near = { netns: "n", ifindex: 1, mac: "02:00:00:00:00:01" };

afterEach(() => void vi.restoreAllMocks());

/** A lan on which somebody sends frames without end. */
function flood(): { readonly count: number } {
  const state = { count: 0 };
  const receive = () => {
    state.count += 1;
    return Buffer.alloc(60);
  };
  const socket = { receive, send: () => undefined, close: () => undefined };
  vi.spyOn(PacketSocket, "open").mockReturnValue(socket as unknown as PacketSocket);
  return state;
}

it("gives up learning an address in time, however much a guest sends", async () => {
  const frames = flood();
  await expect(learnAddress(near, near.mac, { signal, limitMs: 50 })).resolves.toBeUndefined();
  expect(frames.count).toBeGreaterThan(0);
});

const mac = Buffer.from("020000000001", "hex");

/** A message of ICMPv6 as an owner sends it. */
function icmp6({
  type,
  source,
  target = "",
  hops = 255,
  from = mac,
}: {
  readonly type: number;
  readonly source: string;
  readonly target?: string;
  readonly hops?: number;
  readonly from?: Buffer;
}): Buffer {
  const header = Buffer.from([0x60, 0, 0, 0, 0, 24, 58, hops]);
  const multicast = Buffer.from("ff0200000000000000000001ff000001", "hex");
  const rest = Buffer.concat([Buffer.from([type, 0, 0, 0, 0, 0, 0, 0]), Buffer.from(target, "hex")]);
  const ethernet = Buffer.concat([Buffer.from("3333ff000001", "hex"), from, Buffer.from([0x86, 0xdd])]);
  return Buffer.concat([ethernet, header, Buffer.from(source, "hex"), multicast, rest]);
}

const [global, unique, local, nobody] = [
  "20010db8000000000000000000000005",
  "fd000000000000000000000000000007",
  "fe80000000000000000000fffe000001",
  "0".repeat(32),
];

it.each([
  ["who solicits", icmp6({ type: 135, source: global, target: unique }), "2001:db8::5"],
  ["who looks whether it is free", icmp6({ type: 135, source: nobody, target: unique }), "fd00::7"],
  ["who advertises", icmp6({ type: 136, source: local, target: global }), "2001:db8::5"],
  ["who looks for routers", icmp6({ type: 133, source: unique }), "fd00::7"],
  ["who has only one of its link", icmp6({ type: 135, source: local, target: global }), undefined],
  ["who looks for one of its link", icmp6({ type: 135, source: nobody, target: local }), undefined],
  ["somebody else", icmp6({ type: 136, source: global, target: global, from: Buffer.alloc(6, 2) }), undefined],
  ["who is not on this link", icmp6({ type: 136, source: global, target: global, hops: 64 }), undefined],
  ["who says something else", icmp6({ type: 128, source: global, target: global }), undefined],
  ["who is cut off", icmp6({ type: 135, source: global, target: "20" }), undefined],
  ["who says nothing", Buffer.alloc(10), undefined],
])("learns the IPv6 address of %s", (_, frame, address) => {
  expect(neighbourOf(frame, mac)).toBe(address);
});

it("finds a free address, however much a guest sends", async () => {
  flood();
  const found = await findFreeAddress(near, { network: "10.0.0.1", prefix: 29, taken: ["10.0.0.1"] }, { signal });
  expect(found).toMatch(/^10\.0\.0\.[2-6]$/);
});
