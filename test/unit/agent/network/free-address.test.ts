import { afterEach, expect, it, vi } from "vitest";
import { findFreeAddress, learnAddress } from "../../../../agent/network/free-address.js";
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

it("finds a free address, however much a guest sends", async () => {
  flood();
  const found = await findFreeAddress(near, { network: "10.0.0.1", prefix: 29, taken: ["10.0.0.1"] }, { signal });
  expect(found).toMatch(/^10\.0\.0\.[2-6]$/);
});
