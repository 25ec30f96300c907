import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { toIscsiNode } from "../../../../../agent/storage/backends/iscsi.js";
import { IscsiUnits } from "../../../../../agent/storage/backends/iscsi-units.js";
import { RbdBackend } from "../../../../../agent/storage/backends/rbd.js";
import { findKey, parseCephDf, parseRbdInfo } from "../../../../../agent/storage/backends/rbd-report.js";
import { type Answer, poolOf, scriptedTools, volumeOf } from "../scripted-tools.js";

const key = "AQBvPOdmAAAAABAAa1b2c3d4e5f6a7b8c9d0eA==";
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "zt-"));
  await writeFile(join(directory, "ceph.conf"), "[global]\n", { mode: 0o644 });
  await writeFile(
    join(directory, "ceph.client.lab.keyring"),
    `[client.other]\n\tkey = ${"B".repeat(40)}\n[client.lab]\n\tkey = ${key}\n`,
  );
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe("a pool of Ceph", () => {
  const pool = poolOf({ $case: "rbd", value: { pool: "vms", user: "lab" } });
  const usage = JSON.stringify({ pools: [{ name: "vms", stats: { stored: 30, bytes_used: 90, max_avail: 70 } }] });
  const absent: Answer = { exitCode: 2, stderr: "rbd: error opening image zor-0b9e-77: (2) No such file or directory" };

  function backendWith(info: Answer, df: Answer = usage) {
    const { run, calls } = scriptedTools((tool, argv) => (tool === "ceph" ? df : argv.includes("info") ? info : ""));
    return { backend: new RbdBackend({ policy: [{ rbd: "vms" }], run, directory }), calls };
  }
  const who = () => `--conf ${directory}/ceph.conf --id lab --keyring ${directory}/ceph.client.lab.keyring`;
  const rbd = (rest: string) =>
    `rbd ${who()} --rados-mon-op-timeout=10 --rados-osd-op-timeout=10 ${rest} --pool vms --image zor-0b9e-77`;

  it("makes, grows and removes images with tools that give up", async () => {
    const { backend, calls } = backendWith(absent);
    await backend.create(pool, volumeOf());
    expect(calls).toEqual([rbd("info --format json"), rbd("create --size 104857600B")]);
    const there = backendWith(JSON.stringify({ name: "zor-0b9e-77", size: 104_857_600 }));
    await there.backend.resize(pool, volumeOf(), 104_857_600n);
    await there.backend.resize(pool, volumeOf(), 209_715_200n);
    expect(there.calls.slice(1)).toEqual([rbd("info --format json"), rbd("resize --size 209715200B --no-progress")]);
    await there.backend.remove(pool, volumeOf());
    expect(there.calls.at(-1)).toBe(rbd("rm --no-progress"));
  });

  it("tells what it has, and is not there when the key, the settings or the pool are not", async () => {
    const { backend, calls } = backendWith(absent);
    await backend.open(pool);
    expect(calls).toEqual([`ceph ${who()} --connect-timeout 10 df --format json`]);
    expect(await backend.capacity(pool)).toEqual({ totalBytes: 100n, freeBytes: 70n });
    await expect(backendWith(absent, '{"pools":[]}').backend.open(pool)).rejects.toThrow('tells of no pool "vms"');
    await expect(backendWith(absent, "ok").backend.open(pool)).rejects.toThrow("hosts/h/pools/p");
    await writeFile(join(directory, "ceph.client.lab.keyring"), "[client.lab]\n");
    await expect(backend.open(pool)).rejects.toThrow("put the key of client.lab into");
    await rm(join(directory, "ceph.conf"));
    await expect(backend.open(pool)).rejects.toThrow("the host has no ceph.conf");
  });

  it("is reached by QEMU with the key in an object, and in no word of a command", async () => {
    const { backend, calls } = backendWith(absent);
    const source = await backend.source(pool, volumeOf());
    if (source.kind !== "remote") throw new Error("it is remote");
    const [secret] = source.secrets ?? [];
    expect(secret).toMatchObject({ data: key, format: "base64" });
    expect(source.node).toEqual({
      ...{ driver: "rbd", pool: "vms", image: "zor-0b9e-77", conf: `${directory}/ceph.conf`, user: "lab" },
      ...{ "auth-client-required": ["cephx"], "key-secret": secret?.id },
    });
    expect(calls.join(" ")).not.toContain(key);
  });

  it("does not take a pool that is gone for a volume that is gone", async () => {
    const { backend } = backendWith({
      exitCode: 2,
      stderr: "rbd: error opening pool 'vms': (2) No such file or directory",
    });
    await expect(backend.remove(pool, volumeOf())).rejects.toThrow('the cluster has no pool "vms"');
  });

  it("refuses names that are none, and pools that the settings do not have", async () => {
    const { backend } = backendWith(absent);
    const check = (name: string, user: string) =>
      backend.check({ description: "", backend: { $case: "rbd", value: { pool: name, user } } });
    await check("vms", "");
    await expect(check("other", "")).rejects.toThrow("storagePools");
    for (const name of ["", "-p", "a/b", "a@b", "a b"])
      await expect(check(name, "")).rejects.toThrow("pool.spec.rbd.pool");
    for (const user of ["-n", "../x", "a.b/c", "a b"])
      await expect(check("vms", user)).rejects.toThrow("pool.spec.rbd.user");
  });

  it("believes of answers only what can be", () => {
    expect(parseRbdInfo("{}")).toBeUndefined();
    expect(parseRbdInfo('{"name":"x","size":-1}')).toBeUndefined();
    expect(parseRbdInfo('{"name":"x","size":1e300}')).toBeUndefined();
    expect(parseCephDf('{"pools":[{"name":"vms","stats":{"bytes_used":"9","max_avail":1}}]}', "vms")).toBeUndefined();
    expect(findKey(`[client.lab]\nkey = ${key}`, "admin")).toBeUndefined();
    expect(findKey("[client.lab]\nkey = not a key", "lab")).toBeUndefined();
  });
});

