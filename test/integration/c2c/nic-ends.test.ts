import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { eventually } from "../../helpers/eventually.js";
import { crossFrames } from "../../helpers/raw-frames.js";
import { answered, wired } from "./nic-hosts.js";

/** A frame from everybody's address. */
function frame(destination: string, head: string, bytes: number): Buffer {
  const begin = Buffer.from(`${destination}0200000000aa${head}`, "hex");
  return Buffer.concat([begin, randomBytes(bytes - begin.length)]);
}

test("every frame crosses from NIC to NIC, and carrier follows what is behind the other end", async () => {
  const { a, b } = await wired();
  await a.expectCarrier(true);
  await b.expectCarrier(true);
  expect(await answered(a)).toBe(5);
  const frames = [
    frame("0180c200000e", "88cc", 60),
    frame("0180c2000002", "8809", 124),
    frame("0180c2000000", "0026424203", 60),
    frame("0180c2000003", "888e", 60),
    frame("ffffffffffff", "88e5", 1514),
    frame("ffffffffffff", "810000640800", 1518),
    frame("ffffffffffff", "88a80064810000c80800", 1518),
  ];
  const wanted = [[...frames.keys()]];
  const [at1, at2] = [a, b].map(({ guest }) => ({ netns: guest.name, device: "eth1" }));
  if (at1 === undefined || at2 === undefined) throw new Error("there are two");
  for (const { netns, device } of [at1, at2]) await run("ip", ["-n", netns, "link", "set", device, "mtu", "1508"]);
  expect(await crossFrames({ from: at1, to: [at2], frames, wanted })).toEqual(wanted);
  expect(await crossFrames({ from: at2, to: [at1], frames, wanted })).toEqual(wanted);

  await b.stop();
  await a.expectCarrier(false);
  await eventually(() => expect(a.host.end()).toMatchObject({ phase: "degraded" }));
  expect(a.host.end().reason).toContain("the instance does not run");
  await b.start();
  await a.expectCarrier(true);
  await b.expectCarrier(true);
  await eventually(async () => expect(await answered(b)).toBe(5));
});

test("a link that goes leaves the NIC free and without carrier", async () => {
  const { hosts, a, specs } = await wired();
  const nic = `hosts/h1/${a.lan}`;
  await a.expectCarrier(true);
  expect(a.wires.holderOf(nic)).toBe("links/demo");
  const counted = { link: "links/demo", end: nic, port: expect.stringMatching(/^z/) };
  expect(a.host.plugger?.pluggedEnds?.()).toEqual([counted]);
  await hosts.a.cables.deleteEnd("links/demo", specs.a.linkUid);
  await a.expectCarrier(false);
  expect(a.wires.holderOf(nic)).toBe("");
  expect(a.host.plugger?.pluggedEnds?.()).toEqual([]);
  await eventually(async () => {
    const { stdout } = await run("tc", ["-n", hosts.a.lan.name, "filter", "show", "dev", "zp1", "ingress"]);
    expect(stdout.trim()).toBe("");
  });
});
