import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { installationRoot, version } from "../../../lib/program.js";
import { opsUser } from "../../helpers/deploy-hosts/debian-tree.js";
import { DeployHosts } from "../../helpers/deploy-hosts/deploy-hosts.js";
import { InstallRig } from "../../helpers/deploy-hosts/install-rig.js";
import { otherVersion } from "../../helpers/deploy-hosts/other-version.js";
import { eventually } from "../../helpers/eventually.js";
import { captureMachine, leftBehind } from "../../helpers/leftovers.js";
import { runTag } from "../../helpers/run-tag.js";

const archive = join(installationRoot, `.zor/package/zorhub-${version}-x64.tar.gz`);
const before = captureMachine();
/** Namespaces and groups are named by the process that makes them. */
const ours = new RegExp(`-(lab|h\\d+)-${process.pid}-`);
let hosts: DeployHosts;
let rig: InstallRig;
let directory: string;
/** Another build, and one whose agent and hub end at once. */
let another: { readonly path: string; readonly id: string };
let broken: { readonly path: string; readonly id: string };

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), `${runTag}-versions-`));
  another = await otherVersion(archive, { kind: "another", directory });
  broken = await otherVersion(archive, { kind: "broken", directory });
  hosts = await DeployHosts.start({ count: 3 });
  rig = await InstallRig.start(hosts);
  expect((await rig.install("h1", "h2")).stderr).toMatch(/h1: joined[\s\S]*h2: joined|h2: joined[\s\S]*h1: joined/);
}, 1_800_000);
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await hosts[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
  await eventually(() => expect(leftBehind(before, captureMachine(), ours)).toEqual([]));
}, 120_000);

const guests = ["h1/a", "h2/b"];
const withPassword = (...argv: readonly string[]) => rig.zor([...argv, "--password-stdin"], `${opsUser.password}\n`);
const upgrade = (...argv: readonly string[]) => withPassword("host", "upgrade", ...argv);
const current = (at: number) => hosts.at(at).shell("basename $(readlink /opt/zorhub/current)");
/** Only what runs a machine: QEMU is also asked what it can. */
const machinePids = (at: number) => hosts.at(at).shell("pgrep -f '[q]emu-system-x86_64.*-netdev'");

/** Runs zor, which must succeed. */
async function must(...argv: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await rig.zor(argv);
  expect(code, `${argv.join(" ")}: ${stderr}`).toBe(0);
  return stdout;
}

test("machines on both hosts reach each other through a cable", async () => {
  for (const host of ["h1", "h2"]) await must("create", "lan", `${host}/lab`);
  await must("create", "link", "lab", "h1/lab", "h2/lab");
  for (const [at, name] of guests.entries())
    await must("create", "instance", name, "--kernel", "micro", "--nic", `lan=lab,addr=10.5.0.${at + 1}/24`);
  await eventually(async () => {
    expect(await must("exec", "h1/a", "--", "ping", "-c", "3", "10.5.0.2")).toContain("3 packets received");
  }, 300_000);
});

test("all hosts are brought to another build: machines go on, and no ping is lost", async () => {
  const pids = await Promise.all([0, 1].map(machinePids));
  await must("exec", "h1/a", "--", "sh", "-c", "ping -i 0.1 10.5.0.2 > /tmp/pings 2>&1 &");
  const begin = performance.now();
  const { code, stderr } = await upgrade("--all", "--archive", another.path, "--canary", "1");
  console.log(`upgrade of two hosts: ${((performance.now() - begin) / 1000).toFixed(1)} s`);
  expect(code, stderr).toBe(0);
  expect(await Promise.all([0, 1].map(current))).toEqual([`${another.id}\n`, `${another.id}\n`]);
  expect(await Promise.all([0, 1].map(machinePids))).toEqual(pids);
  await must("exec", "h1/a", "--", "killall", "-INT", "ping");
  const said = await must("exec", "h1/a", "--", "tail", "-n", "3", "/tmp/pings");
  const [, sent, received] = /(\d+) packets transmitted, (\d+) packets received/.exec(said) ?? [];
  expect(Number(sent)).toBeGreaterThan(10);
  // The last one may be under way.
  expect(Number(sent) - Number(received)).toBeLessThanOrEqual(1);
  expect((await upgrade("--all", "--archive", another.path)).stderr).toMatch(
    /h1: nothing to do[\s\S]*h2: nothing to do|h2: nothing to do[\s\S]*h1: nothing to do/,
  );
});

test("a version whose agent does not run is taken back without a hand, and the others never get it", async () => {
  const pids = await machinePids(0);
  const { code, stderr } = await upgrade("h1", "h2", "--archive", broken.path, "--canary", "1");
  expect(code).not.toBe(0);
  expect(stderr).toContain(`rolled back to ${another.id}, it runs as before`);
  expect(stderr).toContain("this version is broken");
  expect(await Promise.all([0, 1].map(current))).toEqual([`${another.id}\n`, `${another.id}\n`]);
  expect(await hosts.at(1).shell("ls /opt/zorhub/versions")).not.toContain(broken.id);
  expect(await machinePids(0)).toBe(pids);
  expect(await rig.states()).toMatchObject({ "hosts/h1": "HOST_STATE_READY", "hosts/h2": "HOST_STATE_READY" });
  expect(await must("exec", "h1/a", "--", "ping", "-c", "3", "10.5.0.2")).toContain("3 packets received");
});

