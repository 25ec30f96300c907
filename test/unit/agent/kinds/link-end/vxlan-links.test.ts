import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { listVxlan, removeVxlan, type VxlanDevice } from "../../../../../agent/network/vxlan-device.js";
import { VxlanLinks, type VxlanSpec } from "../../../../../agent/kinds/link-end/vxlan-links.js";
import type { CablePlugger } from "../../../../../agent/cable/plugger.js";
import { createLog } from "../../../../../lib/log.js";
import { eventually } from "../../../../helpers/eventually.js";

const host = vi.hoisted(() => ({
  devices: new Map<string, VxlanDevice>(),
  answers: true,
  /** What listing the devices waits for. */
  listed: Promise.resolve(),
  /** Has the next look come. */
  tick: (): void => undefined,
}));

vi.mock(import("../../../../../lib/backoff.js"), async (original) => ({
  ...(await original()),
  pause: (_ms, signal) =>
    new Promise((resolve) => {
      host.tick = resolve;
      signal.addEventListener("abort", () => resolve());
    }),
}));

// Devices and probes as a kernel and another host would have them, without either.
vi.mock(import("../../../../../agent/network/vxlan-device.js"), async (original) => ({
  ...(await original()),
  makeVxlan: async ({ name, vxlanId, remote }) => {
    const counted = { rxFrames: 5, rxBytes: 300, txFrames: 0, txBytes: 0, droppedFrames: 0 };
    host.devices.set(name, {
      name,
      ifindex: host.devices.size + 1,
      up: true,
      vxlanId,
      remote,
      dstPort: 4789,
      local: "",
      ...counted,
    });
  },
  removeVxlan: vi.fn(async (name: string) => void host.devices.delete(name)),
  listVxlan: async () => {
    await host.listed;
    return [...host.devices.values()];
  },
  pickRemote: async ([first = ""]: readonly string[]) => first,
}));
vi.mock(import("../../../../../agent/kinds/link-end/vxlan-prober.js"), async (original) => {
  const { VxlanProber } = await original();
  vi.spyOn(VxlanProber.prototype, "exchange").mockImplementation(() => host.answers);
  return { VxlanProber };
});

const spec: VxlanSpec = {
  ...{ link: "links/demo", linkUid: "u1", lan: "lan1", role: "listener" },
  ...{ vxlanId: 7, peerIps: ["10.0.0.2"] },
};

let directory: string;
let links: VxlanLinks;
let unplugFails: boolean;

beforeEach(async () => {
  host.devices.clear();
  host.answers = true;
  host.listed = Promise.resolve();
  unplugFails = false;
  directory = await mkdtemp(join(tmpdir(), "zt-vx-"));
  const plugged = new Map<string, string>();
  const lan = () => ({ ports: [...plugged].map(([port, endpoint]) => ({ port, endpoint, error: "" })) });
  const plugger: CablePlugger = {
    plug: async ({ port, endpoint }) => void plugged.set(port, endpoint),
    unplug: async (port) => {
      if (unplugFails) throw new Error("the switch is away");
      plugged.delete(port);
    },
    find: lan,
    list: () => [lan()],
    onChange: () => () => undefined,
  };
  links = await VxlanLinks.open({
    ...{ stateDirectory: directory, salt: Buffer.alloc(32), netns: undefined, allowed: true, plugger },
    log: createLog("test", { write: () => undefined }),
  });
});

afterEach(async () => {
  await links.close();
  await rm(directory, { recursive: true });
});

/** Asks for it twice: a device is looked at once it is there. */
async function ensure(wanted: VxlanSpec): Promise<string> {
  await links.ensure(wanted);
  return (await links.ensure(wanted)).state.phase;
}

test.each<[string, Partial<VxlanSpec>]>([
  ["a link that takes its name", { linkUid: "u2" }],
  ["another host", { peerIps: ["10.0.0.3"] }],
  ["another network", { vxlanId: 8 }],
])("what was proven of an end says nothing of %s", async (_what, change) => {
  expect(await ensure(spec)).toBe("active");
  host.answers = false;
  expect(await ensure({ ...spec, ...change })).toBe("probing");
});

test("an end that moves to another lan stays proven", async () => {
  expect(await ensure(spec)).toBe("active");
  host.answers = false;
  expect(await ensure({ ...spec, lan: "lan2" })).toBe("active");
});

test("an end whose device cannot be removed stays until it is removed", async () => {
  await ensure(spec);
  unplugFails = true;
  await expect(links.delete("links/demo", "u1")).rejects.toThrow("the switch is away");
  unplugFails = false;
  expect(await links.delete("links/demo", "u1")).toBe(true);
  expect(await listVxlan(undefined)).toEqual([]);
  expect(removeVxlan).toHaveBeenCalled();
  expect(links.list()).toEqual([]);
});

test("goes on looking when more is asked of it at once than it lets wait", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  host.listed = promise;
  const asked = Array.from({ length: 70 }, async () => links.ensure(spec));
  host.tick();
  resolve();
  const refused = (await Promise.allSettled(asked)).filter(({ status }) => status === "rejected");
  expect(refused.length).toBeGreaterThan(0);
  host.answers = true;
  await eventually(() => {
    host.tick();
    expect(links.list()).toMatchObject([{ state: { phase: "active" } }]);
  });
  await links.close();
});
