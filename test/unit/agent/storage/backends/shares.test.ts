import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { unavailable } from "../../../../../lib/errors.js";
import { GlusterBackend, toGlusterNode, toGlusterShare } from "../../../../../agent/storage/backends/gluster.js";
import { NfsBackend, toNfsShare } from "../../../../../agent/storage/backends/nfs.js";
import { mountCommands, parseMounts } from "../../../../../agent/storage/mounted-share.js";
import { runStorageTool } from "../../../../../agent/storage/storage-tool.js";
import { type Answer, poolOf, scriptedTools, volumeOf } from "../scripted-tools.js";

const nfs = poolOf({ $case: "nfs", value: { server: "nas.lab", export: "/export/lab" } });
const gluster = poolOf({ $case: "gluster", value: { server: "10.0.0.7", volume: "lab" } });
let state: string;

beforeAll(async () => {
  state = await mkdtemp(join(tmpdir(), "zt-"));
});
afterAll(() => rm(state, { recursive: true, force: true }));

function line(parts: { tool: string; argv: readonly string[] }): string {
  return [parts.tool, ...parts.argv].join(" ");
}

describe("a pool of NFS", () => {
  it("is mounted so that nothing of it is run and no server is waited for without end", () => {
    expect(line(mountCommands.mount(toNfsShare(nfs.spec), "/s/m"))).toBe(
      "mount -t nfs -o nosuid,nodev,noexec,softerr,timeo=100,retrans=2,retry=0 nas.lab:/export/lab /s/m",
    );
    const six = poolOf({ $case: "nfs", value: { server: "fd00::1", export: "/x" } });
    expect(toNfsShare(six.spec).source).toBe("[fd00::1]:/x");
  });

  it("is unmounted, and let go of when that does not go", () => {
    expect(line(mountCommands.unmount("/s/m"))).toBe("umount /s/m");
    expect(line(mountCommands.detach("/s/m"))).toBe("umount --lazy /s/m");
    expect(line(mountCommands.look("/s/m"))).toBe("stat --file-system --format %S %b %a -- /s/m");
  });

  it.each([
    ["mount.nfs: No such device", "the kernel of the host knows no nfs; load its module with: modprobe nfs"],
    ["mount: unknown filesystem type 'nfs'.", "this host cannot mount nfs; install the package nfs-common"],
    ["mount.nfs: Connection refused", "the NFS server nas.lab does not answer"],
    ["mount.nfs: access denied by server", "refused with"],
  ])("says in words what %s means", async (said, words) => {
    const failing = new NfsBackend({
      state,
      policy: [{ nfs: "nas.lab:/export/lab" }],
      run: (_command, options) =>
        runStorageTool({ tool: "sh", argv: ["-c", 'echo "$1" >&2; exit 32', "sh", said] }, options),
    });
    await expect(failing.open(nfs)).rejects.toThrow(words);
  });

  it("writes nothing to the host's own disk while its share is not mounted", async () => {
    const { run, calls } = scriptedTools(() => "");
    const backend = new NfsBackend({ state, policy: [{ nfs: "nas.lab:/export/lab" }], run });
    for (const touch of [
      () => backend.create(nfs, volumeOf("qcow2")),
      () => backend.remove(nfs, volumeOf("qcow2")),
      () => backend.source(nfs, volumeOf("qcow2")),
      () => backend.capacity(nfs),
    ]) {
      await expect(touch()).rejects.toThrow("hosts/h/pools/p: nas.lab:/export/lab is not mounted");
    }
    expect(calls).toEqual([]);
  });

  it("refuses exports that are none, and what the settings do not have", async () => {
    const backend = new NfsBackend({ state, policy: [{ nfs: "nas.lab:/export/lab" }] });
    const check = (server: string, path: string) =>
      backend.check({ description: "", backend: { $case: "nfs", value: { server, export: path } } });
    await check("nas.lab", "/export/lab");
    await expect(check("nas.lab", "/export")).rejects.toThrow("storagePools");
    for (const path of ["", "export", "/a,suid", "/a/../b", "/..", "/a b", "/a\nb", "/a\\040b"]) {
      await expect(check("nas.lab", path)).rejects.toThrow("pool.spec.nfs.export");
    }
    for (const server of ["", "-o", "a b", "a:b/c", "a,b", "$(x)"]) {
      await expect(check(server, "/export/lab")).rejects.toThrow("pool.spec.nfs.server");
    }
  });
});

