import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runJson } from "../../../agent/host/exec.js";
import { eventually } from "../../helpers/eventually.js";
import type { LoopbackHost } from "../c2c/loopback-host.js";
import { LoopbackPair } from "./loopback-pair.js";

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

/** Makes some links at once, waits until all work, and deletes them. */
async function comeAndGo(pair: LoopbackPair, names: readonly string[]): Promise<void> {
  const links = await Promise.all(
    names.map(async (name) => ({ link: `links/${name}`, linkUid: await pair.addLink(`links/${name}`) })),
  );
  for (const { link } of links) await pair.active(link);
  await Promise.all(links.map(({ link, linkUid }) => pair.deleteLink(link, linkUid)));
}

test("of a thousand links that came and went nothing is left", async () => {
  await using pair = await LoopbackPair.make();
  const wave = (number: number) => Array.from({ length: 50 }, (_, index) => `l${number}-${index}`);
  // Threads and what a process keeps for later use come with the first links.
  await comeAndGo(pair, wave(0));
  const before = await Promise.all(pair.hosts.map(belongings));
  for (let number = 1; number < 20; number += 1) await comeAndGo(pair, wave(number));
  // Descriptors of the last connections are closed by the kernel a moment later.
  await eventually(async () => expect(await Promise.all(pair.hosts.map(belongings))).toEqual(before));
  expect(before[0]).toMatchObject({ devices: ["lo"], ends: 0, children: "" });
});
