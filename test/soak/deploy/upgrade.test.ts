import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { installationRoot, version } from "../../../lib/program.js";
import { opsUser } from "../../helpers/deploy-hosts/debian-tree.js";
import { CabledGuests } from "../../helpers/deploy-hosts/guests.js";
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

let guests: CabledGuests;
const withPassword = (...argv: readonly string[]) => rig.zor([...argv, "--password-stdin"], `${opsUser.password}\n`);
const upgrade = (...argv: readonly string[]) => withPassword("host", "upgrade", ...argv);
const current = (at: number) => hosts.at(at).shell("basename $(readlink /opt/zorhub/current)");
/** Only what runs a machine: QEMU is also asked what it can. */
const machinePids = (at: number) => hosts.at(at).shell("pgrep -f '[q]emu-system-x86_64.*-netdev'");

const must = (...argv: readonly string[]) => guests.must(...argv);

test("machines on both hosts reach each other through a cable", async () => {
  guests = await CabledGuests.make(rig);
});

test("all hosts are brought to another build: machines go on, and no ping is lost", async () => {
  const pids = await Promise.all([0, 1].map(machinePids));
  await guests.startPings();
  const begin = performance.now();
  const { code, stderr } = await upgrade("--all", "--archive", another.path, "--canary", "1");
  console.log(`upgrade of two hosts: ${((performance.now() - begin) / 1000).toFixed(1)} s`);
  expect(code, stderr).toBe(0);
  expect(await Promise.all([0, 1].map(current))).toEqual([`${another.id}\n`, `${another.id}\n`]);
  expect(await Promise.all([0, 1].map(machinePids))).toEqual(pids);
  const { sent, lost } = await guests.countPings();
  expect(sent).toBeGreaterThan(10);
  expect(lost).toBe(0);
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
  await guests.reach();
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
  await guests.reach();
});

const settings = (at: number, name = "agent.yaml") => hosts.at(at).shell(`cat /etc/zor/${name}`);
const configure = (...argv: readonly string[]) => withPassword("host", "configure", ...argv);
const untouched = async (at: number) => [await settings(at), await machinePids(at), await agentPid(at)];
const agentPid = (at: number) => hosts.at(at).shell("systemctl show -p MainPID --value zor-agent");

test("settings of hosts are changed: what differs is shown, and the agents run with them", async () => {
  const [text, pids, agents] = [await settings(0), await machinePids(0), await agentPid(0)];
  const dry = await configure("h1", "--set", "figuresMib=32", "--dry-run");
  expect(dry.stderr).toMatch(/h1: would: change figuresMib[\s\S]*h1: \+ figuresMib: 32/);
  expect(await untouched(0)).toEqual([text, pids, agents]);
  const { code, stdout, stderr } = await configure("--all", "--set", "figuresMib=32", "--canary", "1", "-o", "json");
  expect(code, stderr).toBe(0);
  const { hosts: told } = JSON.parse(stdout) as { hosts: { result: string; notes: string[] }[] };
  expect(told.map(({ result }) => result)).toEqual(["changed figuresMib", "changed figuresMib"]);
  expect(told[0]?.notes).toContain("+ figuresMib: 32");
  expect(await settings(0)).toBe(`${text}figuresMib: 32\n`);
  expect(await settings(0, "agent.yaml.before")).toBe(text);
  expect(await machinePids(0)).toBe(pids);
  expect(await agentPid(0)).not.toBe(agents);
  expect((await configure("h1", "--set", "figuresMib=32")).stderr).toMatch(/nothing to do/);
  expect(await rig.states()).toMatchObject({ "hosts/h1": "HOST_STATE_READY", "hosts/h2": "HOST_STATE_READY" });
});

test("what is wrong, or is the host's policy, is refused before anything is changed", async () => {
  const before = await untouched(0);
  const wrong = await configure("h1", "--set", "figuresMib=lots", "--set", "colour=red");
  expect(wrong.stderr).toMatch(/agent\.yaml:\d+:\d+ figuresMib: .*agent\.yaml:\d+:\d+ colour: unknown setting/);
  const policy = await configure("h1", "--set", "hooks=[]", "--set", "host=h7");
  expect(policy.stderr).toMatch(/hooks cannot be changed from afar: it is the host's policy/);
  expect(policy.stderr).toMatch(/host cannot be changed from afar: guests and certificates/);
  expect([wrong.code, policy.code]).not.toContain(0);
  expect(await untouched(0)).toEqual(before);
});

test("settings with which the hub does not reach a host are taken back by themselves", async () => {
  const [text, pids] = [await settings(0), await machinePids(0)];
  const { code, stderr } = await configure("h1", "--set", 'listen=["127.0.0.1:7443"]');
  expect(code).not.toBe(0);
  expect(stderr).toContain("the settings are as before, it runs as before, because: the hub does not reach");
  expect(await settings(0)).toBe(text);
  expect(await hosts.at(0).shell("ls -A /etc/zor")).toBe("agent.yaml\nagent.yaml.before\n");
  expect(await machinePids(0)).toBe(pids);
  expect(await rig.states()).toMatchObject({ "hosts/h1": "HOST_STATE_READY" });
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
