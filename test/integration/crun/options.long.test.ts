import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { CrunOptions, HealthState } from "../../../proto/gen/zor/v1/crun.js";
import { eventually } from "../../helpers/eventually.js";
import { captureMachine, leftBehind } from "../../helpers/leftovers.js";
import { CrunFixture, callOptions } from "./fixture.js";
import { buildOciLayout } from "./image-builder.js";

const before = captureMachine();
const sleep = ["/bin/sleep", "1000"];
let world: CrunFixture;

beforeAll(async () => {
  world = await CrunFixture.make({ containerMib: 32 });
  await mkdir(join(world.root, "shared", "fixed"), { recursive: true });
  await writeFile(join(world.root, "shared", "file"), "of the host");
});

afterAll(async () => {
  const { ownership } = world;
  await world[Symbol.asyncDispose]();
  await eventually(() => expect(leftBehind(before, captureMachine(), ownership)).toEqual([]));
});

type Options = Parameters<typeof CrunOptions.fromPartial>[0];

const toOptions = (options: Options) => CrunOptions.fromPartial({ rootfs: "micro", command: sleep, ...options });

/** What a shell line says in a container with these options. */
async function inside(options: Options, line: string): Promise<string> {
  const instance = await world.create(toOptions(options));
  const handle = await world.start(instance);
  try {
    return await world.shell(instance, handle, line);
  } finally {
    await world.driver.stop(instance, handle);
    await world.driver.destroy(instance);
  }
}

