import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../../helpers/eventually.js";
import { EngineRig } from "./rig.js";

let rig: EngineRig;

beforeAll(async () => {
  rig = await EngineRig.start(async () => ({ privilegedContainers: true }));
}, 120_000);

afterAll(() => rig?.[Symbol.asyncDispose]());

const zor = (...argv: string[]) => rig.zor(...argv);
const shell = (id: string, script: string) => rig.reach.shell(id, script);
const remove = (id: string) => zor("delete", "instance", `zt/${id}`, "--force", "--yes");
const addressOf = (id: string) => shell(id, "ip -4 -o address show eth0 | grep -o 'inet [0-9./]*'");

describe.each(["docker", "podman"] as const)("a container of %s", (kind) => {
  const [owner, beside] = [`${kind}-owner`, `${kind}-beside`];
  const address = kind === "docker" ? "10.8.1.1/24" : "10.8.1.2/24";
  const create = (what: string, ...flags: string[]) =>
    zor("create", "instance", `zt/${what}`, "--driver", kind, "--image", "micro", ...flags);
  const firstProcessOf = async (id: string): Promise<string> =>
    rig.engines[kind].cli("inspect", "--format", "{{.State.Pid}}", await rig.containerOf(kind, id));

  it("joins the network of another one, and follows it when that is started anew", async () => {
    await create(owner, "--nic", `lan=lan1,addr=${address}`);
    await create(beside, "--network-of", owner);
    expect(await addressOf(beside)).toBe(`inet ${address}\n`);
    await shell(owner, "touch /mine");
    expect(await shell(beside, "ls / | grep -c mine")).toBe("0\n");
    expect(await zor("describe", "instance", `zt/${beside}`)).toMatch(new RegExp(`network +that of ${owner}`));
    await expect(remove(owner)).rejects.toThrow(/in use by .*joins its network/);
    const before = await firstProcessOf(beside);
    await zor("stop", `zt/${owner}`);
    await eventually(async () =>
      expect(await zor("describe", "instance", `zt/${beside}`)).toContain("whose network it joined, does not run"),
    );
    await zor("start", `zt/${owner}`);
    await eventually(async () => expect(await addressOf(beside)).toBe(`inet ${address}\n`), 20_000);
    expect(await firstProcessOf(beside)).not.toBe(before);
  });

  it("keeps joining after the agent was restarted, and when somebody restarts either at the engine", async () => {
    await rig.reach.agent.end("SIGKILL");
    await rig.reach.agent.start(["--config", join(rig.shared, "agent.yaml")]);
    await eventually(async () => expect(await addressOf(beside)).toBe(`inet ${address}\n`), 20_000);
    for (const id of [beside, owner]) {
      await rig.engines[kind].cli("restart", "--time", "0", await rig.containerOf(kind, id));
      await eventually(async () => expect(await addressOf(owner)).toBe(`inet ${address}\n`), 30_000);
      await eventually(async () => expect(await addressOf(beside)).toBe(`inet ${address}\n`), 30_000);
    }
  });

  it("cannot start while that does not run", async () => {
    await zor("stop", `zt/${beside}`);
    await zor("stop", `zt/${owner}`);
    await expect(zor("start", `zt/${beside}`)).rejects.toThrow(/does not run; start that first/);
    await remove(beside);
    await remove(owner);
  });

  it("has no more of the disk than its limits say, by the kernel", async () => {
    await create("slow", "--write-bps", "4M", "--read-iops", "100");
    const pid = await firstProcessOf("slow");
    const groups = await readFile(`/proc/${pid}/cgroup`, "utf8");
    const v1 = /^\d+:(?:[a-z,]+,)?blkio:(.*)$/m.exec(groups)?.[1];
    if (v1 === undefined) {
      const path = `/sys/fs/cgroup${/^0::(.*)$/m.exec(groups)?.[1] ?? ""}/io.max`;
      expect(await readFile(path, "utf8")).toMatch(/wbps=4194304 riops=100/);
    } else {
      const read = (file: string) => readFile(`/sys/fs/cgroup/blkio${v1}/blkio.throttle.${file}`, "utf8");
      expect(await read("write_bps_device")).toMatch(/^\d+:\d+ 4194304$/m);
      expect(await read("read_iops_device")).toMatch(/^\d+:\d+ 100$/m);
    }
    expect(await zor("describe", "instance", "zt/slow")).toContain("4194304 B/s written, 100 reads/s");
    await remove("slow");
  });

  it("has no walls when the agent's policy allows that", async () => {
    const made = create("open", "--privileged");
    const hasAll = /^CapEff:\s+0*1f{10}$/m.test(await readFile("/proc/self/status", "utf8"));
    if (kind === "docker" && !hasAll) {
      // Docker gives all or nothing, and cannot give what it does not have.
      await expect(made).rejects.toThrow(/docker refused to start the container: .*operation not permitted/);
      expect(await zor("get", "instances")).not.toContain("open");
      return;
    }
    await made;
    expect(await shell("open", "ls /dev | grep -cx kmsg")).toBe("1\n");
    await remove("open");
  });
});

it("joins the network of another driver's container as far as its engine can", async () => {
  const image = ["--image", "micro"];
  await zor("create", "instance", "zt/c1", "--rootfs", "micro", "--nic", "lan=lan1,addr=10.8.1.9/24");
  await zor("create", "instance", "zt/p1", "--driver", "podman", ...image, "--network-of", "c1");
  expect(await addressOf("p1")).toBe("inet 10.8.1.9/24\n");
  const refused = zor("create", "instance", "zt/d1", "--driver", "docker", ...image, "--network-of", "c1");
  await expect(refused).rejects.toThrow(/only the networks of docker can be joined/);
  await remove("p1");
  await remove("c1");
});
