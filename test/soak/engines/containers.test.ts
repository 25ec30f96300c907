import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nodePath, programPath } from "../../../lib/program.js";
import { eventually } from "../../helpers/eventually.js";
import { Terminal } from "../../helpers/tmux.js";
import { EngineRig } from "./rig.js";

let rig: EngineRig;
let shared: string;
let events: readonly string[];

beforeAll(async () => {
  rig = await EngineRig.start();
  ({ shared } = rig);
  await writeFile(join(shared, "data", "word"), "of the host\n");
  events = rig.reach.watchEvents();
}, 120_000);

afterAll(() => rig?.[Symbol.asyncDispose]());

const zor = (...argv: string[]) => rig.zor(...argv);
const shell = (id: string, script: string) => rig.reach.shell(id, script);

/** Looks at an instance in the terminal interface, in a real terminal. */
async function showsInTerminal(kind: "docker" | "podman", id: string): Promise<void> {
  const program = programPath("tui");
  const variables = `LC_ALL=C.UTF-8 ZOR_CONFIG=${rig.reach.config} XDG_STATE_HOME=${shared}`;
  const line = `env ${variables} ${nodePath} ${program} tui`;
  await using terminal = await Terminal.open(line, { columns: 120, rows: 60 }, join(shared, `recording-${kind}`));
  await terminal.press("2");
  await terminal.sees(new RegExp(`${id} .*running`));
  await terminal.press("/", id, "Enter", "d");
  await terminal.sees(kind === "docker" ? /Docker/ : /podman/);
  await terminal.sees(/● healthy/);
}

