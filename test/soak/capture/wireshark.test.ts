import { once } from "node:events";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { ReachRig } from "../../integration/reach/rig.js";
import { readPcapng } from "../../helpers/pcapng-reader.js";

let rig: ReachRig;

beforeAll(async () => {
  rig = await ReachRig.start();
  await rig.createLan("lan1");
  for (const [index, id] of ["c1", "c2"].entries()) {
    const nic = { lan: "lan1", addresses: [`10.61.8.${index + 1}/24`] };
    await rig.create(id, { crun: { rootfs: "micro" }, nics: [nic] });
  }
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

/** Pings until a capture ends by itself. */
async function pingUntil(ended: Promise<unknown>): Promise<void> {
  let isOver = false;
  void ended.finally(() => {
    isOver = true;
  });
  while (!isOver) await rig.zor("exec", "zt/c1", "--", "ping", "-c", "1", "-W", "10", "10.61.8.2");
}

it("tshark of the package tshark reads files with all that was written into them", async () => {
  const file = join(rig.directory, "read.pcapng");
  const capture = rig.run(
    "capture",
    "zt/c1:eth0",
    "zt/c2:eth0",
    "-f",
    "icmp",
    "-c",
    "8",
    "-w",
    file,
    "--comment",
    "soak",
  );
  await pingUntil(capture.result);
  expect(await capture.result).toMatchObject({ code: 0 });
  const fields = ["frame.interface_name", "icmp.type", "frame.packet_flags_direction"].flatMap((field) => [
    "-e",
    field,
  ]);
  const { stdout } = await run("tshark", ["-r", file, "-T", "fields", ...fields]);
  const rows = stdout
    .trim()
    .split("\n")
    .map((line) => line.split("\t"));
  expect(rows).toHaveLength(8);
  expect(new Set(rows.map(([name]) => name))).toEqual(new Set(["zt/c1/eth0", "zt/c2/eth0"]));
  expect(new Set(rows.map(([, type]) => type))).toEqual(new Set(["8", "0"]));
  expect((await run("capinfos", [file])).stdout).toMatch(/soak/);
});

it("is an extcap: it lists what there is, and writes into the pipe that it is given", async () => {
  const listed = await rig.zor("extcap", "--extcap-interfaces", "--extcap-version=4.0");
  expect(listed.stdout).toContain("interface {value=hosts/zt/lans/lan1}{display=Zorhub lan zt/lan1}");
  const own = ["--extcap-interface", "hosts/zt/lans/lan1"];
  expect((await rig.zor("extcap", "--extcap-dlts", ...own)).stdout).toContain("{number=1}");
  expect((await rig.zor("extcap", "--extcap-config", ...own)).stdout).toContain("{call=--snap}");
  const fifo = join(rig.directory, "fifo");
  await run("mkfifo", [fifo]);
  const capture = rig.run("extcap", "--capture", ...own, "--extcap-capture-filter", "icmp", "--fifo", fifo);
  const stream = createReadStream(fifo);
  const all = buffer(stream);
  await once(stream, "open");
  await rig.zor("exec", "zt/c1", "--", "ping", "-c", "1", "-W", "10", "10.61.8.2");
  let seen = 0;
  stream.on("data", (data) => {
    seen += data.length;
  });
  for (let tries = 0; seen < 600 && tries < 50; tries += 1)
    await rig.zor("exec", "zt/c1", "--", "ping", "-c", "1", "-W", "10", "10.61.8.2");
  capture.interrupt();
  expect(await capture.result).toMatchObject({ code: 0 });
  const read = readPcapng(await all);
  expect(read.interfaces.map(({ name }) => name)).toContain("zt/c1/eth0");
  expect(read.frames.length).toBeGreaterThan(0);
});