test("hosts are taken back to the version before, in one go: machines go on, and what did not run is no version to go to", async () => {
  const pids = await Promise.all([0, 1].map(machinePids));
  const original = (JSON.parse(await readFile(`${archive}.json`, "utf8")) as { id: string }).id;
  const dry = await withPassword("host", "rollback", "h1", "--dry-run");
  expect(dry.stderr).toContain(`h1: would: back to ${original}`);
  const { code, stdout, stderr } = await withPassword("host", "rollback", "--all", "--canary", "1", "-o", "json");
  expect(code, stderr).toBe(0);
  const { hosts: told } = JSON.parse(stdout) as { hosts: { host: string; result: string }[] };
  expect(told.map(({ host, result }) => [host, result])).toEqual([
    ["h1", `back to ${original}`],
    ["h2", `back to ${original}`],
  ]);
  expect(await Promise.all([0, 1].map(current))).toEqual([`${original}\n`, `${original}\n`]);
  expect(await Promise.all([0, 1].map(machinePids))).toEqual(pids);
  expect(await rig.states()).toMatchObject({ "hosts/h1": "HOST_STATE_READY", "hosts/h2": "HOST_STATE_READY" });
  const none = await withPassword("host", "rollback", "h1", "--to", "9.9");
  expect(none.stderr).toMatch(/version 9\.9 is not there; it runs \S+; kept beside it: /);
  const again = await withPassword("host", "rollback", "h1", "h2", "--to", another.id);
  expect(again.code, again.stderr).toBe(0);
  expect(await must("exec", "h1/a", "--", "ping", "-c", "3", "10.5.0.2")).toContain("3 packets received");
});

test("a host gets a new identity: its machines go on", async () => {
  const pids = await machinePids(0);
  const { code, stderr } = await withPassword("host", "rejoin", "h1");
  expect(code, stderr).toBe(0);
  await expect.poll(() => rig.states()).toMatchObject({ "hosts/h1": "HOST_STATE_READY" });
  expect(await machinePids(0)).toBe(pids);
});

test("a host is taken out of the fleet: what it has is not deleted without a word, and then nothing is left", async () => {
  const leave = (...argv: readonly string[]) => withPassword("host", "uninstall", ...argv, "--yes");
  const used = await leave("h2");
  expect(used.code).not.toBe(0);
  expect(used.stderr).toMatch(/hosts\/h2 has 1 instance and \d+ other resource/);
  expect(await rig.states()).toMatchObject({ "hosts/h2": "HOST_STATE_READY" });
  const { code, stderr } = await leave("h2", "--delete-guests", "--purge");
  expect(code, stderr).toBe(0);
  expect(await rig.states()).not.toHaveProperty("hosts/h2");
  const left = await hosts
    .at(1)
    .shell(`ls -d /opt/zorhub /etc/zor /var/lib/zor /var/cache/zorhub /etc/systemd/system/zor-* /usr/local/bin/zor 2>/dev/null
ip netns list; pgrep -fa 'zorhub|zor-|qemu-system' | grep -v ' sh -c ' || true`);
  expect(left).toBe("");
  // What Debian brought is none of ours.
  expect(await hosts.at(1).shell("systemctl is-active ovs-vswitchd")).toBe("active\n");
  expect((await leave("h2=ops@h2")).stderr).toMatch(/nothing to do/);
  const again = await rig.install("h2");
  expect(again.code, again.stderr).toBe(0);
});

test("a hub is installed, brought to another build, and taken back from a broken one", async () => {
  const hub = (verb: string, ...argv: readonly string[]) => withPassword("hub", verb, ...argv);
  const name = "third";
  const made = await hub("install", "h3", "--name", name);
  expect(made.code, made.stderr).toBe(0);
  await must("--context", name, "get", "hosts");
  expect((await hub("install", "h3", "--name", name)).stderr).toMatch(/nothing to do/);
  const upgraded = await hub("upgrade", "h3", "--name", name, "--archive", another.path);
  expect(upgraded.code, upgraded.stderr).toBe(0);
  expect(await current(2)).toBe(`${another.id}\n`);
  await must("--context", name, "get", "hosts");
  const taken = await hub("upgrade", "h3", "--name", name, "--archive", broken.path);
  expect(taken.code).not.toBe(0);
  expect(taken.stderr).toContain(`rolled back to ${another.id}`);
  expect(await current(2)).toBe(`${another.id}\n`);
  await must("--context", name, "get", "hosts");
  const back = await hub("rollback", "h3");
  expect(back.code, back.stderr).toBe(0);
  expect(await current(2)).not.toBe(`${another.id}\n`);
  expect((await hub("rollback", "h3", "--to", (await current(2)).trim())).stderr).toMatch(/nothing to do/);
  await must("--context", name, "get", "hosts");
});
