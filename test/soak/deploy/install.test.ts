import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { opsUser } from "../../helpers/deploy-hosts/debian-tree.js";
import { DeployHosts } from "../../helpers/deploy-hosts/deploy-hosts.js";
import {
  configureSshd,
  forbidProgramsInTmp,
  type Mend,
  removeHome,
  shiftClock,
  smallDisk,
  takePort,
  talkativeShell,
  withoutPackage,
} from "../../helpers/deploy-hosts/host-faults.js";
import { InstallRig, type ZorResult } from "../../helpers/deploy-hosts/install-rig.js";
import { eventually } from "../../helpers/eventually.js";
import { captureMachine, leftBehind } from "../../helpers/leftovers.js";

const before = captureMachine();
/** Namespaces and groups are named by the process that makes them. */
const ours = new RegExp(`-(lab|h\\d+)-${process.pid}-`);
let hosts: DeployHosts;
let rig: InstallRig;
beforeAll(async () => {
  hosts = await DeployHosts.start({ count: 3 });
  rig = await InstallRig.start(hosts);
}, 1_800_000);
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await hosts[Symbol.asyncDispose]();
  await eventually(() => expect(leftBehind(before, captureMachine(), ours)).toEqual([]));
}, 120_000);

const all = ["h1", "h2", "h3"];
const ready = "HOST_STATE_READY";

/** Paths on a host that belong to Zorhub. */
const traces = (at: number) =>
  hosts
    .at(at)
    .shell(
      "ls -d /opt/zorhub /etc/zor /var/lib/zor /var/cache/zorhub /etc/systemd/system/zor-* /usr/local/bin/zor 2>/dev/null || true",
    );

async function must(run: Promise<ZorResult>): Promise<void> {
  const { code, stderr } = await run;
  expect(code, stderr).toBe(0);
}

/** Ids of processes that must go on. */
const agentPid = async (at: number) => (await hosts.at(at).shell("systemctl show -p MainPID --value zor-agent")).trim();

