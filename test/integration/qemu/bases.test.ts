import { copyFile, open, rename, statfs, truncate, utimes } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DriverInstance } from "../../../agent/drivers/driver.js";
import { run, startDaemon } from "../../../agent/host/exec.js";
import { endProcess, findIdentity } from "../../../lib/process.js";
import { eventually } from "../../helpers/eventually.js";
import { leftNetns } from "../../helpers/netns.js";
import { callOptions, type MachineFixture, makeMachineFixture } from "./machine-fixture.js";

describe("an image below a persistent disk", () => {
  let fixture: MachineFixture;
  let count = 0;

  beforeAll(async () => {
    fixture = await makeMachineFixture();
  });
  afterAll(async () => {
    await fixture[Symbol.asyncDispose]();
    expect(await leftNetns()).toEqual([]);
  });

  /** A stopped machine over an image of its own. */
  async function over(): Promise<{ instance: DriverInstance; path: string; name: string }> {
    count += 1;
    const name = `base${count}.raw`;
    const path = join(fixture.imageDirectory, name);
    await using file = await open(path, "w");
    await file.truncate(8 * 1024 * 1024);
    await file.write(Buffer.alloc(4096, "content"), 0, 4096, 3 * 1024 * 1024);
    const instance = await fixture.create({ kernel: "micro", disks: [{ image: name, persistent: true, sizeMib: 0n }] });
    return { instance, path, name };
  }

  async function write(path: string): Promise<void> {
    await using file = await open(path, "r+");
    await file.write(Buffer.alloc(512, "other"), 0, 512, 5 * 1024 * 1024);
  }

  const start = async (instance: DriverInstance) => {
    const handle = await fixture.driver.start(instance, await fixture.networkOf(instance), callOptions);
    return async () => await fixture.driver.stop(instance, handle, callOptions);
  };

  it.each<[string, (path: string) => Promise<void>]>([
    ["touched", (path) => utimes(path, new Date(), new Date())],
    [
      "copied and put in its place, holes as zeros or not",
      async (path) => {
        await run("cp", ["--sparse=never", path, `${path}.copy`]);
        await rename(`${path}.copy`, path);
      },
    ],
  ])("is the same when it was %s", async (_, change) => {
    const { instance, path } = await over();
    await change(path);
    await (await start(instance))();
  });

  it.each<[string, (path: string) => Promise<void>]>([
    ["written to", write],
    [
      "replaced by another",
      async (path) => {
        await copyFile(path, `${path}.copy`);
        await write(`${path}.copy`);
        await rename(`${path}.copy`, path);
      },
    ],
    ["made larger", (path) => truncate(path, 16 * 1024 * 1024)],
    ["made smaller", (path) => truncate(path, 4 * 1024 * 1024)],
  ])("that was %s is named, and the machine is not started", async (_, change) => {
    const { instance, path, name } = await over();
    await change(path);
    await expect(start(instance)).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      reason: "DISK_BASE_CHANGED",
      message: expect.stringContaining(`"${name}"`),
    });
  });

  it("that is written to while the machine runs is told of, once, and touching it is not", async () => {
    const { instance, path, name } = await over();
    const listening = new AbortController();
    const told: string[] = [];
    const following = (async () => {
      for await (const { type, message } of fixture.driver.events(listening.signal)) {
        if (type === "image-changed") told.push(message);
      }
    })();
    const handle = await fixture.driver.start(instance, await fixture.networkOf(instance), callOptions);
    const look = () => fixture.driver.inspect(instance, handle, callOptions);
    await utimes(path, new Date(), new Date());
    await look();
    await write(path);
    await eventually(async () => {
      await look();
      expect(told).toHaveLength(1);
    });
    await look();
    expect(told).toEqual([expect.stringContaining(`"${name}"`)]);
    await fixture.driver.stop(instance, handle, callOptions);
    listening.abort();
    await following;
  });

  it("of a size that the host never has is refused, and so are several together", async () => {
    const image = "huge.qcow2";
    await run("qemu-img", [
      "create",
      "-q",
      "-f",
      "qcow2",
      "-o",
      "cluster_size=2M",
      join(fixture.imageDirectory, image),
      "1P",
    ]);
    const disk = { image, persistent: false, sizeMib: 0n };
    await expect(fixture.create({ kernel: "micro", disks: [disk] })).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      violations: [
        { field: "instance.spec.qemu.disks[0].image", description: expect.stringContaining("disk.instanceMib") },
      ],
    });
    const { name } = await over();
    const { blocks, bsize } = await statfs(fixture.imageDirectory);
    const halfMib = BigInt(Math.floor((blocks * bsize * 0.6) / 1024 / 1024));
    const half = { image: name, persistent: false, sizeMib: halfMib };
    await expect(fixture.create({ kernel: "micro", disks: [half, half] })).rejects.toMatchObject({
      violations: [{ field: "instance.spec.qemu.disks[1].size_mib" }],
    });
  });

  it("that another program has locked names that program, and not the machine's command line", async () => {
    const { instance, path, name } = await over();
    const socket = join(fixture.imageDirectory, "nbd");
    const logFile = join(fixture.imageDirectory, "nbd.log");
    const pid = await startDaemon("qemu-nbd", ["--persistent", "--format=raw", `--socket=${socket}`, path], {
      logFile,
    });
    const holder = await findIdentity(pid);
    try {
      await eventually(async () => expect((await run("ss", ["-Hlx"])).stdout).toContain(socket));
      await expect(start(instance)).rejects.toMatchObject({
        code: status.FAILED_PRECONDITION,
        reason: "DISK_IN_USE",
        message: expect.stringMatching(new RegExp(`"${name}" is in use by qemu-nbd \\(pid ${pid}\\)`)),
      });
    } finally {
      if (holder !== undefined) await endProcess(holder, 3000);
    }
    await (await start(instance))();
  });
});
