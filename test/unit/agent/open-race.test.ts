import { type FileHandle, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openRootfsImage } from "../../../agent/drivers/crun/rootfs.js";
import { openBootFiles } from "../../../agent/drivers/qemu/boot-files.js";
import { openChain } from "../../../agent/drivers/qemu/image-chain.js";
import { connectUnix } from "../../../agent/host/unix-socket.js";
import { openExactly } from "../../../agent/host/open-exactly.js";
import { ZorError } from "../../../lib/errors.js";
import { CrunOptions } from "../../../proto/gen/zor/v1/crun.js";
import { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import { NameSwapper } from "../../helpers/name-swapper.js";
import { backingFormat, makeQcow2 } from "./drivers/qemu/qcow2-image.js";

const raceMs = 500;
const block = (text: string) => Buffer.alloc(512, text);

describe("an input whose name is exchanged for a link out of its directory, as fast as the kernel can,", () => {
  let root: string;
  let images: string;

  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "zt-"));
    images = join(root, "images");
    await mkdir(join(images, "tree"), { recursive: true });
    await mkdir(join(root, "elsewhere"));
    await writeFile(join(root, "secret"), block("secret"), { mode: 0o644 });
    await writeFile(join(images, "file"), block("public"), { mode: 0o644 });
    await writeFile(join(images, "top.qcow2"), makeQcow2({ backingFile: "file", extensions: [backingFormat("raw")] }));
    await writeFile(join(images, "tree", "mine"), "public");
    await writeFile(join(root, "elsewhere", "mine"), "secret");
    await symlink(join(root, "secret"), join(images, "file-out"));
    await symlink(join(root, "elsewhere"), join(images, "tree-out"));
  });
  afterAll(() => rm(root, { recursive: true }));

  const beginning = async (file: FileHandle) => {
    const { buffer } = await file.read(Buffer.alloc(6), 0, 6, 0);
    return buffer.toString();
  };
  const qemu = (options: { readonly kernel: string; readonly initrd: string }) =>
    InstanceSpec.fromPartial({ driver: { $case: "qemu", value: options } });

  /** Opens again and again; resolves to what was in what was opened. */
  async function race(names: readonly [string, string], open: () => Promise<string>): Promise<Map<string, number>> {
    const seen = new Map<string, number>();
    await using swapper = await NameSwapper.start(join(images, names[0]), join(images, names[1]));
    const before = swapper.swaps;
    // Longer where a busy machine has let nothing happen in that time.
    const isVain = () => swapper.swaps === before || !seen.has("public");
    const begin = performance.now();
    while (performance.now() < begin + raceMs || (isVain() && performance.now() < begin + 20 * raceMs)) {
      const what = await open().catch((error: unknown) => {
        // A refusal; anything else is a fault.
        if (error instanceof ZorError || (error instanceof Error && /ELOOP/.test(error.message))) return "refused";
        throw error;
      });
      seen.set(what, (seen.get(what) ?? 0) + 1);
    }
    expect(swapper.swaps).toBeGreaterThan(before);
    return seen;
  }

  const files: readonly [string, () => Promise<string>][] = [
    [
      "a disk image",
      async () => {
        await using chain = await openChain([images], "file", "f");
        return await beginning(chain.layers[0].file);
      },
    ],
    [
      "a backing file",
      async () => {
        await using chain = await openChain([images], "top.qcow2", "f");
        return await beginning((chain.layers[1] ?? chain.layers[0]).file);
      },
    ],
    [
      "a kernel",
      async () => {
        await using boot = await openBootFiles([images], qemu({ kernel: "file", initrd: "" }));
        return await beginning(boot.kernel.file);
      },
    ],
    [
      "an initial ram disk",
      async () => {
        await using boot = await openBootFiles([images], qemu({ kernel: "top.qcow2", initrd: "file" }));
        return boot.initrd === undefined ? "none" : await beginning(boot.initrd.file);
      },
    ],
    [
      "a state file",
      async () => {
        await using file = await openExactly(join(images, "file"), "r+");
        return await beginning(file);
      },
    ],
  ];
  it.each(files)("is never opened elsewhere: %s", async (what, open) => {
    if (what === "an initial ram disk") await writeFile(join(images, "top.qcow2"), "kernel", { mode: 0o644 });
    const seen = await race(["file", "file-out"], open);
    expect([...seen.keys()]).not.toContain("secret");
    expect(seen.get("public")).toBeGreaterThan(0);
  });

  it("is never opened elsewhere: a root filesystem's directory", async () => {
    const seen = await race(["tree", "tree-out"], async () => {
      await using image = await openRootfsImage([images], CrunOptions.fromPartial({ rootfs: "tree" }));
      return await readFile(`/proc/self/fd/${image.file.fd}/mine`, "utf8");
    });
    expect([...seen.keys()]).not.toContain("secret");
    expect(seen.get("public")).toBeGreaterThan(0);
  });

  it("is never connected to elsewhere: a socket", async () => {
    const listen = async (path: string, word: string): Promise<Server> => {
      const server = createServer((socket) => socket.end(word));
      await new Promise<void>((resolve) => server.listen(path, resolve));
      return server;
    };
    const servers = [await listen(join(images, "socket"), "public"), await listen(join(root, "socket"), "secret")];
    await symlink(join(root, "socket"), join(images, "socket-out"));
    const seen = await race(["socket", "socket-out"], async () => {
      const socket = await connectUnix(images, "socket", { signal: AbortSignal.timeout(10_000) });
      let text = "";
      for await (const chunk of socket) text += String(chunk);
      return text;
    });
    for (const server of servers) await new Promise((resolve) => server.close(resolve));
    expect([...seen.keys()]).not.toContain("secret");
    expect(seen.get("public")).toBeGreaterThan(0);
  });
});
