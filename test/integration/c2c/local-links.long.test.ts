import { randomUUID } from "node:crypto";
import { expect, onTestFinished, test } from "vitest";
import { LocalLinks } from "../../../agent/kinds/link-end/local-links.js";
import type { LocalLinkSpec } from "../../../agent/kinds/link-end/local-link.js";
import type { CablePlugger } from "../../../agent/cable/plugger.js";
import { createLog } from "../../../lib/log.js";
import { Impairment } from "../../../proto/gen/zor/v1/impairment.js";
import { eventually } from "../../helpers/eventually.js";
import { makeNetns, type TestNetns } from "../../helpers/netns.js";
import { pingAtOnce } from "../../helpers/pings.js";
import { LoopbackHost } from "./loopback-host.js";
import { readBox } from "../../helpers/engine-words.js";
import { killed } from "../../helpers/killed.js";

/** A host with two lans, each of which is a namespace whose only member is what is plugged in. */
class LocalRig {
  readonly plugged = new Map<string, { readonly lan: string; readonly endpoint: string }>();
  readonly lans = new Set(["lan1", "lan2"]);
  #listeners = new Set<() => void>();
  #links: LocalLinks | undefined;

  constructor(
    readonly host: LoopbackHost,
    readonly second: TestNetns,
  ) {}

  static async make(): Promise<LocalRig> {
    const host = await LoopbackHost.make();
    onTestFinished(() => host[Symbol.asyncDispose]());
    const second = await makeNetns("ls");
    onTestFinished(() => second[Symbol.asyncDispose]());
    const rig = new LocalRig(host, second);
    await rig.open();
    onTestFinished(() => rig.close());
    return rig;
  }

  get links(): LocalLinks {
    if (this.#links === undefined) throw new Error("it is not open");
    return this.#links;
  }

  /** The link "links/local", if the agent knows one. */
  view() {
    const view = this.links.list().find(({ link }) => link === "links/local");
    return view === undefined ? undefined : { ...view, box: readBox(view.box) };
  }

  async open(): Promise<void> {
    const log = createLog("test", { write: () => undefined });
    this.#links = new LocalLinks({
      stateDirectory: this.host.stateDirectory,
      netns: this.host.lan.name,
      plugger: this.#plugger(),
      log,
    });
    await this.#links.ready();
  }

  async close(): Promise<void> {
    await this.#links?.close();
    this.#links = undefined;
  }

  setLan(lan: string, exists: boolean): void {
    if (exists) this.lans.add(lan);
    else {
      this.lans.delete(lan);
      for (const [port, at] of this.plugged) if (at.lan === lan) this.plugged.delete(port);
    }
    for (const listener of this.#listeners) listener();
  }

  /** Part of the pings from lan1 to lan2 that are answered. */
  async answered(count: number): Promise<number> {
    return (await pingAtOnce({ netns: this.host.lan.name, address: "10.205.0.2", count })).size / count;
  }

  #plugger(): CablePlugger {
    const find = (lan: string) => {
      const ports = [...this.plugged].filter(([, at]) => at.lan === lan);
      return { ports: ports.map(([port, { endpoint }]) => ({ port, endpoint, error: "" })) };
    };
    return {
      plug: async ({ lan, port, endpoint }) => {
        if (!this.lans.has(lan)) throw new Error(`lan ${lan} does not exist`);
        const there = lan === "lan1" ? this.host.lan : this.second;
        if (lan === "lan2") await this.host.lan.ip("link", "set", port, "netns", there.name).catch(() => undefined);
        await there.ip("addr", "replace", `10.205.0.${lan === "lan1" ? 1 : 2}/24`, "dev", port);
        await there.ip("link", "set", port, "up");
        this.plugged.set(port, { lan, endpoint });
      },
      unplug: async (port) => void this.plugged.delete(port),
      find: (lan) => (this.lans.has(lan) ? find(lan) : undefined),
      list: () => [...this.lans].map(find),
      onChange: (listener) => {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
    };
  }
}