describe("a container", () => {
  it("is told its name, name servers, hosts and sysctls, and its image is not written to for it", async () => {
    const tree = await world.unpackMicro("named");
    const text = await inside(
      {
        rootfs: "named",
        hostname: "r1.lab",
        dns: { servers: ["192.0.2.53", "2001:db8::53"], search: ["lab.example"] },
        extraHosts: { peer: "192.0.2.7" },
        sysctls: { "kernel.shmmax": "65536", "fs.mqueue.msg_max": "20", "net.ipv4.ip_forward": "1" },
      },
      "hostname; cat /etc/resolv.conf; grep peer /etc/hosts; cat /proc/sys/kernel/shmmax /proc/sys/fs/mqueue/msg_max /proc/sys/net/ipv4/ip_forward",
    );
    expect(text).toBe(
      "r1.lab\nsearch lab.example\nnameserver 192.0.2.53\nnameserver 2001:db8::53\n192.0.2.7\tpeer\n65536\n20\n1\n",
    );
    expect(await readdir(join(tree, "etc"))).not.toContain("resolv.conf");
  });

  it("runs as the user, in the directory and with the rights that are asked for", async () => {
    const tree = await world.unpackMicro("users");
    await writeFile(join(tree, "etc", "passwd"), "root:x:0:0::/root:/bin/sh\nweb:x:1001:1002::/srv/web:/bin/sh\n");
    await writeFile(join(tree, "etc", "group"), "root:x:0:\nweb:x:1002:\nlog:x:1003:web\n");
    const options = { rootfs: "users", user: "web", workingDirectory: "/srv/web", capabilities: { add: ["NET_RAW"] } };
    const text = await inside(
      options,
      "id -u; id -g; id -G; pwd; echo $HOME; grep CapEff /proc/self/status; touch /etc/x",
    );
    expect(text).toMatch(/^1001\n1002\n1002 1003\n\/srv\/web\n\/srv\/web\nCapEff:\s+0{12}2000\n.*Permission denied/);
    await expect(inside({ rootfs: "users", user: "nobody-here" }, "id")).rejects.toMatchObject({
      code: 3,
      message: expect.stringContaining('/etc/passwd has no user "nobody-here"'),
    });
    // Accounts are looked up in the image, not where a link in it leads on the host.
    await run("mv", [join(tree, "etc", "passwd"), join(tree, "accounts")]);
    await symlink("../../../../../../accounts", join(tree, "etc", "passwd"));
    expect(await inside({ rootfs: "users", user: "web" }, "id -u")).toBe("1001\n");
  });

  it("has mounts of the host within its policy, memory, and a root that cannot be written", async () => {
    const [shared, fixed] = [join(world.root, "shared"), join(world.root, "shared", "fixed")];
    const mounts = [
      { target: "/data", source: { $case: "hostPath", value: shared } as const },
      { target: "/data/inner", source: { $case: "hostPath", value: fixed } as const },
      { target: "/etc/one", source: { $case: "hostPath", value: join(shared, "file") } as const, readOnly: true },
      { target: "/scratch", source: { $case: "tmpfsMib", value: 4n } as const },
    ];
    const line = [
      "cat /etc/one; echo; echo new > /data/new; for f in /data/inner/x /etc/one /etc/x; do touch $f 2>&1 | grep -o Read-only; done",
      "dd if=/dev/zero of=/scratch/big bs=1M count=8 2>&1 | grep -o 'No space'",
    ].join("; ");
    expect(await inside({ mounts, readOnlyRoot: true }, line)).toBe(
      "of the host\nRead-only\nRead-only\nRead-only\nNo space\n",
    );
    expect(await readFile(join(shared, "new"), "utf8")).toBe("new\n");
  });

  it.each([
    [
      "a directory outside",
      { mounts: [{ target: "/x", source: { $case: "hostPath", value: "/etc" } }] },
      /containerMounts/,
    ],
    ["a device", { devices: [{ hostPath: "/dev/vda" }] }, /containerDevices/],
  ] as readonly (readonly [string, Options, RegExp])[])(
    "is refused %s, with the setting that would allow it",
    async (_, options, words) => {
      const instance = await world.define(toOptions(options));
      await expect(world.driver.validate(instance.spec)).rejects.toMatchObject({
        reason: "POLICY",
        message: expect.stringMatching(words),
      });
    },
  );

  it("is refused a mount whose path leads through a link", async () => {
    await symlink("/etc", join(world.root, "shared", "out"));
    const value = join(world.root, "shared", "out", "ssl");
    const options = toOptions({ mounts: [{ target: "/x", source: { $case: "hostPath", value } }] });
    const instance = await world.define(options);
    await expect(world.driver.validate(instance.spec)).rejects.toMatchObject({ reason: "MOUNT_SOURCE" });
  });

  it("keeps to its limits, as they are and as they are changed while it runs", async () => {
    const limits = { pids: 20, swapMib: 0n, cpuset: "0", openFiles: 64n };
    const instance = await world.create(toOptions({ limits }));
    const handle = await world.start(instance);
    expect(await world.shell(instance, handle, "ulimit -n; grep Cpus_allowed_list /proc/self/status")).toMatch(
      /^64\nCpus_allowed_list:\s+0\n$/,
    );
    const forks = "for i in $(seq 30); do sleep 5 & done 2>&1 | grep -c fork; true";
    expect(await world.shell(instance, handle, forks)).not.toBe("0\n");
    const changed = toOptions({ limits: { ...limits, pids: 200 } });
    const spec = { ...instance.spec, memoryMib: 96n, driver: { $case: "crun" as const, value: changed } };
    await world.driver.updateLimits({ ...instance, spec }, callOptions);
    const group = `/sys/fs/cgroup/{memory/,pids/,}zor-${instance.uid}/{memory.limit_in_bytes,memory.max,pids.max}`;
    const { stdout } = await run("bash", ["-c", `cat ${group} 2>/dev/null; true`]);
    expect(stdout.split("\n").filter((line) => line !== "")).toEqual([`${96 * 1024 * 1024}`, "200"]);
    await world.driver.stop(instance, handle);
  });

  it("whose root is nobody outside owns its files inside, and has them after a stop", async () => {
    const options = toOptions({ persistent: true, userNamespace: true });
    const instance = await world.create(options);
    let handle = await world.start(instance);
    const line =
      "cat /proc/self/uid_map; stat -c '%u %g' /bin/busybox; echo mine > /etc/mine; chown 5:6 /etc/mine; id -u";
    const seen = await world.shell(instance, handle, line);
    expect(seen).toMatch(/^\s+0\s+\d+\s+65536\n0 0\n0\n$/);
    const first = Number(seen.trim().split(/\s+/)[1]);
    // The agent's ranges lie from 2^30 to 2^31, where no user of the host is; which one it is says a hash.
    expect(first).toBeGreaterThanOrEqual(0x4000_0000);
    expect(first).toBeLessThanOrEqual(0x8000_0000 - 65_536);
    const { uid } = await stat(`/proc/${handle.pid}`);
    expect(uid).toBe(first);
    await world.driver.stop(instance, handle);
    handle = await world.start(instance);
    expect(await world.shell(instance, handle, "cat /etc/mine; stat -c '%u %g' /etc/mine")).toBe("mine\n5 6\n");
    await world.driver.stop(instance, handle);
    await world.driver.destroy(instance);
    expect(await readdir(join(world.root, "s", "crun-users"))).toEqual([]);
  });

  it("without walls has every capability of the agent, and one with walls has not", async () => {
    const line = "grep -E 'CapEff|Seccomp:' /proc/self/status; test -w /proc/sys/kernel && echo steers";
    expect(await inside({ privileged: true }, line)).toMatch(/CapEff:\s+0+1ff[0-9a-f]+\nSeccomp:\s+0\nsteers\n$/);
  });
});

