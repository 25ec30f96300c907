import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { appendFile, readFile, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { run } from "../../../agent/host/exec.js";
import type { SshConnection } from "../../../lib/ssh/connection.js";
import { runScript, SudoError } from "../../../lib/ssh/script.js";
import { opsUser } from "../../helpers/deploy-hosts/debian-tree.js";
import { DeployHosts } from "../../helpers/deploy-hosts/deploy-hosts.js";
import {
  configureSshd,
  forbidProgramsInTmp,
  removeHome,
  shiftClock,
  smallDisk,
  takePort,
  talkativeShell,
} from "../../helpers/deploy-hosts/host-faults.js";
import { answers, Person } from "../../helpers/deploy-hosts/person.js";
import { eventually } from "../../helpers/eventually.js";
import { captureMachine, leftBehind } from "../../helpers/leftovers.js";
import { spawnOwned } from "../../helpers/owned.js";

const before = captureMachine();
/** Namespaces and groups are named by the process that makes them. */
const ours = new RegExp(`-(lab|h\\d+)-${process.pid}-`);
let hosts: DeployHosts;
beforeAll(async () => {
  hosts = await DeployHosts.start({ count: 2 });
}, 1_800_000);
afterAll(async () => {
  await hosts[Symbol.asyncDispose]();
  await eventually(() => expect(leftBehind(before, captureMachine(), ours)).toEqual([]));
}, 120_000);

const root = { password: opsUser.password };

/** Sets a fault for the rest of a test. */
async function during(fault: Promise<() => Promise<void>>): Promise<void> {
  onTestFinished(await fault);
}

/** Why sudo did not make a script root. */
async function sudoTrouble(connection: SshConnection, password: string | undefined): Promise<unknown> {
  const error: unknown = await runScript(connection, "true", { root: { password } }).catch((reason: unknown) => reason);
  return error instanceof SudoError ? error.trouble : error;
}

test("hosts are apart from each other and from this machine", async () => {
  const names = await Promise.all(hosts.hosts.map((host) => host.shell("hostname; cat /etc/machine-id")));
  expect(new Set(names).size).toBe(2);
  expect(await hosts.at(0).shell("ls /sys/class/net")).toBe("eth0\nlo\n");
  expect(await hosts.at(0).shell(`ping=$(ls /home); echo $ping`)).toBe("ops\n");
  await expect(hosts.at(0).shell("echo 1 > /proc/sys/kernel/panic")).rejects.toThrow("Read-only");
  const keys = await Promise.all(hosts.hosts.map((host) => host.knownHost()));
  expect(new Set(keys.map((line) => line.split(" ")[2])).size).toBe(2);
});

test("a password lets in, and makes scripts root by a real sudo", async () => {
  const person = await Person.make(hosts, onTestFinished);
  const { asked, questions } = answers();
  const connection = await person.open("h1", { questions });
  expect(asked).toEqual(["password of ops@h1"]);
  expect((await runScript(connection, "id -un")).stdout).toBe("ops\n");
  expect(await runScript(connection, "id -un; exit 7", { root })).toEqual({ code: 7, stdout: "root\n", stderr: "" });
  expect(await sudoTrouble(connection, "wrong")).toBe("wrong-password");
  expect(await sudoTrouble(connection, undefined)).toBe("password-needed");
  // What a terminal would take for keys, and more than any buffer on the way.
  const bytes = Buffer.concat([Buffer.from([3, 4, 26, 28, 13, 10, 0, 255]), randomBytes(20_000_000)]);
  const sum = await runScript(connection, "sha256sum", { root, stdin: [bytes] });
  expect(sum.stdout.split(" ")[0]).toBe(createHash("sha256").update(bytes).digest("hex"));
  // Neither the arguments nor the environment of anything, nor a log, has the password.
  const seen = await hosts.at(0).shell("cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' '\\n'; journalctl -b");
  expect(seen).toContain("sshd");
  expect(seen).not.toContain(opsUser.password);
});

test("users that sudo does not take, in its own words", async () => {
  const person = await Person.make(hosts, onTestFinished);
  const connection = await person.open("h1", answers());
  const sudoers = async (text: string) => {
    await hosts.at(0).shell("cat > /etc/sudoers.d/test && chmod 440 /etc/sudoers.d/test && visudo -c", { input: text });
  };
  onTestFinished(async () => void (await hosts.at(0).shell("rm -f /etc/sudoers.d/test; gpasswd -a ops sudo")));
  await sudoers("ops ALL=(ALL) NOPASSWD: ALL\n");
  await expect(runScript(connection, "cat; id -u", { root, stdin: [Buffer.from("in\n")] })).resolves.toMatchObject({
    stdout: "in\n0\n",
  });
  await sudoers("Defaults requiretty\n");
  expect(await sudoTrouble(connection, opsUser.password)).toBe("needs-terminal");
  await sudoers("ops ALL=(ALL) /usr/bin/true\n");
  await hosts.at(0).shell("gpasswd -d ops sudo");
  const limited = await person.open("h1", answers());
  expect(await sudoTrouble(limited, opsUser.password)).toBe("not-allowed");
  await sudoers("");
  expect(await sudoTrouble(limited, opsUser.password)).toBe("not-allowed");
});

test("what the shell of a user says at each login is no output of scripts", async () => {
  await during(talkativeShell(hosts.at(0)));
  await during(configureSshd(hosts.at(0), "Banner /etc/issue"));
  const person = await Person.make(hosts, onTestFinished);
  const connection = await person.open("h1", answers());
  for (const options of [{}, { root }]) {
    await expect(runScript(connection, "echo out; echo err >&2; exit 3", options)).resolves.toEqual({
      code: 3,
      stdout: "out\n",
      stderr: "err\n",
    });
  }
});

test("without a home directory scripts run", async () => {
  const person = await Person.make(hosts, onTestFinished);
  await during(removeHome(hosts.at(0)));
  const connection = await person.open("h1", answers());
  await expect(runScript(connection, "pwd", { root })).resolves.toEqual({ code: 0, stdout: "/\n", stderr: "" });
});

test.each([
  [
    "an account that may not have a shell",
    "usermod -s /usr/sbin/nologin ops",
    "usermod -s /bin/bash ops",
    /not available/,
  ],
  ["a password that must be changed first", "chage -d 0 ops", "chage -d 20000 ops", /[Pp]assword.*(change|expired)/],
])("%s: the error has the server's words", async (_what, spoil, mend, words) => {
  const person = await Person.make(hosts, onTestFinished);
  await person.authorize(0);
  await hosts.at(0).shell(spoil);
  onTestFinished(async () => void (await hosts.at(0).shell(mend)));
  const connection = await person.open("h1");
  for (const options of [{}, { root }]) await expect(runScript(connection, "true", options)).rejects.toThrow(words);
});

test("a key lets in; one with a passphrase is asked for", async () => {
  const person = await Person.make(hosts, onTestFinished);
  await person.authorize(0);
  const connection = await person.open("h1");
  expect((await connection.exec("id -un")).stdout).toBe("ops\n");
  for (const type of ["rsa", "ecdsa"]) {
    await run("ssh-keygen", ["-q", "-t", type, "-N", "open it", "-f", person.path(type)]);
    await person.authorize(0, type);
    await person.configure({ h1: [`IdentityFile ~/.ssh/${type}`, "IdentitiesOnly yes"] });
    const { asked, questions } = answers("open it");
    await person.open("h1", { questions });
    expect(asked).toEqual([`passphrase of ${person.path(type)}`]);
  }
  await person.configure();
  await expect(person.open("h2")).rejects.toMatchObject({
    reason: "SSH_AUTHENTICATION",
    message: expect.stringContaining("it takes: publickey, password"),
  });
});

test("a server that asks by keyboard-interactive alone", async () => {
  await during(
    configureSshd(hosts.at(0), "PasswordAuthentication no", "KbdInteractiveAuthentication yes", "UsePAM yes"),
  );
  const person = await Person.make(hosts, onTestFinished);
  const { asked, questions } = answers();
  await person.open("h1", { questions });
  expect(asked).toEqual(["password of ops@h1"]);
  await expect(person.open("h1", answers("wrong"))).rejects.toMatchObject({ reason: "SSH_AUTHENTICATION" });
});

test("known hosts as ssh-keygen hashes them, and what is added is known to ssh", async () => {
  const person = await Person.make(hosts, onTestFinished);
  await person.authorize(0);
  await run("ssh-keygen", ["-q", "-H", "-f", person.knownHosts]);
  expect(await readFile(person.knownHosts, "utf8")).not.toContain(hosts.at(0).address);
  await person.open("h1");
  await writeFile(person.knownHosts, "");
  await expect(person.open("h1")).rejects.toMatchObject({ reason: "SSH_HOST_KEY_UNKNOWN" });
  await person.configure({ h1: ["HashKnownHosts yes"] });
  await person.open("h1", { unknownKeys: "accept-new" });
  const argv = ["-F", person.path("config"), "-o", `UserKnownHostsFile=${person.knownHosts}`];
  const strict = ["-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-i", person.path("key")];
  expect((await run("ssh", [...argv, ...strict, "h1", "id", "-un"])).stdout).toBe("ops\n");
  expect((await run("ssh-keygen", ["-F", hosts.at(0).address, "-f", person.knownHosts])).stdout).toContain("found");
});

test("a server that was installed anew is refused until its old key is removed as the error says", async () => {
  const person = await Person.make(hosts, onTestFinished);
  await person.authorize(1);
  await hosts.at(1).renewHostKeys();
  const changed: unknown = await person.open("h2", { unknownKeys: "accept-new" }).catch((reason: unknown) => reason);
  expect(changed).toMatchObject({ reason: "SSH_HOST_KEY_CHANGED" });
  const [, remedy = ""] = /(ssh-keygen .*)$/.exec(String(changed)) ?? [];
  await run("sh", ["-c", remedy]);
  await person.open("h2", { unknownKeys: "accept-new" });
});

test("certificates of servers: a plain key that is known counts, an authority alone is told", async () => {
  const person = await Person.make(hosts, onTestFinished);
  await person.authorize(0);
  await person.makeKey("authority");
  const key = person.path("host");
  await writeFile(`${key}.pub`, await hosts.at(0).shell("cat /etc/ssh/ssh_host_ed25519_key.pub"));
  await run("ssh-keygen", [
    "-q",
    "-s",
    person.path("authority"),
    "-h",
    "-I",
    "h1",
    "-n",
    hosts.at(0).address,
    `${key}.pub`,
  ]);
  const certificate = await readFile(`${key}-cert.pub`, "utf8");
  await hosts.at(0).shell("cat > /etc/ssh/ssh_host_ed25519_key-cert.pub", { input: certificate });
  await during(configureSshd(hosts.at(0), "HostCertificate /etc/ssh/ssh_host_ed25519_key-cert.pub"));
  await person.open("h1");
  const authority = (await readFile(person.path("authority.pub"), "utf8")).trim();
  await writeFile(person.knownHosts, `@cert-authority 10.77.0.* ${authority}\n`);
  await expect(person.open("h1")).rejects.toMatchObject({
    reason: "SSH_HOST_KEY_UNKNOWN",
    message: expect.stringContaining(`${person.knownHosts}:1 names an authority`),
  });
  await appendFile(person.knownHosts, `@revoked * ${(await hosts.at(0).knownHost()).split(" ").slice(1).join(" ")}`);
  await expect(person.open("h1", { unknownKeys: "accept-new" })).rejects.toMatchObject({
    reason: "SSH_HOST_KEY_REVOKED",
  });
});

test("through a server before it, whose key and login count for themselves", async () => {
  const person = await Person.make(hosts, onTestFinished);
  await person.authorize(0);
  await person.authorize(1);
  await person.configure({ h2: ["ProxyJump h1"] });
  const connection = await person.open("h2");
  const [from] = (await connection.exec("echo $SSH_CONNECTION")).stdout.split(" ");
  expect(from).toBe(hosts.at(0).address);
  await during(configureSshd(hosts.at(0), "AllowTcpForwarding no"));
  await expect(person.open("h2")).rejects.toThrow(/h2 through the server before it.*AllowTcpForwarding/);
});

test("keys of a real agent, one of them when only that one may be shown, and beside certificates", async () => {
  const person = await Person.make(hosts, onTestFinished);
  await person.makeKey("authority");
  for (let at = 0; at < 7; at += 1) await person.makeKey(`other${at}`);
  const socket = person.path("agent");
  const agent = spawnOwned("ssh-agent", ["-D", "-a", socket], { stdio: ["ignore", "pipe", "pipe"] });
  onTestFinished(() => void agent.kill());
  await once(agent.stdout, "data");
  const add = (name: string) => run("ssh-add", ["-q", person.path(name)], { env: { SSH_AUTH_SOCK: socket } });
  await run("ssh-keygen", ["-q", "-s", person.path("authority"), "-I", "ops", "-n", "ops", person.path("other0.pub")]);
  await add("other0");
  await person.authorize(0);
  await add("key");
  const config = { h1: [`IdentityAgent ${socket}`, "IdentityFile ~/.ssh/none"] };
  await person.configure(config);
  await person.open("h1");
  // Seven keys are more than sshd lets try.
  for (let at = 1; at < 7; at += 1) await add(`other${at}`);
  await run("ssh-add", ["-q", "-d", person.path("key")], { env: { SSH_AUTH_SOCK: socket } });
  await add("key");
  await expect(person.open("h1")).rejects.toMatchObject({
    reason: "SSH_AUTHENTICATION",
    message: expect.stringContaining("IdentitiesOnly"),
  });
  await person.configure({ h1: [`IdentityAgent ${socket}`, "IdentityFile ~/.ssh/key", "IdentitiesOnly yes"] });
  await run("mv", [person.path("key"), person.path("elsewhere")]);
  await person.open("h1");
});

test("an sshd that has too many connections is told as such, and lets in again", async () => {
  const person = await Person.make(hosts, onTestFinished);
  await person.authorize(0);
  await during(configureSshd(hosts.at(0), "MaxStartups 1:100:1", "LoginGraceTime 600"));
  const waiting = connect(22, hosts.at(0).address);
  onTestFinished(() => void waiting.destroy());
  await once(waiting, "data");
  await expect(person.open("h1")).rejects.toMatchObject({
    reason: "SSH_THROTTLED",
    message: expect.stringContaining("MaxStartups"),
  });
  waiting.destroy();
  await eventually(() => person.open("h1"));
});

test("eight at a time run on one connection, as many as one likes take turns", async () => {
  const person = await Person.make(hosts, onTestFinished);
  await person.authorize(0);
  const connection = await person.open("h1");
  const results = await Promise.all(
    Array.from({ length: 30 }, (_, at) => runScript(connection, `echo ${at}`, at % 3 === 0 ? { root } : {})),
  );
  expect(results.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 30 }, (_, at) => `${at}\n`));
});