describe("a pool of iSCSI", () => {
  const at = { portal: "10.0.0.1:3260", target: "iqn.2001-04.com.example:storage" };
  const mib = 1024n * 1024n;
  const units = [
    { lun: 1, sizeBytes: 64n * mib },
    { lun: 2, sizeBytes: 32n * mib },
    { lun: 3, sizeBytes: 32n * mib },
  ];
  const wanted = (uid: string, sizeMib: bigint) => ({
    uid,
    sizeBytes: sizeMib * mib,
    resource: `hosts/h/volumes/${uid}`,
  });

  it("is reached by QEMU with the password in an object", () => {
    const allowed = { iscsi: at.portal, target: at.target, luns: [2], user: "zor", passwordFile: "/etc/zor/chap" };
    expect(toIscsiNode(allowed, 2, "s1")).toEqual({
      ...{ driver: "iscsi", transport: "tcp", portal: at.portal, target: at.target, lun: 2 },
      ...{ "initiator-name": "iqn.2008-11.org.linux-kvm:zorhub", timeout: 15, user: "zor", "password-secret": "s1" },
    });
    expect(
      toIscsiNode({ iscsi: at.portal, target: at.target, luns: [2], initiator: "iqn.2001-04.x:h1" }, 2, "s1"),
    ).toEqual({
      ...{ driver: "iscsi", transport: "tcp", portal: at.portal, target: at.target, lun: 2 },
      ...{ "initiator-name": "iqn.2001-04.x:h1", timeout: 15 },
    });
  });

  it("gives each volume a unit of its own, however many ask at once", async () => {
    const ledger = new IscsiUnits(directory);
    const asked = await Promise.allSettled(["a", "b", "c", "d"].map((uid) => ledger.take(at, wanted(uid, 32n), units)));
    expect(asked.map((each) => (each.status === "fulfilled" ? each.value.lun : "none"))).toEqual([2, 3, 1, "none"]);
    expect(await ledger.taken(at)).toEqual(new Set([1, 2, 3]));
    await ledger.give(at, "b");
    await ledger.give(at, "b");
    expect((await new IscsiUnits(directory).take(at, wanted("d", 32n), units)).lun).toBe(3);
    expect(await ledger.find(at, "a")).toBe(2);
    expect(await ledger.find({ ...at, target: "iqn.2001-04.com.example:other" }, "a")).toBeUndefined();
  });

  it("gives no unit away when what it remembers is damaged", async () => {
    await writeFile(join(directory, "storage-iscsi.json"), '{"units":');
    const ledger = new IscsiUnits(directory);
    await expect(ledger.take(at, wanted("a", 1n), units)).rejects.toThrow();
    expect(await readFile(join(directory, "storage-iscsi.json"), "utf8")).toBe('{"units":');
  });
});
