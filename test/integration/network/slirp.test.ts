import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { KeptDaemon } from "../../../agent/network/nat/kept-daemon.js";
import { outsideDevice } from "../../../agent/network/nat/nat-config.js";
import { slirpArguments, slirpMark } from "../../../agent/network/nat/slirp.js";
import { findDevice } from "../../../lib/net/device.js";
import { eventually } from "../../helpers/eventually.js";
import { freshName } from "../../helpers/run-tag.js";

test("a nat's way out leaves the host's mounts alone", async () => {
  const netns = freshName();
  const directory = await mkdtemp(join(tmpdir(), "zt-slirp-"));
  await run("ip", ["netns", "add", netns]);
  const socket = join(directory, "slirp.sock");
  const slirp = new KeptDaemon(directory, "slirp4netns", () => undefined);
  onTestFinished(async () => {
    await slirp.stop(slirpMark(socket));
    // Its name is a file alone when the mount is gone.
    await run("ip", ["netns", "del", netns]).catch(() => rm(`/run/netns/${netns}`, { force: true }));
    await rm(directory, { recursive: true });
  });
  const argv = slirpArguments(socket, netns);
  await slirp.ensure({ program: "slirp4netns", argv, netns: undefined, maxFiles: 1024, mark: slirpMark(socket) });
  await eventually(() => expect(findDevice(netns, outsideDevice)).toBeDefined());
  const { pid } = (await slirp.find(slirpMark(socket))) ?? {};
  // It has walled itself off when its root is another than the host's.
  await eventually(async () => expect(await readFile(`/proc/${pid}/mountinfo`, "utf8")).toMatch(/ \/ \/ .* - tmpfs /));
  expect(await readFile("/proc/self/mountinfo", "utf8")).toContain(`/run/netns/${netns} `);
});