test("a server that lets one command run at a time gets one at a time; one that lets none is told", async () => {
  const mend = await configureSshd(hosts.at(0), "MaxSessions 1");
  const person = await Person.make(hosts, onTestFinished);
  await person.authorize(0);
  const connection = await person.open("h1");
  const results = await Promise.all(Array.from({ length: 5 }, (_, at) => connection.exec(`echo ${at}`)));
  expect(results.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 5 }, (_, at) => `${at}\n`));
  await mend();
  await during(configureSshd(hosts.at(0), "MaxSessions 0"));
  const none = await person.open("h1");
  await expect(none.exec("true")).rejects.toMatchObject({
    reason: "SSH_CHANNEL",
    message: expect.stringContaining("MaxSessions"),
  });
});

test("a host that dies ends what runs on it, and boots with what it had", async () => {
  const person = await Person.make(hosts, onTestFinished);
  await person.authorize(1);
  await person.know();
  const connection = await person.open("h2");
  let off: Promise<void> | undefined;
  const hanging = runScript(connection, "echo kept > /home/ops/kept; sync; echo ready; sleep 1000", {
    onLine: (line) => {
      if (line === "ready") off = hosts.at(1).powerOff();
    },
  });
  await expect(hanging).rejects.toMatchObject({ reason: "SSH_LOST" });
  await expect(person.open("h2")).rejects.toMatchObject({ reason: "SSH_UNREACHABLE" });
  await off;
  await hosts.at(1).boot();
  expect(await hosts.at(1).shell("cat /home/ops/kept; rm /home/ops/kept")).toBe("kept\n");
  await person.open("h2");
});

test("faults of a host are as said, and can be mended", async () => {
  const host = hosts.at(0);
  const offset = async () => Number(await host.shell("date +%s")) - Date.now() / 1000;
  const mendClock = await shiftClock(host, 3600);
  expect(await offset()).toBeGreaterThan(3500);
  expect(await host.shell("date -u -d @0 +%Y")).toBe("1970\n");
  await mendClock();
  expect(await offset()).toBeLessThan(100);
  const mendDisk = await smallDisk(host, "/opt", 4);
  await expect(host.shell("head -c 10M /dev/zero > /opt/more")).rejects.toThrow("No space left");
  await mendDisk();
  const mendPort = await takePort(host, 7443);
  expect(await host.shell("ss -Hltn 'sport = :7443' | wc -l")).toBe("1\n");
  await mendPort();
  const mendTmp = await forbidProgramsInTmp(host);
  await expect(host.shell("cp /bin/true /tmp/t; /tmp/t")).rejects.toThrow("Permission denied");
  await mendTmp();
});
