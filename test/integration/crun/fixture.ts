import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CrunDriver } from "../../../agent/drivers/crun/crun-driver.js";
import { type DiskLimits, DiskQuota } from "../../../agent/drivers/disk-quota.js";
import type { DriverInstance, ExecCommand, ExecOutput, RecoveryHandle } from "../../../agent/drivers/driver.js";
import { run } from "../../../agent/host/exec.js";
import { ensureNetns, removeNetns } from "../../../agent/network/netns.js";
import { CrunOptions } from "../../../proto/gen/zor/v1/crun.js";
import { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import { freshName } from "../../helpers/run-tag.js";

const microDirectory = "/var/lib/zor/images";

/** Options that most calls take. */
export const callOptions = { signal: new AbortController().signal, progress: () => undefined };

/** A driver with directories and a net namespace of its own. Disposing of it ends and removes all its containers. */
export class CrunFixture implements AsyncDisposable {
  readonly driver: CrunDriver;
  /** The driver of an agent that is started later on the same host. */
  readonly nextDriver: () => CrunDriver;
  readonly #instances: DriverInstance[] = [];

  private constructor(
    readonly root: string,
    readonly images: string,
    readonly netns: string,
    limits: DiskLimits,
  ) {
    const stateDirectory = join(root, "s");
    const options = {
      imageDirectories: [images, microDirectory],
      stateDirectory,
      containerCapabilities: ["SYS_ADMIN", "SYS_TIME"] as const,
      containers: {
        mounts: [
          { path: join(root, "shared"), readOnly: false },
          { path: join(root, "shared", "fixed"), readOnly: true },
        ],
        devices: ["/dev/net/tun"],
        privileged: true,
      },
      quota: new DiskQuota({ directory: stateDirectory, limits }),
    };
    this.nextDriver = () => new CrunDriver(options);
    this.driver = this.nextDriver();
  }

  static async make(limits: DiskLimits = {}): Promise<CrunFixture> {
    const root = await mkdtemp(join(tmpdir(), "zt-"));
    const images = join(root, "images");
    await mkdir(images);
    const netns = freshName();
    await ensureNetns(netns, { agentUid: netns });
    return new CrunFixture(root, images, netns, limits);
  }

  /** How to recognise what this fixture makes. */
  get ownership(): RegExp {
    const names = [this.root, this.netns, ...this.#instances.map(({ uid }) => uid)];
    return new RegExp(names.join("|"));
  }

  /** An instance, not created. */
  async define(options: Partial<CrunOptions>): Promise<DriverInstance> {
    const uid = randomUUID();
    const directory = join(this.root, "i", uid.slice(0, 8));
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const value = CrunOptions.fromPartial({ rootfs: "micro", ...options });
    const spec = InstanceSpec.fromPartial({ cpus: 1, memoryMib: 64n, driver: { $case: "crun", value } });
    const instance = { name: "hosts/h1/instances/c1", id: "c1", uid, spec, directory };
    this.#instances.push(instance);
    return instance;
  }

  /** A created instance. */
  async create(options: Partial<CrunOptions>): Promise<DriverInstance> {
    const instance = await this.define(options);
    await this.driver.create(instance, callOptions);
    return instance;
  }

  start(instance: DriverInstance): Promise<RecoveryHandle> {
    return this.driver.start(instance, { netns: this.netns, nics: [] }, callOptions);
  }

  /** Runs a shell line inside and resolves to its output. */
  async shell(instance: DriverInstance, handle: RecoveryHandle, line: string): Promise<string> {
    let text = "";
    for await (const output of this.driver.exec(instance, handle, toCommand(["sh", "-c", line]), callOptions)) {
      if (output.type !== "exit") text += Buffer.from(output.data).toString();
    }
    return text;
  }

  /** A directory with the built-in root filesystem, in the image directory. */
  async unpackMicro(name: string): Promise<string> {
    const path = join(this.images, name);
    await mkdir(path);
    await run("tar", ["--extract", `--directory=${path}`, `--file=${microDirectory}/micro/rootfs.tar`]);
    return path;
  }

  /** Like {@link unpackMicro}, with perl, which can make any system call. */
  async unpackWithPerl(name: string): Promise<string> {
    const path = await this.unpackMicro(name);
    const { stdout } = await run("ldd", ["/usr/bin/perl"]);
    const libraries = [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, library = ""]) => library);
    await run("cp", ["--parents", "--dereference", "/usr/bin/perl", ...libraries, path]);
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const instance of this.#instances) {
      const handle = await this.driver.recover(instance, undefined);
      if (handle !== undefined) await this.driver.stop(instance, handle);
      await this.driver.destroy(instance);
    }
    await removeNetns(this.netns, { agentUid: this.netns });
    await rm(this.root, { recursive: true });
  }
}

/** A command without terminal and input, unless told otherwise. */
export function toCommand(command: readonly string[], more: Partial<ExecCommand> = {}): ExecCommand {
  return { command, environment: {}, tty: false, columns: 0, rows: 0, stdin: undefined, ...more };
}

/** Everything that comes. */
export async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const value of values) list.push(value);
  return list;
}

/** What a command wrote. */
export function textOf(outputs: readonly ExecOutput[]): string {
  return outputs.map((output) => (output.type === "exit" ? "" : Buffer.from(output.data).toString())).join("");
}