test("what is wrong with a host is said all at once, before anything is changed", async () => {
  const mends: Mend[] = [];
  onTestFinished(async () => void (await Promise.all(mends.map((mend) => mend()))));
  mends.push(await shiftClock(hosts.at(0), 3600));
  mends.push(await smallDisk(hosts.at(0), "/opt", 100));
  mends.push(await takePort(hosts.at(0), 7443));
  const { code, stderr } = await rig.install("h1");
  expect(code).not.toBe(0);
  expect(stderr).toMatch(/its clock says \S+Z and the hub's \S+Z/);
  expect(stderr).toMatch(/MiB are needed below \/opt, 1\d\d MiB are free/);
  expect(stderr).toMatch(/something else listens on port 7443/);
  for (const mend of mends.splice(0)) await mend();
  expect(await traces(0)).toBe("");
  expect(await rig.states()).toEqual({});
});

test("a wrong password, and none where nobody can be asked", async () => {
  const wrong = await rig.run(["host", "install", "h1", "--password-stdin"], "wrong\n").result;
  expect(wrong.stderr).toMatch(/h1.*sudo does not take the password/);
  const none = await rig.zor(["host", "install", "h1"]);
  expect(none.stderr).toMatch(/h1.*sudo asks for a password, and nobody can be asked/);
  expect([wrong.code, none.code]).not.toContain(0);
  expect(await traces(0)).toBe("");
});

test("a dry run says what would be done, and does nothing", async () => {
  const { code, stderr, stdout } = await rig.install(...all, "--dry-run", "-o", "json");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const { hosts: told } = JSON.parse(stdout) as { hosts: { host: string; result: string; changed: boolean }[] };
  expect(told.map(({ host, result, changed }) => [host, result, changed])).toEqual(
    all.map((host) => [host, "would: version, switch, join, start", false]),
  );
  expect(await traces(1)).toBe("");
});

test("three hosts from nothing, one of which has another key than the known one: the others are done", async () => {
  await hosts.at(2).renewHostKeys();
  const { code, stderr } = await rig.install(...all);
  expect(stderr).toMatch(/h3: FAILED: .*shows another key/);
  expect(stderr).toMatch(/1 of 3 failed/);
  expect(code).toBe(11);
  expect(await rig.states()).toEqual({ "hosts/h1": ready, "hosts/h2": ready });
  expect(await traces(2)).toBe("");
  await rig.person.know();
  const again = await rig.install(...all);
  expect(again.code).toBe(0);
  expect(again.stderr).toMatch(/h1: nothing to do/);
  expect(await rig.states()).toEqual(Object.fromEntries(all.map((name) => [`hosts/${name}`, ready])));
  // Neither the password nor a token is in what the host keeps of what was run.
  for (const at of [0, 2]) {
    const logs = await hosts.at(at).shell("journalctl -b; cat /var/log/auth.log 2>/dev/null || true");
    expect(logs).toContain("COMMAND=");
    expect(logs).not.toContain(opsUser.password);
    expect(logs).not.toMatch(/zor1\.[A-Za-z0-9]/);
  }
});

test("a second run does nothing, and says so", async () => {
  const pids = await Promise.all([0, 1, 2].map(agentPid));
  const begin = performance.now();
  const { code, stdout } = await rig.install(...all, "-o", "json");
  console.log(`nothing to do for three hosts: ${((performance.now() - begin) / 1000).toFixed(1)} s`);
  expect(code).toBe(0);
  const { hosts: told } = JSON.parse(stdout) as { hosts: { result: string; changed: boolean }[] };
  for (const { result, changed } of told) {
    expect(result).toMatch(/^nothing to do: runs /);
    expect(changed).toBe(false);
  }
  expect(await Promise.all([0, 1, 2].map(agentPid))).toEqual(pids);
});

test("hosts boot with their agent", async () => {
  await hosts.at(1).powerOff();
  await hosts.at(1).boot();
  await expect.poll(() => rig.states()).toMatchObject({ "hosts/h2": ready });
});

test("a host under the name of another one, and another name for the same host, are refused", async () => {
  const other = await rig.install("h2=ops@h1");
  expect(other.stderr).toMatch(/it is hosts\/h1 of this fleet already/);
  await rig.startOver(2);
  const taken = await rig.install("h1=ops@h3");
  expect(taken.stderr).toMatch(/hosts\/h1 is a machine already, and not this one/);
  expect([other.code, taken.code]).not.toContain(0);
  expect(await traces(2)).toBe("");
});

test("Ctrl-C while the archive is sent: the next run sends what is missing, and goes on", async () => {
  await rig.startOver(2);
  const first = rig.installing("h3");
  await first.says(/h3: sends ([2-6]\d) of/);
  first.interrupt();
  expect((await first.result).code).toBe(130);
  const sent = Number(await hosts.at(2).shell("stat -c %s /var/cache/zorhub/*.part"));
  expect(sent).toBeGreaterThan(10_000_000);
  const again = rig.installing("h3");
  await again.says(/h3: sends/);
  const { code, stderr } = await again.result;
  expect(code).toBe(0);
  const [, count = "0"] = /h3: sends (\d+) of/.exec(stderr) ?? [];
  expect(Number(count)).toBeGreaterThanOrEqual(Math.floor(sent / 1e6));
  expect(await rig.states()).toMatchObject({ "hosts/h3": ready });
  expect(await hosts.at(2).shell("ls /var/cache/zorhub 2>/dev/null || true")).toBe("");
});

test.each([["unpacks"], ["switches"], ["joins"], ["starts"], ["waits for the hub"]])(
  "Ctrl-C when it %s: the next run goes on from there",
  async (step) => {
    await rig.startOver(2);
    const first = rig.installing("h3");
    await first.says(new RegExp(`h3: ${step}`));
    first.interrupt();
    expect((await first.result).code).toBe(130);
    const { code, stderr } = await rig.install("h3");
    expect(code, stderr).toBe(0);
    expect(await rig.states()).toMatchObject({ "hosts/h3": ready });
    expect((await rig.install("h3")).stderr).toMatch(/h3: nothing to do/);
  },
);

test("a host that dies in the middle fails alone, and is gone on with after it boots", async () => {
  await rig.startOver(2);
  const first = rig.installing("h2", "h3");
  await first.says(/h3: unpacks/);
  await hosts.at(2).powerOff();
  const { code, stderr } = await first.result;
  expect(stderr).toMatch(/h2: nothing to do/);
  expect(stderr).toMatch(/h3: FAILED: .*was lost/);
  expect(code).toBe(11);
  await hosts.at(2).boot();
  const again = await rig.install("h2", "h3");
  expect(again.code, again.stderr).toBe(0);
  expect(await rig.states()).toMatchObject({ "hosts/h3": ready });
});

test("two installs at once: one is told to wait, or has nothing to do, and the host is whole", async () => {
  await rig.startOver(2);
  const runs = await Promise.all([rig.install("h3"), rig.install("h3")]);
  const failed = runs.filter(({ code }) => code !== 0);
  for (const { stderr } of failed) expect(stderr).toMatch(/somebody else installs or changes/);
  expect(failed.length).toBeLessThan(2);
  expect((await rig.install("h3")).stderr).toMatch(/h3: nothing to do/);
  expect(await rig.states()).toMatchObject({ "hosts/h3": ready });
});

test("noexec /tmp, a talkative shell, an sshd that lets few commands run, and no home directory", async () => {
  await rig.startOver(2);
  const host = hosts.at(2);
  await forbidProgramsInTmp(host);
  await talkativeShell(host);
  await host.shell("install -d /etc/ssh/keys && cp /home/ops/.ssh/authorized_keys /etc/ssh/keys/ops");
  await configureSshd(host, "AuthorizedKeysFile /etc/ssh/keys/%u", "MaxSessions 2");
  await must(rig.install("h3"));
  await removeHome(host);
  expect((await rig.install("h3")).stderr).toMatch(/h3: nothing to do/);
  await rig.startOver(2);
  await host.shell("install -d /etc/ssh/keys && cp /home/ops/.ssh/authorized_keys /etc/ssh/keys/ops");
  await configureSshd(host, "AuthorizedKeysFile /etc/ssh/keys/%u");
  await removeHome(host);
  await must(rig.install("h3"));
  expect(await rig.states()).toMatchObject({ "hosts/h3": ready });
});

test("a package that is missing, and apt reaches nothing: what is wanted and --debs are named", async () => {
  await rig.startOver(2);
  await withoutPackage(hosts.at(2), "swtpm");
  const { code, stderr } = await rig.install("h3");
  expect(code).not.toBe(0);
  expect(stderr).toMatch(/wanted: swtpm/);
  expect(stderr).toMatch(/--debs DIR/);
  expect(await rig.states()).not.toHaveProperty("hosts/h3");
});