describe.each(["docker", "podman"] as const)("a container of %s, through hub and zor", (kind) => {
  const id = kind === "docker" ? "d1" : "p1";
  const name = `zt/${id}`;
  let before: unknown;

  const create = (what: string, ...flags: string[]) =>
    zor("create", "instance", `zt/${what}`, "--driver", kind, "--image", "micro", ...flags);

  beforeAll(async () => {
    await rig.makeForeign(kind);
    before = await rig.inventoryOf(kind);
  }, 120_000);

  it("has of the host what the agent's policy gives, and nothing else", async () => {
    const mounts = ["--mount", `host=${join(shared, "data")},at=/data`, "--mount", `host=${join(shared, "ro")},at=/ro`];
    const more = ["--tmpfs", "/scratch=16M", "--device", "/dev/full", "--read-only", "--add-host", "peer=10.8.0.9"];
    const limits = ["--pids-limit", "200", "--memory-swap", "0", "--cpuset", "0", "--nic", "lan=lan1"];
    await create("w1", ...mounts, ...more, ...limits, "--hostname", "web.lab", "--user", "0:0", "--dns", "10.8.0.53");
    expect(await shell("w1", "cat /data/word")).toBe("of the host\n");
    await shell("w1", "echo inside >/data/said");
    expect(await readFile(join(shared, "data", "said"), "utf8")).toBe("inside\n");
    expect(await shell("w1", "echo x >/ro/said; echo x >/said; ls / | grep said; hostname")).toBe("web.lab\n");
    expect(await readdir(join(shared, "ro"))).toEqual([]);
    expect(await shell("w1", "mount | grep -c '/scratch.*size=16384k'; ls /dev/full; grep peer /etc/hosts")).toMatch(
      /^1\n\/dev\/full\n10\.8\.0\.9\s+peer/,
    );
    expect(await shell("w1", "grep nameserver /etc/resolv.conf")).toBe("nameserver 10.8.0.53\n");
    expect(await shell("w1", "ls /dev | grep -cE '^(mem|kmsg|sda|vda)$'; ip -o link | grep -vc 'lo\\|eth0'")).toBe(
      "0\n0\n",
    );
    expect(await zor("stats", "zt/w1")).toMatch(/^cpu +\d.*\nmemory +\d[^\n]* of 128M[\s\S]*interface eth0 +received/i);
    const described = await zor("describe", "instance", "zt/w1");
    for (const fact of ["/data is", "read-only root", "200 processes", "/dev/full", "web.lab"])
      expect(described).toContain(fact);
    await zor("delete", "instance", "zt/w1", "--force", "--yes");
  });

  it.each([
    ["a directory that is not allowed", ["--mount", "host=/etc,at=/data"], /containerMounts/],
    [
      "a directory below an allowed one",
      ["--mount", "host=SHARED/data/below,at=/data"],
      /nothing in it.*containerMounts/,
    ],
    ["a device that is not allowed", ["--device", "/dev/mem"], /containerDevices/],
    ["no walls", ["--privileged"], /privilegedContainers/],
    ["a capability that is not allowed", ["--cap-add", "SYS_ADMIN"], /containerCapabilities/],
    ["a mount over /proc", ["--mount", "host=SHARED/data,at=/proc/x"], /mounts\[0\]\.target/],
  ])("is refused with %s, by the field or the setting", async (_what, flags, message) => {
    const words = flags.map((word) => word.replace("SHARED", shared));
    await expect(create("no1", ...words)).rejects.toThrow(message);
    expect(await zor("get", "instances")).not.toContain("no1");
  });

  it("tells its health, and ends when it is to", async () => {
    const check = [
      "--health-cmd",
      "test ! -e /dev/shm/ill",
      "--health-interval",
      "1s",
      "--health-retries",
      "2",
      "--health-end",
    ];
    await create(id, "--persistent", ...check, "--restart", "never", "--nic", "lan=lan1");
    await eventually(async () => expect(await zor("describe", "instance", name)).toContain("● healthy"));
    await showsInTerminal(kind, id);
    await shell(id, "touch /dev/shm/ill");
    await eventually(async () => expect(await zor("get", "instances")).toMatch(new RegExp(`${id}.*FAILED`)), 20_000);
    expect(await zor("describe", "instance", name)).toContain("its health check failed 2 times in a row");
    expect(events.some((line) => line.includes("health"))).toBe(true);
  });

  it("is restarted by the agent alone", async () => {
    await zor("start", name);
    if (kind === "podman") return;
    const container = await rig.containerOf(kind, id);
    await rig.engines[kind].cli("update", "--restart", "always", container);
    await eventually(async () =>
      expect(await rig.engines[kind].cli("inspect", "--format", "{{.HostConfig.RestartPolicy.Name}}", container)).toBe(
        "no",
      ),
    );
  });

  it("keeps snapshots, is cloned and saved, and comes back as an image", async () => {
    await shell(id, "echo one >/mark");
    await zor("snapshot", "create", name, "one");
    await shell(id, "echo two >/mark");
    await zor("clone", name, `${id}c`);
    expect(await shell(`${id}c`, "cat /mark")).toBe("two\n");
    await zor("save", name, "--image", `${id}-saved`);
    await zor("stop", name);
    await zor("snapshot", "revert", name, "one", "--yes");
    await zor("start", name);
    expect(await shell(id, "cat /mark")).toBe("one\n");
    await zor("create", "instance", `zt/${id}s`, "--driver", kind, "--image", `file:${id}-saved`);
    expect(await shell(`${id}s`, "cat /mark; hostname")).toBe(`two\n${id}s\n`);
    await zor("create", "instance", `zt/${id}x`, "--rootfs", `${id}-saved`);
    expect(await shell(`${id}x`, "cat /mark")).toBe("two\n");
  });

  it("leaves what is somebody else's as it was, and nothing of its own", async () => {
    for (const each of [`${id}c`, `${id}s`, `${id}x`, id])
      await zor("delete", "instance", `zt/${each}`, "--force", "--yes");
    await zor("image", "prune", "--yes");
    expect(await rig.inventoryOf(kind)).toEqual(before);
  });
});
