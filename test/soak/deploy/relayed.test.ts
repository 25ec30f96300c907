import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { installationRoot, version } from "../../../lib/program.js";
import { opsUser } from "../../helpers/deploy-hosts/debian-tree.js";
import { DeployHosts } from "../../helpers/deploy-hosts/deploy-hosts.js";
import { CabledGuests } from "../../helpers/deploy-hosts/guests.js";
import { InstallRig } from "../../helpers/deploy-hosts/install-rig.js";
import { otherVersion } from "../../helpers/deploy-hosts/other-version.js";
import { eventually } from "../../helpers/eventually.js";
import { captureMachine, leftBehind } from "../../helpers/leftovers.js";
import { runTag } from "../../helpers/run-tag.js";

const archive = join(installationRoot, `.zor/package/zorhub-${version}-x64.tar.gz`);
const before = captureMachine();
/** Namespaces and groups are named by the process that makes them. */
const ours = new RegExp(`-(lab|h\\d+)-${process.pid}-`);
/** The hub is on h3; h1 and h2 reach it, and not each other. */
const context = ["--context", "relayed"];
let hosts: DeployHosts;
let rig: InstallRig;
let guests: CabledGuests;
let directory: string;
let another: { readonly path: string; readonly id: string };

const withPassword = (...argv: readonly string[]) => rig.zor([...argv, "--password-stdin"], `${opsUser.password}\n`);
const current = async (at: number) => (await hosts.at(at).shell("basename $(readlink /opt/zorhub/current)")).trim();

async function must(...argv: readonly string[]): Promise<void> {
  const { code, stderr } = await withPassword(...argv);
  expect(code, stderr).toBe(0);
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), `${runTag}-versions-`));
  another = await otherVersion(archive, { kind: "another", directory });
  hosts = await DeployHosts.start({ count: 3 });
  for (const at of [0, 1]) await hosts.lab.isolate(hosts.at(at).address);
  rig = await InstallRig.start(hosts);
  await must("hub", "install", "h3", "--name", "relayed");
  await must(...context, "host", "install", "h1", "h2");
  guests = await CabledGuests.make(rig, context);
}, 1_800_000);
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await hosts[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
  await eventually(() => expect(leftBehind(before, captureMachine(), ours)).toEqual([]));
}, 120_000);

test("the cable is relayed", async () => {
  await eventually(async () => expect(await guests.must("get", "links")).toContain("relayed"));
});

test("hosts, then their hub, are brought to another build, and back: no ping through the hub's relay is lost", async () => {
  await guests.startPings();
  await must(...context, "host", "upgrade", "h1", "h2", "--archive", another.path);
  await must("hub", "upgrade", "h3", "--name", "relayed", "--archive", another.path);
  expect(await Promise.all([0, 1, 2].map(current))).toEqual([another.id, another.id, another.id]);
  await must("hub", "rollback", "h3");
  await must(...context, "host", "rollback", "h1", "h2");
  expect(await Promise.all([0, 1, 2].map(current))).not.toContain(another.id);
  const { sent, lost } = await guests.countPings();
  console.log(`${sent} pings, ${lost} lost`);
  expect(sent).toBeGreaterThan(100);
  expect(lost).toBe(0);
  expect(await guests.must("get", "links")).toContain("relayed");
});