function linkSpec(change: Partial<LocalLinkSpec> = {}): LocalLinkSpec {
  const common = { aToB: undefined, bToA: undefined, seed: 1n, schedule: [] };
  return { link: "links/local", linkUid: randomUUID(), lanA: "lan1", lanB: "lan2", ...common, ...change };
}

test("a link between two lans of a host passes frames, and its impairment changes while they pass", async () => {
  const rig = await LocalRig.make();
  const spec = linkSpec();
  const view = await rig.links.ensure(spec);
  expect(readBox(view.box)).toMatchObject({ active: true, reason: "" });
  expect(await rig.answered(20)).toBe(1);
  const hops = await Array.fromAsync(rig.links.diagnose(spec.link) ?? []);
  expect(hops.map(({ hop }) => hop)).toEqual(["lan", "lan", "tap", "engine", "path"]);
  const before = rig.view()?.box.generation;
  await rig.links.ensure({ ...spec, aToB: Impairment.fromPartial({ lossRatio: 1 }) });
  expect(await rig.answered(5)).toBe(0);
  await rig.links.ensure(spec);
  // The thread of the box takes the change up with its next turn.
  await eventually(async () => expect(await rig.answered(20)).toBe(1));
  expect(rig.view()?.box.generation).toBe(before);
});

test("its throughput is told each way while frames pass, and falls to nothing when they end", async () => {
  const rig = await LocalRig.make();
  await rig.links.ensure(linkSpec());
  const rates = () => rig.view()?.box.sides.map(({ outBps }) => outBps) ?? [];
  await eventually(async () => {
    await rig.answered(20);
    for (const rate of rates()) expect(rate).toBeGreaterThan(0);
  });
  await eventually(() => expect(rates()).toEqual([0, 0]));
});

test("a lan that is not there is refused, and one that goes is told until it is back", async () => {
  const rig = await LocalRig.make();
  await expect(rig.links.ensure(linkSpec({ lanB: "lan3" }))).rejects.toThrow(/lans\/lan3/);
  const spec = linkSpec();
  await rig.links.ensure(spec);
  rig.setLan("lan2", false);
  await eventually(() => expect(rig.view()?.box).toMatchObject({ active: false }));
  expect(rig.view()?.box.reason).toContain("lan2");
  rig.setLan("lan2", true);
  await eventually(() => expect(rig.view()?.box.active).toBe(true));
});

test("it outlives the agent, and comes back with the engine", async () => {
  const rig = await LocalRig.make();
  const spec = linkSpec({ bToA: Impairment.fromPartial({ delay: { seconds: 0n, nanos: 1_000_000 } }) });
  await rig.links.ensure(spec);
  await rig.close();
  expect(await rig.answered(5)).toBe(1);
  await rig.open();
  expect(rig.view()).toMatchObject({ linkUid: spec.linkUid, box: { active: true } });
  const pid = rig.host.cables.enginePid;
  await killed(pid);
  await eventually(() => expect(rig.host.cables.enginePid).not.toBe(pid));
  await eventually(() => expect(rig.view()).toMatchObject({ awaySinceMs: undefined, box: { active: true } }));
  await eventually(async () => expect(await rig.answered(2)).toBe(1));
});

test("a deleted one leaves no port and no tap, whoever holds a stale uid", async () => {
  const rig = await LocalRig.make();
  const spec = linkSpec();
  const { box } = await rig.links.ensure(spec);
  expect(await rig.links.delete(spec.link, randomUUID())).toBe(false);
  expect(await rig.links.delete(spec.link, spec.linkUid)).toBe(true);
  expect(rig.links.list()).toEqual([]);
  expect([...rig.plugged.keys()]).toEqual([]);
  await eventually(() => expect(rig.host.lan.ip("link", "show", box.ports[0].name)).rejects.toThrow(/does not exist/));
});
