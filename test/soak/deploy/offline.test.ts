import { cp, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DebianRelease } from "../../helpers/deploy-hosts/debian-tree.js";
import { DeployHosts } from "../../helpers/deploy-hosts/deploy-hosts.js";
import { CabledGuests } from "../../helpers/deploy-hosts/guests.js";
import { withoutPackage } from "../../helpers/deploy-hosts/host-faults.js";
import { InstallRig } from "../../helpers/deploy-hosts/install-rig.js";
import { bare, makeOfflineDebs } from "../../helpers/deploy-hosts/offline-debs.js";
import { eventually } from "../../helpers/eventually.js";
import { captureMachine, leftBehind } from "../../helpers/leftovers.js";
import { runTag } from "../../helpers/run-tag.js";

/** Namespaces and groups are named by the process that makes them. */
const ours = new RegExp(`-(lab|h\\d+)-${process.pid}-`);
const systems: readonly (readonly [DebianRelease, string])[] = [
  ["bookworm", "12"],
  ["trixie", "13"],
];

describe.each(systems)("hosts of %s without a way to Debian's archive", (release, version) => {
  const before = captureMachine();
  let place: string;
  let debs: string;
  let hosts: DeployHosts;
  let rig: InstallRig;
  beforeAll(async () => {
    place = await mkdtemp(join(tmpdir(), `${runTag}-offline-`));
    debs = await makeOfflineDebs(place, release);
    hosts = await DeployHosts.start({ count: 2, release });
    rig = await InstallRig.start(hosts);
  }, 1_800_000);
  afterAll(async () => {
    await rig?.[Symbol.asyncDispose]();
    await hosts?.[Symbol.asyncDispose]();
    await rm(place, { recursive: true, force: true });
    await eventually(() => expect(leftBehind(before, captureMachine(), ours)).toEqual([]));
  }, 120_000);

  const installed = async (at: number, names: readonly string[]) =>
    (await hosts.at(at).shell(`dpkg-query -W -f='\${db:Status-Status}\\n' ${names.join(" ")}`)).trim().split("\n");

  test("they are as Debian has them", async () => {
    expect(await hosts.at(0).shell(". /etc/os-release; echo $VERSION_ID")).toBe(`${version}\n`);
  });

  test("packages of another Debian are refused before anything is changed", async () => {
    await withoutPackage(hosts.at(0), "swtpm");
    const other = await mkdtemp(join(tmpdir(), `${runTag}-other-`));
    const [file = ""] = (await readdir(debs)).filter((name) => name.endsWith(".deb"));
    await cp(join(debs, file), join(other, file));
    await writeFile(join(other, "offline.json"), '{"system":{"id":"debian","version":"11"}}');
    const { code, stderr } = await rig.install("h1", "--debs", other).finally(() => rm(other, { recursive: true }));
    expect(code).not.toBe(0);
    expect(stderr).toContain(`the packages of --debs are of debian 11, and it runs debian ${version}`);
  });

  test("one that lacks a package is sent that one and what it needs, cut off in between or not", async () => {
    const first = rig.installing("h1", "--debs", debs);
    await first.says(/h1: packages/);
    first.interrupt();
    expect((await first.result).code).toBe(130);
    const { code, stderr } = await rig.install("h1", "--debs", debs);
    expect(code, stderr).toBe(0);
    expect(await installed(0, ["swtpm"])).toEqual(["installed"]);
    expect(stderr).not.toMatch(/packages: (Unpacking|Setting up) qemu/);
  });

  test("a bare one is installed whole, from files that nobody made an index of as well", async () => {
    const gone = await bare(hosts.at(1), debs);
    expect((await rig.install("h2")).stderr).toMatch(/without a way to its archive.*--debs DIR/);
    await rm(join(debs, "Packages"));
    const { code, stderr } = await rig.install("h2", "--debs", debs);
    expect(code, stderr).toBe(0);
    expect(new Set(await installed(1, gone))).toEqual(new Set(["installed"]));
    expect(await rig.states()).toEqual({ "hosts/h1": "HOST_STATE_READY", "hosts/h2": "HOST_STATE_READY" });
    expect(await hosts.at(1).shell("ls /var/cache/zorhub 2>/dev/null || true")).toBe("");
    expect((await rig.install("h1", "h2", "--debs", debs)).stderr).toMatch(/h2: nothing to do/);
  });

  test("machines on them reach each other", async () => {
    await CabledGuests.make(rig);
  });
});
