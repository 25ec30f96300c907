import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { runJson } from "../../../agent/host/exec.js";
import { eventually } from "../../helpers/eventually.js";
import type { LoopbackHost } from "../c2c/loopback-host.js";
import { LoopbackPair } from "./loopback-pair.js";

const linksPerWave = 50;

/** Makes and deletes waves of 50 links between two engines, and checks that nothing of them is left at either. */
export async function expectNothingLeftAfter(waves: number): Promise<void> {
  await using pair = await LoopbackPair.make();
  // Threads and what a process keeps for later use come with the first links.
  await comeAndGo(pair, 0);
  const before = await Promise.all(pair.hosts.map(belongings));
  for (let wave = 1; wave < waves; wave += 1) await comeAndGo(pair, wave);
  // Descriptors of the last connections are closed by the kernel a moment later.
  await eventually(async () => expect(await Promise.all(pair.hosts.map(belongings))).toEqual(before));
  expect(before[0]).toMatchObject({ devices: ["lo"], ends: 0, children: "" });
}

/** Makes links, waits until all work, and deletes them. */
async function comeAndGo(pair: LoopbackPair, wave: number): Promise<void> {
  const names = Array.from({ length: linksPerWave }, (_, index) => `links/l${wave}-${index}`);
  const links = await Promise.all(names.map(async (link) => ({ link, linkUid: await pair.addLink(link) })));
  for (const { link } of links) await pair.active(link);
  await Promise.all(links.map(({ link, linkUid }) => pair.deleteLink(link, linkUid)));
}

/** What a host has, of which nothing may be left by a link that is gone. */
async function belongings({ cables, lan, stateDirectory }: LoopbackHost) {
  const process = `/proc/${cables.enginePid}`;
  // iproute2 prints an array with one object for each device.
  const devices = (await runJson("ip", ["-n", lan.name, "-j", "link", "show"])) as readonly { ifname: string }[];
  return {
    descriptors: (await readdir(join(process, "fd"))).length,
    threads: (await readdir(join(process, "task"))).length,
    children: (await readFile(join(process, "task", String(cables.enginePid), "children"), "utf8")).trim(),
    devices: devices.map(({ ifname }) => ifname),
    ends: cables.list().length,
    stored: JSON.parse(await readFile(join(stateDirectory, "cable", "ends.json"), "utf8")) as unknown,
  };
}
