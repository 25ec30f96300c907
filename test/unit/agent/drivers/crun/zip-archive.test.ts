import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { extractZip } from "../../../../../agent/drivers/crun/zip-archive.js";
import { run } from "../../../../../agent/host/exec.js";

let root: string;
let target: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "zt-zip-"));
  target = join(root, "target");
  await mkdir(target);
});

afterEach(() => rm(root, { recursive: true, force: true }));

async function extract(archive: Buffer, spare = 10_000_000): Promise<void> {
  const path = join(root, "archive.zip");
  await writeFile(path, archive);
  await using file = await open(path);
  const signal = new AbortController().signal;
  await extractZip(file, target, { field: "f", what: "the archive", spareBytes: async () => spare, signal });
}

/** A member as hostile programs write it. */
interface Made {
  readonly name: string;
  readonly data?: string;
  readonly mode?: number;
  /** Size that the directory claims. */
  readonly claimed?: number;
  readonly flags?: number;
  readonly method?: number;
}

/** A zip archive of stored members, byte by byte. */
function makeZip(members: readonly Made[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, data = "", mode = 0o100644, claimed, flags = 0, method = 0 } of members) {
    const [nameBytes, bytes] = [Buffer.from(name), Buffer.from(data)];
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(nameBytes.length, 26);
    parts.push(local, nameBytes, bytes);
    const header = Buffer.alloc(46);
    header.writeUInt32LE(0x02014b50, 0);
    header.writeUInt8(3, 5);
    header.writeUInt16LE(flags, 8);
    header.writeUInt16LE(method, 10);
    header.writeUInt32LE(bytes.length, 20);
    header.writeUInt32LE(claimed ?? bytes.length, 24);
    header.writeUInt16LE(nameBytes.length, 28);
    header.writeUInt32LE((mode << 16) >>> 0, 38);
    header.writeUInt32LE(offset, 42);
    directory.push(header, nameBytes);
    offset += local.length + nameBytes.length + bytes.length;
  }
  const list = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(list.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, list, end]);
}

describe("a zip archive", () => {
  it("is extracted with its permissions and links, as zip makes it", async () => {
    const tree = join(root, "tree");
    await mkdir(join(tree, "bin"), { recursive: true });
    await writeFile(join(tree, "bin", "tool"), "tool ".repeat(1000));
    await chmod(join(tree, "bin", "tool"), 0o4755);
    await symlink("../bin/tool", join(tree, "bin", "other"));
    await mkdir(join(tree, "closed"), { mode: 0o500 });
    await run("zip", ["-q", "-r", "--symlinks", join(root, "made.zip"), "."], { cwd: tree });
    await extract(await readFile(join(root, "made.zip")));
    expect(await readFile(join(target, "bin", "tool"), "utf8")).toBe("tool ".repeat(1000));
    expect((await lstat(join(target, "bin", "tool"))).mode & 0o7777).toBe(0o4755);
    expect(await readlink(join(target, "bin", "other"))).toBe("../bin/tool");
    expect((await lstat(join(target, "closed"))).mode & 0o7777).toBe(0o500);
  });

  it("of a name that is there twice has the last, and nothing of /dev", async () => {
    await extract(
      makeZip([
        { name: "a", data: "1" },
        { name: "a", data: "2" },
        { name: "dev/sda", data: "x" },
      ]),
    );
    expect(await readFile(join(target, "a"), "utf8")).toBe("2");
    expect(await readdir(target)).toEqual(["a"]);
  });

  const link = { name: "out", data: "/tmp", mode: 0o120777 };
  it.each<readonly [string, Buffer, RegExp]>([
    ["an absolute path", makeZip([{ name: "/etc/x" }]), /absolute path/],
    ["a path that climbs out", makeZip([{ name: "a/../../x" }]), /path with "\.\."/],
    ["a path of another system", makeZip([{ name: "a\\..\\x" }]), /name that is none/],
    ["a file through a link", makeZip([link, { name: "out/x" }]), /"out" in its path is no directory/],
    ["a file below a file", makeZip([{ name: "a" }, { name: "a/b" }]), /"a" in its path is no directory/],
    ["a device", makeZip([{ name: "x", mode: 0o060644 }]), /device, pipe or socket/],
    ["an encrypted file", makeZip([{ name: "x", flags: 1 }]), /encrypted file/],
    ["a method nobody has", makeZip([{ name: "x", method: 99 }]), /rarer methods/],
    ["more than it says", makeZip([{ name: "x", data: "12345", claimed: 2 }]), /more of it than the archive says/],
    ["less than it says", makeZip([{ name: "x", data: "1", claimed: 2 }]), /less of it than the archive says/],
    ["damaged data", makeZip([{ name: "x", data: "\xff\xff\xff", method: 8 }]), /its data are damaged/],
    ["a name that is too long", makeZip([{ name: "x".repeat(300) }]), /File name too long/],
    ["an end that is missing", makeZip([{ name: "x" }]).subarray(0, -10), /damaged or cut short/],
    ["a directory that is cut", Buffer.concat([Buffer.from("PK\x03\x04"), makeZip([]).fill(1, 10, 12)]), /cut short/],
    ["nothing", makeZip([]), /is empty/],
  ])("with %s is refused in words", async (_, archive, words) => {
    await expect(extract(archive)).rejects.toMatchObject({ code: 3, message: expect.stringMatching(words) });
  });

  it("that would fill the disk is refused before anything is written", async () => {
    const bomb = makeZip([{ name: "x", claimed: 4_000_000_000 }]);
    await expect(extract(bomb)).rejects.toMatchObject({ code: 8, reason: "DISK_FULL" });
    expect(await readdir(target)).toEqual([]);
  });
});
