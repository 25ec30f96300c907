import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findMicroImage, type ImageRequest, openImage } from "../../../../../agent/drivers/images.js";
import { openChain } from "../../../../../agent/drivers/qemu/image-chain.js";
import { run } from "../../../../../agent/host/exec.js";
import { backingFormat, makeQcow2 } from "./qcow2-image.js";

const field = "instance.spec.qemu.disks[0].image";

describe("images", () => {
  let root: string;
  let store: string;
  const put = (name: string, content: Buffer | string) => writeFile(join(store, name), content);
  const inspect = async (name: string) => {
    await using chain = await openChain([store], name, field);
    const layers = chain.layers.map(({ path, format }) => ({ path, format }));
    return { layers, virtualSizeBytes: chain.virtualSizeBytes };
  };
  const resolveIn = async (directories: string[], name: string, request: ImageRequest) => {
    await using image = await openImage(directories, name, request);
    return { path: image.path, type: image.type };
  };
  const resolve = (name: string) => resolveIn([store], name, { field, accept: ["file"] });

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "zt-"));
    store = join(root, "images");
    await mkdir(join(store, "sub"), { recursive: true });
    await put("a.raw", Buffer.alloc(1024));
    await put("sub/b.raw", Buffer.alloc(512));
    await writeFile(join(root, "secret"), Buffer.alloc(512));
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  describe("resolved by name", () => {
    it("are found in a directory, below it, by absolute path, and through links that stay inside", async () => {
      await symlink("a.raw", join(store, "link"));
      for (const [name, path] of [
        ["a.raw", "a.raw"],
        ["sub/b.raw", "sub/b.raw"],
        [join(store, "a.raw"), "a.raw"],
        ["link", "a.raw"],
      ] as const) {
        expect(await resolve(name)).toMatchObject({ path: join(store, path), type: "file" });
      }
    });

    it("are found in the first directory that has them", async () => {
      const second = join(root, "second");
      await mkdir(second);
      await writeFile(join(second, "c.raw"), "");
      expect(await resolveIn([store, second], "c.raw", { field, accept: ["file"] })).toMatchObject({
        path: join(second, "c.raw"),
      });
    });

    it("are never what is behind a hidden name, though a name may lead there", async () => {
      await mkdir(join(store, ".incoming", "k"), { recursive: true });
      await put(".incoming/k/data", Buffer.alloc(512));
      await symlink(".incoming/k/data", join(store, "shown"));
      await symlink(root, join(root, "alias"));
      expect(await resolve("shown")).toMatchObject({ path: join(store, ".incoming/k/data") });
      expect(await resolve("./a.raw")).toMatchObject({ path: join(store, "a.raw") });
      for (const name of [".incoming/k/data", "sub/../.incoming/k/data", join(store, ".incoming/k/data")]) {
        await expect(resolve(name)).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
      }
      for (const name of [`/proc/self/root${store}/.incoming/k/data`, join(root, "alias/images/.incoming/k/data")]) {
        await expect(resolve(name)).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
      }
      const directory = resolveIn([store], ".incoming", { field, accept: ["directory"] });
      await expect(directory).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    });

    it.each([
      "../secret",
      "sub/../../secret",
      "link-out",
      "dir-out/secret",
      "",
      "a\0b",
      "a\nb",
      "sub",
      "x".repeat(256),
    ])("are refused as %j", async (name) => {
      await symlink(join(root, "secret"), join(store, "link-out"));
      await symlink(root, join(store, "dir-out"));
      await expect(resolve(name)).rejects.toMatchObject({
        code: status.INVALID_ARGUMENT,
        violations: [{ field, description: expect.any(String) }],
      });
    });

    it("outside are refused in the same words whether they exist or not", async () => {
      const words = async (name: string) =>
        await resolve(name).then(
          () => "resolved",
          (error: Error) => error.message.replaceAll(name, "NAME"),
        );
      expect(await words("/etc/shadow")).toBe(await words("/etc/no-such-file"));
    });

    it("that are not there are told as such", async () => {
      await expect(resolve("missing.raw")).rejects.toMatchObject({
        code: status.FAILED_PRECONDITION,
        reason: "IMAGE_NOT_FOUND",
      });
    });

    it("have a built-in one only when it is whole", async () => {
      await mkdir(join(store, "micro"));
      for (const name of ["vmlinuz", "initrd.img", "rootfs.tar"]) await put(`micro/${name}`, "x");
      expect(await findMicroImage([store])).toBeUndefined();
      await put("micro/manifest.json", "{}");
      expect(await findMicroImage([store])).toMatchObject({ kernel: join(store, "micro/vmlinuz") });
    });
  });

  describe("inspected before they are opened", () => {
    it("are raw when nothing else, with their size", async () => {
      expect(await inspect("a.raw")).toEqual({
        layers: [{ path: join(store, "a.raw"), format: "raw" }],
        virtualSizeBytes: 1024n,
      });
    });

    it("made by qemu-img show every layer with its format", async () => {
      await run("qemu-img", [
        "create",
        "-q",
        "-f",
        "qcow2",
        "-F",
        "raw",
        "-b",
        "a.raw",
        join(store, "mid.qcow2"),
        "2M",
      ]);
      await run("qemu-img", [
        "create",
        "-q",
        "-f",
        "qcow2",
        "-F",
        "qcow2",
        "-b",
        join(store, "mid.qcow2"),
        join(store, "top.qcow2"),
      ]);
      expect(await inspect("top.qcow2")).toEqual({
        layers: [
          { path: join(store, "top.qcow2"), format: "qcow2" },
          { path: join(store, "mid.qcow2"), format: "qcow2" },
          { path: join(store, "a.raw"), format: "raw" },
        ],
        virtualSizeBytes: 2n * 1024n * 1024n,
      });
    });

    it.each<[string, Buffer]>([
      ["a backing file elsewhere", makeQcow2({ backingFile: "/etc/shadow", extensions: [backingFormat("raw")] })],
      ["a backing file that climbs out", makeQcow2({ backingFile: "../secret", extensions: [backingFormat("raw")] })],
      [
        "a backing file through a link that leads out",
        makeQcow2({ backingFile: "out", extensions: [backingFormat("raw")] }),
      ],
      ["a backing file that is missing", makeQcow2({ backingFile: "missing", extensions: [backingFormat("raw")] })],
      ["a backing file of unknown format", makeQcow2({ backingFile: "a.raw" })],
      [
        "a backing file of a format that is not the one it has",
        makeQcow2({ backingFile: "a.raw", extensions: [backingFormat("qcow2")] }),
      ],
      [
        "a backing file of a format that is not allowed",
        makeQcow2({ backingFile: "a.raw", extensions: [backingFormat("vmdk")] }),
      ],
      [
        "a backing file over the network",
        makeQcow2({ backingFile: "nbd://10.0.0.1/x", extensions: [backingFormat("raw")] }),
      ],
      [
        "a backing file in JSON",
        makeQcow2({
          backingFile: 'json:{"driver":"file","filename":"/etc/shadow"}',
          extensions: [backingFormat("raw")],
        }),
      ],
      ["itself as backing file", makeQcow2({ backingFile: "bad.img", extensions: [backingFormat("qcow2")] })],
      ["data in another file", makeQcow2({ incompatible: 4n })],
      ["encryption", makeQcow2({ cryptMethod: 1 })],
      ["damage", makeQcow2({ incompatible: 2n })],
      ["a broken header", makeQcow2({ clusterBits: 99 })],
      ["another format", Buffer.concat([Buffer.from("KDMV"), Buffer.alloc(508)])],
      ["a size that no disk has", Buffer.alloc(100)],
      ["nothing in it", Buffer.alloc(0)],
    ])("are refused for %s", async (_what, content) => {
      await put("bad.img", content);
      await symlink(join(root, "secret"), join(store, "out"));
      await expect(inspect("bad.img")).rejects.toMatchObject({
        code: status.INVALID_ARGUMENT,
        violations: [{ field, description: expect.any(String) }],
      });
    });
  });
});
