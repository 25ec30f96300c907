import { mkdir, readdir, realpath, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { expect } from "vitest";
import { eventually } from "../../helpers/eventually.js";
import { ReachRig } from "../../integration/reach/rig.js";
import { startTarget, type TestTarget } from "./iscsi-target.js";

/** A hub and a host with two pools of directories, "slow" and "fast", one on a target of iSCSI, "san", and a directory for backups. */
export class VolumeRig implements AsyncDisposable {
  readonly reach: ReachRig;
  readonly #target: TestTarget;
  /** Directories of the pools. */
  readonly pools: readonly [string, string];

  private constructor(reach: ReachRig, target: TestTarget, pools: readonly [string, string]) {
    this.reach = reach;
    this.#target = target;
    this.pools = pools;
  }

  static async start(): Promise<VolumeRig> {
    await using undo = new AsyncDisposableStack();
    const target = undo.use(await startTarget([64, 64]));
    const reach = undo.use(await ReachRig.start());
    const root = await realpath(reach.directory);
    const pools = [join(root, "slow"), join(root, "fast")] as const;
    for (const directory of [...pools, join(root, "backups"), join(root, "images")]) await mkdir(directory);
    await writeFile(join(reach.agent.state, "password"), target.password);
    const san = `{ iscsi: "${target.portal}", target: "${target.target}", luns: [1, 2], user: ${target.user}, passwordFile: ${join(reach.agent.state, "password")} }`;
    const allowed = [...pools.map((pool) => `{ directory: ${pool} }`), san].join(", ");
    const settings = [
      `storagePools: [${allowed}]`,
      `backupDirs: [${join(root, "backups")}]`,
      `imageDirs: [${join(root, "images")}, /var/lib/zor/images]`,
    ];
    await writeFile(join(reach.agent.state, "agent.yaml"), `${settings.join("\n")}\n`);
    const rig = new VolumeRig(reach, target, pools);
    await rig.restart();
    for (const pool of pools) await rig.done("create", "pool", `zt/${basename(pool)}`, "--directory", pool);
    await rig.done("create", "pool", "zt/san", "--iscsi", `${target.portal}/${target.target}`);
    undo.move();
    return rig;
  }

  /** Directory of images. */
  get images(): string {
    return join(this.reach.directory, "images");
  }

  get backups(): string {
    return join(this.reach.directory, "backups", "zt");
  }

  /** Kills the agent and starts another one. */
  async restart(meanwhile: () => Promise<void> = async () => undefined): Promise<void> {
    await this.reach.agent.end("SIGKILL");
    await meanwhile();
    await this.reach.agent.start(["--config", join(this.reach.agent.state, "agent.yaml")]);
    await this.reach.ready();
  }

  /** What a command line prints that must succeed. */
  async done(...argv: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.reach.zor(...argv);
    expect({ argv, code, stderr }).toEqual({ argv, code: 0, stderr: expect.any(String) });
    return stdout;
  }

  /** What a command line says that must fail. */
  async refused(...argv: string[]): Promise<string> {
    const { code, stderr } = await this.reach.zor(...argv);
    expect({ argv, code }).not.toEqual({ argv, code: 0 });
    return stderr;
  }

  /** Makes and starts a machine of the built-in image with these disks. */
  async machine(id: string, ...disks: readonly object[]): Promise<void> {
    await this.reach.create(id, { qemu: { accelerator: "ACCELERATOR_TCG", kernel: "micro", disks } });
    await this.reach.answers(id);
  }

  /** Writes words to the begin of a disk: "vda". */
  async write(machine: string, disk: string, words: string): Promise<void> {
    const script = `printf '%-32s' '${words}' | dd of=/dev/${disk} conv=fsync,notrunc 2>/dev/null && echo ok`;
    expect(await this.reach.shell(machine, script)).toBe("ok\n");
  }

  /** The words at the begin of a disk. */
  async read(machine: string, disk: string): Promise<string> {
    const script = `echo 3 >/proc/sys/vm/drop_caches; head -c 32 /dev/${disk}`;
    return (await this.reach.shell(machine, script)).trimEnd();
  }

  /** A resource as JSON of the API. */
  async look(kind: string, id: string): Promise<Record<string, unknown>> {
    const parsed = JSON.parse(await this.done("get", kind, `zt/${id}`, "-o", "json")) as Record<string, unknown>;
    const [first] = Object.values(parsed).find((value) => Array.isArray(value)) ?? [];
    return "name" in parsed ? parsed : (first as Record<string, unknown>);
  }

  /** Files of volumes that there are in a pool, as soon as that many. */
  async filesIn(pool: string, count: number): Promise<readonly string[]> {
    return await eventually(async () => {
      const found = (await readdir(pool)).sort();
      expect(found).toHaveLength(count);
      return found;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.reach[Symbol.asyncDispose]();
    await this.#target[Symbol.asyncDispose]();
  }
}
