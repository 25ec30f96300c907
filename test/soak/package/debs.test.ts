import { existsSync } from "node:fs";
import { basename } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { runOwned } from "../../helpers/owned.js";
import { makeDirectory, makePackages } from "./package-rig.js";

let place: Awaited<ReturnType<typeof makeDirectory>>;
let debs: readonly string[];

beforeAll(async () => {
  place = await makeDirectory();
  debs = await makePackages("deb", place.path);
}, 900_000);
afterAll(() => place[Symbol.asyncDispose]());

it("there are three, and agent and hub need the common one of the same version", async () => {
  expect(debs.map((file) => basename(file).split("_")[0])).toEqual(["zorhub-common", "zorhub-agent", "zorhub-hub"]);
  const field = async (file: string | undefined, name: string) =>
    (await run("dpkg-deb", ["--field", file ?? "", name])).stdout.trim();
  const [common, agent, hub] = debs;
  const version = await field(common, "Version");
  expect(await field(hub, "Depends")).toBe(`zorhub-common (= ${version})`);
  const depends = await field(agent, "Depends");
  expect(depends).toMatch(/^zorhub-common \(= .*qemu-system-x86, .*openvswitch-switch, crun/);
  // What only tests need.
  expect(depends).not.toMatch(/rsync|iperf3|docker/);
  const listing = (await run("dpkg-deb", ["--contents", agent ?? ""])).stdout;
  expect(listing).toContain("./lib/systemd/system/zor-agent.service");
  expect(listing).toContain("./usr/lib/zorhub/images/micro/vmlinuz");
  expect(listing).toMatch(/^-rw-r--r-- root\/root /m);
});

it.skipIf(!existsSync("/usr/bin/lintian"))("lintian finds nothing (apt-get install lintian)", async () => {
  expect(await runOwned("lintian", ["--allow-root", ...debs], { timeoutMs: 600_000 })).toMatchObject({
    exitCode: 0,
    stdout: "",
  });
});