describe("a pool of GlusterFS", () => {
  it("is mounted for the agent, and reached by QEMU itself", () => {
    expect(line(mountCommands.mount(toGlusterShare(gluster.spec), "/s/m"))).toBe(
      "mount -t glusterfs -o nosuid,nodev,noexec,log-level=ERROR 10.0.0.7:/lab /s/m",
    );
    expect(toGlusterNode(gluster.spec, volumeOf())).toEqual({
      driver: "gluster",
      volume: "lab",
      path: "zor/zor-0b9e-77.raw",
      server: [{ type: "inet", host: "10.0.0.7", port: "24007" }],
    });
  });

  it("refuses volumes that are none, and what the settings do not have", async () => {
    const backend = new GlusterBackend({ state, policy: [{ gluster: "10.0.0.7/lab" }] });
    const check = (volume: string) =>
      backend.check({ description: "", backend: { $case: "gluster", value: { server: "10.0.0.7", volume } } });
    await check("lab");
    await expect(check("other")).rejects.toThrow("storagePools");
    for (const volume of ["", "-o", "a/b", "a b", "a:b"])
      await expect(check(volume)).rejects.toThrow("pool.spec.gluster.volume");
  });
});

it("finds what is mounted at a place, the last over the others", () => {
  const text = [
    "22 1 0:21 / / rw - ext4 /dev/vda rw",
    "40 22 0:40 / /s/a\\040b rw,nosuid shared:1 - nfs4 nas:/x rw",
    "41 22 0:41 / /s/m rw - tmpfs none rw",
    "42 22 0:42 / /s/m rw master:1 - fuse.glusterfs h:/lab rw",
    "",
  ].join("\n");
  expect(parseMounts(text, "/s/a b")).toEqual({ type: "nfs4", source: "nas:/x" });
  expect(parseMounts(text, "/s/m")).toEqual({ type: "fuse.glusterfs", source: "h:/lab" });
  expect(parseMounts(text, "/s")).toBeUndefined();
});

describe("tools of storage", () => {
  const options = { resource: "hosts/h/pools/p", packageName: "nfs-common", storage: "the NFS server nas" };
  it("that are missing name their package", async () => {
    await expect(runStorageTool({ tool: "zor-no-such-tool", argv: [] }, options)).rejects.toThrow(
      "zor-no-such-tool is not installed on the host; install the package nfs-common",
    );
  });
  it("that never end are not waited for", async () => {
    await expect(runStorageTool({ tool: "sleep", argv: ["600"], timeoutMs: 50 }, options)).rejects.toThrow(
      "the NFS server nas does not answer",
    );
  });
  it("that fill their storage say so", async () => {
    const argv = ["-c", "echo 'write: No space left on device' >&2; exit 1"];
    await expect(runStorageTool({ tool: "sh", argv }, options)).rejects.toMatchObject({ reason: "STORAGE_FULL" });
  });
  it("that speak to terminals are escaped", async () => {
    const argv = ["-c", "printf '\\033[2Jgone' >&2; exit 1"];
    await expect(runStorageTool({ tool: "sh", argv }, options)).rejects.toThrow('refused with "\\u001b[2Jgone"');
  });
});

it("passes other errors on", async () => {
  const said: Answer = unavailable("X", "r", "words");
  const { run } = scriptedTools(() => said);
  const backend = new GlusterBackend({ state, policy: [{ gluster: "10.0.0.7/lab" }], run });
  await expect(backend.open(gluster)).rejects.toThrow("words");
});
