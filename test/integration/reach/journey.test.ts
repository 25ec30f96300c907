import { once } from "node:events";
import { chmod, mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../../helpers/eventually.js";
import { ReachRig } from "./rig.js";

let rig: ReachRig;
let directory: string;
let events: readonly string[];

beforeAll(async () => {
  rig = await ReachRig.start();
  ({ directory } = rig);
  events = rig.watchEvents();
  await rig.createLan("lan1");
  const spec = { crun: { rootfs: "micro" }, nics: [{ lan: "lan1", addresses: ["10.61.0.1/28"] }] };
  await rig.create("c1", spec);
  await rig.create("m1", { qemu: { accelerator: "ACCELERATOR_TCG", kernel: "micro" }, nics: [{ lan: "lan1" }] });
  await rig.answers("m1");
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
});

const zor = (...argv: string[]) => rig.zor(...argv);
const shell = (instance: string, script: string) => rig.shell(instance, script);

describe.each(["c1", "m1"])("%s is reached", (instance) => {
  it("with files, both ways, and nothing is written outside of where it was told to go", async () => {
    const from = join(directory, instance);
    await mkdir(join(from, "tree", "deep"), { recursive: true });
    await writeFile(join(from, "tree", "deep", "file"), "text", { mode: 0o640 });
    await writeFile(join(from, "tree", "run"), "#!/bin/sh\n");
    await chmod(join(from, "tree", "run"), 0o755);
    await symlink("/etc/passwd", join(from, "tree", "link"));
    expect(await zor("cp", join(from, "tree"), `zt/${instance}:/tmp`)).toMatchObject({ code: 0, stderr: "" });
    expect(
      await shell(
        instance,
        "cat /tmp/tree/deep/file; stat -c '%a %U' /tmp/tree/deep/file /tmp/tree/run; readlink /tmp/tree/link",
      ),
    ).toBe("text640 root\n755 root\n/etc/passwd\n");
    const outside = join(directory, `outside-${instance}`);
    await mkdir(outside);
    await mkdir(join(from, "back", "tree"), { recursive: true });
    // What lies in the way leads out, as what comes does.
    await symlink(outside, join(from, "back", "tree", "deep"));
    expect(await zor("cp", `zt/${instance}:/tmp/tree`, join(from, "back"))).toMatchObject({ code: 1 });
    expect(await readdir(outside)).toEqual([]);
    await rm(join(from, "back", "tree", "deep"));
    expect(await zor("cp", `zt/${instance}:/tmp/tree`, join(from, "back"))).toMatchObject({ code: 0 });
    expect(await readFile(join(from, "back", "tree", "deep", "file"), "utf8")).toBe("text");
    const missing = await zor("cp", `zt/${instance}:/no/such`, from);
    expect(missing.code).not.toBe(0);
    expect(missing.stderr).toContain("does not exist");
    // Nobody may read the one that flushes, root included.
    const unread = await zor("cp", `zt/${instance}:/proc/sys/net/ipv4/route`, from);
    expect(unread).toMatchObject({ code: 4, stderr: expect.stringMatching(/route\/flush.*Permission denied/) });
    expect(await readdir(join(from, "route"))).toContain("min_pmtu");
    expect(await shell(instance, "ls -A /tmp | grep zor-cp; true")).toBe("");
    // Busybox does what GNU's tools do in the unit tests.
    const [again, to] = [join(from, "tree"), `zt/${instance}:/tmp/tree/deep`];
    expect(await zor("cp", "--resume", again, to)).toMatchObject({ code: 0, stderr: "" });
    const back = `zt/${instance}:/tmp/tree/deep/tree`;
    for (const note of ["", "2 files are there already"]) {
      const come = await zor("cp", "--resume", back, join(from, "back", "tree"));
      expect(come).toMatchObject({ code: 0, stderr: expect.stringContaining(note) });
    }
    expect(await readdir(join(from, "back", "tree", "tree"), { recursive: true })).toHaveLength(4);
    expect(await readFile(join(from, "back", "tree", "tree", "deep", "file"), "utf8")).toBe("text");
  });

  it("at a port of this machine", async () => {
    await zor("exec", `zt/${instance}`, "-d", "--", "sh", "-c", "nc -ll -p 7000 -e sh -c 'cat; echo over'");
    await eventually(async () => expect(await shell(instance, "netstat -ltn")).toContain(":7000"));
    const forward = rig.run("port-forward", `zt/${instance}`, "0:7000", "0:7001");
    await eventually(() => expect(forward.stdout.text.match(/->/g)).toHaveLength(2));
    const [port = 0, closed = 0] = [...forward.stdout.text.matchAll(/127\.0\.0\.1:(\d+) ->/g)].map(([, digits]) =>
      Number(digits),
    );
    const said = async (to: number) => {
      const socket = connect({ host: "127.0.0.1", port: to, allowHalfOpen: true });
      await once(socket, "connect");
      socket.end("words\n");
      return text(socket).catch(() => "reset");
    };
    expect(await Promise.all([said(port), said(port)])).toEqual(["words\nover\n", "words\nover\n"]);
    expect(await said(closed)).toMatch(/^(reset)?$/);
    await eventually(() => expect(forward.stderr.text).toContain("cannot connect to 127.0.0.1:7001 inside"));
    forward.interrupt();
    await forward.result;
  });
});

it("copies from one instance to another, tells in JSON how far it is, and events tell who did what without saying with which words", async () => {
  await shell("c1", "mkdir /tmp/from; echo one >/tmp/from/file; ln -s file /tmp/from/link");
  const { code, stdout, stderr } = await zor("cp", "-o", "json", "zt/c1:/tmp/from", "zt/m1:/tmp/to");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const lines = stdout.trim().split("\n");
  expect(JSON.parse(lines.at(-1) ?? "")).toEqual({ files: 2, bytes: 4, done: true });
  expect(await shell("m1", "cat /tmp/to/file; readlink /tmp/to/link")).toBe("one\nfile\n");
  await zor("exec", "zt/c1", "--", "sh", "-c", "echo secret; exit 7");
  await eventually(() => {
    expect(events).toContain("instance.exec sh ended with 7; 0 bytes in, 7 out");
    expect(events.join("\n")).toMatch(/^instance\.exec sh \(zor cp\) ended with 0; \d{4,} bytes in, 0 out$/m);
    expect(events.join("\n")).toMatch(/^instance\.forwarded a connection to port 7000 ended: 6 bytes in, 11 out$/m);
  });
  expect(events.join()).not.toContain("secret");
});

/** Says words to a server through zor port-forward and ends it; resolves to the answer. */
async function through(...argv: string[]): Promise<string> {
  const forward = rig.run("port-forward", ...argv);
  try {
    await forward.stdout.sees(/:(\d+) ->/);
    const [, port = 0] = /:(\d+) ->/.exec(forward.stdout.text) ?? [];
    const socket = connect({ host: "127.0.0.1", port: Number(port), allowHalfOpen: true });
    socket.end("words\n");
    return `${await text(socket).catch(() => "")}${forward.stderr.text}`;
  } finally {
    forward.interrupt();
    await forward.result;
  }
}

it("reaches guests from their lan, by an address that is given, specified or seen, and leaves nothing in it", async () => {
  const spaces = async () => (await readdir("/run/netns")).filter((name) => name.startsWith(`${rig.agent.netns}.`));
  const before = await spaces();
  expect(await through("zt/c1", "0:7000", "--nic", "eth0")).toBe("words\nover\n");
  expect(await through("zt/c1", "0:7000", "--nic", "eth9")).toContain('has no NIC "eth9"');
  expect(await through("zt/c1", "0:7001", "--nic", "eth0")).toContain(
    "10.61.0.1:7001 through lan lan1: nobody listens",
  );
  // The guest is as one that knows nothing of agents; it asks for somebody who is not there, as guests do.
  const quiet = "ip address add 10.61.0.2/28 dev eth0; ip link set eth0 up; (ping 10.61.0.14 >/dev/null 2>&1 &)";
  const mute = `${quiet}; (sleep 1; rm /usr/sbin/qemu-ga; killall -9 qemu-ga) >/dev/null 2>&1 </dev/null &`;
  // On a busy machine the agent ends before it has told the end of this.
  await shell("m1", mute).catch(() => undefined);
  await eventually(async () => expect((await zor("exec", "zt/m1", "--", "true")).stderr).toMatch(/guest agent/));
  await eventually(async () => expect(await through("zt/m1", "0:7000")).toBe("words\nover\n"));
  expect(await through("zt/m1", "0:7000", "--to", "10.61.0.2")).toBe("words\nover\n");
  await eventually(async () => expect(await spaces()).toEqual(before));
});