describe("the health of a container", () => {
  it("is what its check says, through a restart of the agent too, and ends it where that is asked for", async () => {
    const interval = { seconds: 1n, nanos: 0 };
    // It is not over, and no failure, before there is something to tell of.
    const command = ["/bin/sh", "-c", "until test -e /tmp/begun; do sleep 0.1; done; cat /tmp/well"];
    const timeout = { seconds: 60n, nanos: 0 };
    const healthCheck = { command, interval, timeout, retries: 2, endWhenUnhealthy: true };
    const instance = await world.create(toOptions({ healthCheck }));
    const handle = await world.start(instance);
    const health = async (driver = world.driver) => (await driver.inspect(instance, handle, callOptions)).health?.state;
    expect(await health()).toBe(HealthState.HEALTH_STATE_STARTING);
    await world.shell(instance, handle, "echo all is well > /tmp/well; touch /tmp/begun");
    await eventually(async () => expect(await health()).toBe(HealthState.HEALTH_STATE_HEALTHY));
    await world.driver.detach();
    const next = world.nextDriver();
    await next.recover(instance, handle);
    expect(await health(next)).toBe(HealthState.HEALTH_STATE_HEALTHY);
    await world.shell(instance, handle, "rm /tmp/well");
    await eventually(async () => {
      const { state, reason } = await next.inspect(instance, handle, callOptions);
      expect([state, reason]).toEqual(["failed", expect.stringMatching(/health check failed 2 times.*No such file/)]);
    });
    await next.detach();
  });
});

describe("an image", () => {
  it("says what runs, where and as whom, and the spec says otherwise; its layers are there once", async () => {
    const tree = await world.unpackMicro("layer-base");
    await chmod(tree, 0o755);
    const config = {
      Env: ["GREETING=hello", "PATH=/bin:/usr/bin"],
      Entrypoint: ["/bin/sh", "-c"],
      Cmd: ["echo $GREETING; pwd; id -u; exec sleep 1000"],
      WorkingDir: "/srv",
      User: "7:8",
    };
    await buildOciLayout(join(world.images, "told"), { layers: [tree], config });
    const plain = await world.create(CrunOptions.fromPartial({ rootfs: "told" }));
    const handle = await world.start(plain);
    const log = join(plain.directory, "console", "log");
    await eventually(async () => expect(await readFile(log, "utf8")).toMatch(/hello.*\/srv.*7/s));
    const other = await world.create(
      CrunOptions.fromPartial({
        rootfs: "told",
        entrypoint: [""],
        command: sleep,
        user: "0",
        workingDirectory: "/tmp",
      }),
    );
    const second = await world.start(other);
    expect(await world.shell(other, second, "pwd; id -u; echo $GREETING")).toBe("/tmp\n0\nhello\n");
    const store = join(world.root, "s", "crun-layers", "layers");
    const own = (await readdir(store)).filter((key) => key.startsWith("layer-"));
    expect(own).toHaveLength(1);
    expect(await readdir(join(store, own[0] ?? "", "owners"))).toHaveLength(2);
    for (const [instance, run] of [
      [plain, handle],
      [other, second],
    ] as const) {
      await world.driver.stop(instance, run);
      await world.driver.destroy(instance);
    }
    expect((await readdir(store)).filter((key) => key.startsWith("layer-"))).toEqual([]);
  });
});
