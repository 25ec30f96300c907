import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { findProcesses, signalProcess } from "../../../lib/process.js";
import { eventually } from "../../helpers/eventually.js";
import { makeSshTree, sshServers } from "../../helpers/ssh-tree.js";
import { ReachRig } from "./rig.js";

let rig: ReachRig;
let config: string;

beforeAll(async () => {
  rig = await ReachRig.start();
  await makeSshTree(join(rig.agent.state, "images", "sshd"));
  await rig.create("s1", { crun: { rootfs: "sshd", command: ["/bin/sh", "-c", sshServers] } });
  config = join(rig.directory, "ssh.conf");
  await writeFile(config, (await rig.zor("ssh-config")).stdout);
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

const authorized = (home = "/root") => rig.shell("s1", `cat ${home}/.ssh/authorized_keys 2>/dev/null; true`);
const processes = () => rig.shell("s1", "ps");
const ended = (file: string, ...argv: string[]) => rig.tool(file, argv).ended;

it("logs in with a key that goes with the session, and gives the command's end", async () => {
  await rig.shell("s1", "mkdir -m 700 /root/.ssh; echo '# mine' >/root/.ssh/authorized_keys");
  const session = rig.program("ssh", "zt/s1", "--", "echo $((20 + 1)); read a; echo got $a; exit 3");
  await eventually(async () => expect(await processes()).toContain("read a"));
  expect(await authorized()).toMatch(/^# mine\nexpiry-time="\d{14}" ssh-ed25519 \S+ zor-session-[0-9a-f]{16}\n$/);
  session.stdin.end("word\n");
  expect(await session.ended).toMatchObject({ code: 3, stdout: "21\ngot word\n" });
  await eventually(async () => expect(await authorized()).toBe("# mine\n"));
  const asAnn = rig.program("ssh", "zt/s1", "-l", "ann", "--", "id -u; pwd");
  expect(await asAnn.ended).toMatchObject({ code: 0, stdout: "1000\n/home/ann\n" });
  await eventually(async () => expect(await authorized("/home/ann")).toBe(""));
});

it("has plain ssh, scp and rsync reach it", async () => {
  const from = join(rig.directory, "from");
  await mkdir(join(from, "deep"), { recursive: true });
  await writeFile(join(from, "deep", "file"), "text");
  await chmod(join(from, "deep", "file"), 0o640);
  const well = { code: 0, stderr: "" };
  expect(await ended("ssh", "-F", config, "s1.zt.zor", "hostname")).toMatchObject({ ...well, stdout: "s1\n" });
  expect(await ended("scp", "-F", config, "-rp", from, "s1.zt.zor:/tmp/scp")).toMatchObject(well);
  expect(await ended("rsync", "-a", "-e", `ssh -F ${config}`, `${from}/`, "s1.zt.zor:/tmp/rsync")).toMatchObject(well);
  const both = "cat /tmp/scp/deep/file /tmp/rsync/deep/file; stat -c %a /tmp/scp/deep/file /tmp/rsync/deep/file";
  expect(await rig.shell("s1", both)).toBe("texttext640\n640\n");
  const back = join(rig.directory, "back");
  expect(await ended("rsync", "-a", "-e", `ssh -F ${config}`, "s1.zt.zor:/tmp/rsync/", back)).toMatchObject(well);
  expect(await readFile(join(back, "deep", "file"), "utf8")).toBe("text");
  await eventually(async () => expect(await authorized()).toBe("# mine\n"));
});

it("refuses a server with another key than the one that was read inside", async () => {
  const { code, stderr } = await rig.program("ssh", "zt/s1", "-p", "2222", "--", "true").ended;
  expect(code).toBe(255);
  expect(stderr).toContain("Host key verification failed");
  const closed = await rig.program("ssh", "zt/s1", "-p", "2223", "--", "true").ended;
  expect(closed.code).toBe(255);
  expect(closed.stderr).toContain("nobody listens there");
  await eventually(async () => expect(await authorized()).toBe("# mine\n"));
});

it("ends with whichever of its programs is killed, and opens no door for longer than it says", async () => {
  // As ever, sshd ends what has a terminal or reads; what does neither goes on.
  const reading = async (name: string) => {
    const session = rig.program("ssh", "zt/s1", "--", `read ${name}; read b`);
    await eventually(async () => expect(await processes()).toContain(`read ${name}`));
    return session;
  };
  const first = await reading("x4721");
  first.kill("SIGKILL");
  expect(await first.ended).toMatchObject({ signal: "SIGKILL" });
  await eventually(async () => expect(await processes()).not.toMatch(/read x4721|sshd: root/));
  await eventually(async () => expect(await authorized()).toBe("# mine\n"));

  const second = await reading("x4722");
  const proxies = await findProcesses(
    (argv) => argv.includes("ssh-proxy") && argv.includes("zt/s1") && argv.some((word) => word.endsWith("cli.cjs")),
  );
  for (const proxy of proxies) await signalProcess(proxy, "SIGKILL");
  expect((await second.ended).code).toBe(255);
  await eventually(async () => expect(await processes()).not.toMatch(/read x4722|sshd: root/));
  // Nobody was there to take the key away: sshd does not take it for long, and the next session sweeps what it takes no more.
  expect(await authorized()).toMatch(/^# mine\nexpiry-time="\d{14}" ssh-ed25519 \S+ zor-session-[0-9a-f]{16}\n$/);
  await rig.shell("s1", "sed -i 's/expiry-time=\"..../expiry-time=\"2020/' /root/.ssh/authorized_keys");
  expect((await rig.program("ssh", "zt/s1", "--", "true").ended).code).toBe(0);
  await eventually(async () => expect(await authorized()).toBe("# mine\n"));
});
