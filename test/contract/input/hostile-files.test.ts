import { chmod, chown, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { ZorError } from "../../../lib/errors.js";
import { BuildImageRequest, ImageServiceService } from "../../../proto/gen/zor/v1/image_service.js";
import { Instance } from "../../../proto/gen/zor/v1/instance.js";
import { CreateInstanceRequest, InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { backingFormat, extensionTypes, makeQcow2 } from "../../unit/agent/drivers/qemu/qcow2-image.js";
import { InputWorld } from "./world.js";

const tools = [
  "qemu-img",
  "qemu-nbd",
  "tar",
  "unzip",
  "gzip",
  "xz",
  "zstd",
  "bzip2",
  "crun",
  "file",
  "mkisofs",
  "xorriso",
];
let world: InputWorld;
let fakes: string;
let secret: string;
const path = process.env["PATH"];

/** Tools that were started since the last call. */
async function started(): Promise<string> {
  const record = join(fakes, "started");
  const text = await readFile(record, "utf8").catch(() => "");
  await rm(record, { force: true });
  return text;
}

beforeAll(async () => {
  world = await InputWorld.start();
  fakes = await mkdtemp(join(tmpdir(), "zt-tools-"));
  secret = join(fakes, "secret.img");
  await writeFile(secret, Buffer.alloc(512));
  for (const tool of tools) {
    await writeFile(join(fakes, tool), `#!/bin/sh\necho ${tool} >> ${fakes}/started\nexit 1\n`);
    await chmod(join(fakes, tool), 0o755);
  }
  await mkdir(join(world.state, "images"), { recursive: true });
  process.env["PATH"] = `${fakes}:${path}`;
});
afterAll(async () => {
  process.env["PATH"] = path;
  await world.close();
  await rm(fakes, { recursive: true, force: true });
});

const json = 'json:{"driver":"file","filename":"/etc/shadow"}';
const raw = [backingFormat("raw")];
/** Files that no tool may ever open, by what they are. */
const files: readonly (readonly [string, (file: string) => Promise<void>])[] = [
  ["qcow2 over a file outside", (file) => writeFile(file, makeQcow2({ backingFile: "/etc/shadow", extensions: raw }))],
  ["qcow2 over a file above", (file) => writeFile(file, makeQcow2({ backingFile: "../../x", extensions: raw }))],
  ["qcow2 over a json: name", (file) => writeFile(file, makeQcow2({ backingFile: json, extensions: raw }))],
  ["qcow2 over nbd", (file) => writeFile(file, makeQcow2({ backingFile: "nbd://127.0.0.1:1/x", extensions: raw }))],
  ["qcow2 over a descriptor", (file) => writeFile(file, makeQcow2({ backingFile: "/dev/fdset/1", extensions: raw }))],
  ["qcow2 over a device", (file) => writeFile(file, makeQcow2({ backingFile: "/dev/zero", extensions: raw }))],
  ["qcow2 with data elsewhere", (file) => writeFile(file, makeQcow2({ incompatible: 4n }))],
  [
    "qcow2 that names data elsewhere",
    (file) => {
      const extensions = [{ type: extensionTypes.externalData, data: Buffer.from("/etc/shadow") }];
      return writeFile(file, makeQcow2({ incompatible: 4n, extensions }));
    },
  ],
  ["encrypted qcow2", (file) => writeFile(file, makeQcow2({ cryptMethod: 2 }))],
  ["qcow2 of an exbibyte", (file) => writeFile(file, makeQcow2({ virtualSizeBytes: 2n ** 60n }))],
  ["qcow2 of unknown features", (file) => writeFile(file, makeQcow2({ incompatible: 1n << 40n }))],
  ["cut qcow2", (file) => writeFile(file, makeQcow2().subarray(0, 40))],
  [
    "VMDK with its extent outside",
    (file) =>
      writeFile(file, '# Disk DescriptorFile\nversion=1\ncreateType="monolithicFlat"\nRW 1 FLAT "/etc/shadow" 0\n'),
  ],
  ["link to a file outside", (file) => symlink(secret, file)],
  ["link to a device", (file) => symlink("/dev/zero", file)],
  ["link to itself", (file) => symlink(file, file)],
];

/** Where files come in. */
const places: Readonly<Record<string, (name: string) => object>> = {
  "instance.spec.qemu.disks[0].image": (image) => ({ qemu: { disks: [{ image }] } }),
  "instance.spec.qemu.cdroms[0].image": (image) => ({ qemu: { kernel: "micro", cdroms: [{ image }] } }),
  "instance.spec.qemu.kernel": (kernel) => ({ qemu: { kernel } }),
  "instance.spec.qemu.initrd": (initrd) => ({ qemu: { kernel: "micro", initrd } }),
  "instance.spec.crun.rootfs": (rootfs) => ({ crun: { rootfs } }),
};

/** Guests get these as they are: only what is a link out of the image directories is hostile there. */
const opaque = /cdroms|kernel|initrd/;

describe("before any tool opens it, is refused", () => {
  let count = 0;
  const cases = Object.keys(places).flatMap((field) =>
    files
      .filter(([what]) => !opaque.test(field) || what.startsWith("link"))
      .map(([what, make]) => ({ field, what, make })),
  );

  it("which would be noticed", async () => {
    await expect(run("qemu-img", ["--version"])).rejects.toThrow();
    expect(await started()).toBe("qemu-img\n");
  });

  it.each(cases)("$what at $field", async ({ field, make }) => {
    count += 1;
    const name = `file${count}`;
    await make(join(world.state, "images", name));
    const before = await world.kept();
    await started();
    const instance = Instance.fromJSON({ spec: places[field]?.(name) });
    const request = CreateInstanceRequest.create({ parent: "hosts/h1", instanceId: "bad", instance });
    const error = await world.fixture.admin
      .unary(InstanceServiceService.createInstance, request)
      .then(() => undefined)
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ZorError);
    expect([status.INVALID_ARGUMENT, status.FAILED_PRECONDITION, status.RESOURCE_EXHAUSTED]).toContain(
      (error as ZorError).code,
    );
    expect((error as ZorError).message).toContain(field);
    expect((error as ZorError).message).not.toContain(world.state);
    expect(await started()).toBe("");
    expect(await world.kept()).toEqual(before);
  });
});

/** Programs of recipes that are never run, by what they are. */
const programs: readonly (readonly [string, (program: string) => Promise<unknown>])[] = [
  ["a link out of the recipes", (program) => symlink(join(fakes, "xorriso"), program)],
  ["a link to itself", (program) => symlink(program, program)],
  ["a link to a device", (program) => symlink("/dev/zero", program)],
  ["a directory", (program) => mkdir(program)],
  ["a pipe that nobody writes to", (program) => run("mkfifo", [program])],
  ["one that others may write to", (program) => recipe(program, async () => await chmod(program, 0o777))],
  ["one of somebody else", (program) => recipe(program, async () => await chown(program, 65534, 65534))],
  ["one that is not executable", (program) => recipe(program, async () => await chmod(program, 0o600))],
];

async function recipe(program: string, change: () => Promise<void>): Promise<void> {
  await writeFile(program, `#!/bin/sh\necho recipe >> ${fakes}/started\n`, { mode: 0o755 });
  await change();
}

describe("a recipe is not run whose program is", () => {
  it.each(programs)("%s", async (what, make) => {
    const name = what.replaceAll(" ", "-");
    await mkdir(join(world.state, "recipes", name), { recursive: true });
    await make(join(world.state, "recipes", name, "build"));
    const before = await world.kept();
    await started();
    const request = BuildImageRequest.fromPartial({ parent: "hosts/h1", imageId: "bad", recipe: name });
    const built = world.fixture.admin.unary(ImageServiceService.buildImage, request);
    await expect(built).rejects.toMatchObject({
      code: expect.toSatisfy((code) => [status.INVALID_ARGUMENT, status.FAILED_PRECONDITION].includes(code)),
      message: expect.stringContaining(name),
    });
    expect(await started()).toBe("");
    expect(await world.kept()).toEqual(before);
  });
});
