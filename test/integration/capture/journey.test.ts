import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CliRun } from "../../helpers/zor-cli.js";
import { eventually } from "../../helpers/eventually.js";
import { type ReadCapture, readPcapng } from "../../helpers/pcapng-reader.js";
import { ReachRig } from "../reach/rig.js";

let rig: ReachRig;
let events: readonly string[];

beforeAll(async () => {
  rig = await ReachRig.start();
  events = rig.watchEvents();
  await rig.createLan("lan1");
  for (const [index, id] of ["c1", "c2"].entries()) {
    await rig.create(id, {
      crun: { rootfs: "micro" },
      nics: [{ lan: "lan1", addresses: [`10.61.7.${index + 1}/24`] }],
    });
  }
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

const fileOf = (name: string): string => join(rig.directory, `${name}.pcapng`);
const read = async (name: string): Promise<ReadCapture> => readPcapng(await readFile(fileOf(name)));
/** Types of the ICMP messages of a capture: 8 a request, 0 a reply. */
const types = ({ frames }: ReadCapture, only = -1): number[] =>
  frames.filter(({ interfaceId }) => only < 0 || interfaceId === only).map(({ data }) => data[34] ?? -1);

/** Waits until it captures: a file of a capture has an interface as soon as the host has told of it. */
async function captures(run: CliRun, name: string, interfaces: number): Promise<void> {
  await eventually(async () => {
    const there = await read(name);
    if (there.interfaces.length < interfaces) throw new Error(`${there.interfaces.length}: ${run.stderr.text}`);
  });
}

async function ping(count: number): Promise<void> {
  for (let each = 0; each < count; each += 1) {
    const { code, stdout } = await rig.zor("exec", "zt/c1", "--", "ping", "-c", "1", "-W", "10", "10.61.7.2");
    if (code !== 0) throw new Error(stdout);
  }
}

describe("a ping between containers", () => {
  it("is captured at both NICs and the lan, each frame once at each, and through a restart of the hub", async () => {
    const nics = rig.run(
      "capture",
      "zt/c1:eth0",
      "zt/c2",
      "-f",
      "icmp",
      "-s",
      "96",
      "-w",
      fileOf("nics"),
      "--comment",
      "a test",
    );
    const lan = rig.run("capture", "lan:zt/lan1", "-f", "icmp or arp", "-w", fileOf("lan"));
    await captures(nics, "nics", 2);
    await captures(lan, "lan", 2);
    await ping(2);
    await rig.hub.kill();
    await rig.hub.run();
    await rig.reconnect();
    const later = rig.watchEvents();
    await eventually(() => expect(nics.stderr.text + lan.stderr.text).toMatch(/goes on[\s\S]*goes on/));
    await ping(1);
    await eventually(async () => expect(types(await read("nics"))).toHaveLength(12));
    await eventually(async () =>
      expect(types(await read("lan")).filter((type) => type === 8 || type === 0).length).toBeGreaterThanOrEqual(6),
    );
    for (const run of [nics, lan]) run.interrupt();
    expect(await nics.result).toMatchObject({ code: 0, stderr: expect.stringContaining("12 frames") });
    expect(await lan.result).toMatchObject({ code: 0 });

    const both = await read("nics");
    expect(both.comments).toEqual(["a test"]);
    expect(both.interfaces.map(({ name }) => name)).toEqual(["zt/c1/eth0", "zt/c2/eth0"]);
    // c1 sends requests (outbound) and gets replies; what it sends c2 gets. Nothing is there twice.
    expect(types(both, 0)).toEqual([8, 0, 8, 0, 8, 0]);
    expect(types(both, 1)).toEqual([8, 0, 8, 0, 8, 0]);
    const ways = (id: number) =>
      both.frames.filter((frame) => frame.interfaceId === id).map(({ direction }) => direction);
    expect(ways(0)).toEqual([2, 1, 2, 1, 2, 1]);
    expect(ways(1)).toEqual([1, 2, 1, 2, 1, 2]);
    expect(both.frames.map(({ length }) => length)).toEqual(both.frames.map(() => 98));
    expect(both.frames.every(({ data }) => data.length === 96)).toBe(true);
    const times = both.frames.map(({ timeNs }) => timeNs);
    expect(times).toEqual([...times].sort((left, right) => (left < right ? -1 : 1)));
    expect(both.statistics.map(({ received, dropped }) => [received, dropped])).toEqual([
      [6n, 0n],
      [6n, 0n],
    ]);
    // In the lan each frame is once, where it came in.
    const inLan = await read("lan");
    const icmp = inLan.frames.filter(({ data }) => data.readUInt16BE(12) === 0x0800).map(({ data }) => data[34]);
    expect(icmp).toEqual([8, 0, 8, 0, 8, 0]);
    expect(events.some((event) => /^capture\.started .*zt\/instances\/c2/.test(event))).toBe(true);
    await eventually(() => expect(later.filter((event) => event.startsWith("capture.ended"))).toHaveLength(2));
  });

  it("ends after so many frames, and is printed where something prints frames", async () => {
    const run = rig.run("capture", "zt/c1:eth0", "-f", "icmp", "-c", "2", "-w", fileOf("two"));
    await captures(run, "two", 1);
    await ping(2);
    expect(await run.result).toMatchObject({ code: 0, stderr: "2 frames\n" });
    expect(types(await read("two"))).toEqual([8, 0]);
    const printed = rig.run("capture", "zt/c1:eth0", "-f", "icmp", "-c", "2");
    let isOver = false;
    void printed.result.finally(() => {
      isOver = true;
    });
    // Nothing says when it has begun but that it ends.
    while (!isOver) await ping(1);
    expect(await printed.result).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/echo[\s\S]*request[\s\S]*echo[\s\S]*reply/i),
    });
  });
});

describe("what cannot be captured is told", () => {
  it.each([
    ["a filter that is none", ["zt/c1:eth0", "-f", "nonsense ((", "-w", "x"], /filter: .*syntax error/],
    ["a filter that would be an option", ["zt/c1:eth0", "-f=-w /tmp/x", "-w", "x"], /filter: .*syntax error/],
    [
      "a filter with a name, which is not looked up",
      ["zt/c1:eth0", "-f", "host zorhub.example", "-w", "x"],
      /filter: /,
    ],
    ["a NIC that there is not", ["zt/c1:eth9", "-w", "x"], /eth9.*it has eth0/],
    ["a name of nothing", ["zt/nothing", "-w", "x"], /zt\/nothing/],
    ["a device that nobody may see", ["device:zt/lo", "-w", "x"], /captureDevices/],
    ["a link without an end here", ["links/none", "--at", "zt", "-w", "x"], /links\/none does not exist/],
    ["a frame that is cut too short", ["zt/c1", "-s", "3", "-w", "x"], /--snap/],
    ["a ring without a file", ["zt/c1", "--ring", "2x1M"], /--ring/],
  ])("%s", async (_, argv, said) => {
    const words = argv.map((word) => (word === "x" ? fileOf("none") : word));
    const { code, stderr } = await rig.zor("capture", ...words);
    expect(stderr).toMatch(said);
    expect(code).not.toBe(0);
  });
});
