import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../../../agent/host/exec.js";

const microDirectory = "/var/lib/zor/images/micro";
const modules = ["virtio_pci", "virtio_net", "virtio_console", "virtio_blk", "button"];

/**
 * Makes the built-in image with Debian's ordinary kernel, which has modules for what the one it has does not know.
 * @param root directory for scratch.
 * @param directory gets its files vmlinuz and initrd.
 * @param more modules to load at its boot.
 */
export async function makeDebianGuest(root: string, directory: string, more: readonly string[]): Promise<void> {
  const manifest = JSON.parse(await readFile(join(microDirectory, "manifest.json"), "utf8")) as { kernel: string };
  const version = manifest.kernel.replace("-cloud", "");
  const work = join(root, "kernel");
  const tree = join(work, "initrd/lib/modules");
  await mkdir(tree, { recursive: true });
  await run("apt-get", ["download", "-o", "APT::Sandbox::User=root", `linux-image-${version}`], {
    cwd: work,
    timeoutMs: 90_000,
  });
  const deb = (await readdir(work)).find((name) => name.endsWith(".deb")) ?? "";
  await run("dpkg", ["-x", join(work, deb), join(work, "tree")], { timeoutMs: 60_000 });
  await run("depmod", ["-b", join(work, "tree"), version]);
  const order = new Set<string>();
  for (const module of [...modules, ...more]) {
    const { stdout } = await run("modprobe", ["--show-depends", "-d", join(work, "tree"), "-S", version, module]);
    for (const match of stdout.matchAll(/^insmod (\S+)/gm)) {
      const path = match[1] ?? "";
      const name = path.slice(path.lastIndexOf("/") + 1);
      if (order.has(name)) continue;
      order.add(name);
      await writeFile(join(tree, name), await readFile(path));
    }
  }
  await writeFile(join(tree, "order"), `${[...order].join("\n")}\n`);
  const names = ["lib", "lib/modules", ...[...order, "order"].map((name) => `lib/modules/${name}`)];
  await run("sh", ["-c", "cpio -o -H newc -O ../more.cpio"], { cwd: join(work, "initrd"), input: names.join("\n") });
  // A kernel unpacks one archive after the other; later files replace earlier ones.
  const initrd = [await readFile(join(microDirectory, "initrd.img")), await readFile(join(work, "more.cpio"))];
  const padding = Buffer.alloc((4 - ((initrd[0]?.length ?? 0) % 4)) % 4);
  await writeFile(join(directory, "initrd"), Buffer.concat([initrd[0] as Buffer, padding, initrd[1] as Buffer]));
  await writeFile(join(directory, "vmlinuz"), await readFile(join(work, "tree/boot", `vmlinuz-${version}`)));
}
