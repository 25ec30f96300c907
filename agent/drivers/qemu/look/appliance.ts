import { chmod, mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { failedPrecondition } from "../../../../lib/errors.js";
import { run, ToolError } from "../../../host/exec.js";
import { qemuProgram } from "../program.js";

/** A host's machine for looking into disks: a kernel and a userland of the host's own packages (libguestfs(3), "FIXED APPLIANCE"). */
export interface Appliance {
  readonly directory: string;
  readonly version: string;
}

const buildTimeoutMs = 600_000;
const files = ["kernel", "initrd", "root", "README.fixed"] as const;

/** The program that libguestfs starts as QEMU: the same with its system calls narrowed. */
const wrapper = `#!/bin/sh
exec ${qemuProgram} -sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny "$@"
`;
/** Name of that program in the appliance's directory. */
const wrapperName = "qemu";

const remedy = "install it with: apt-get install libguestfs-perl libguestfs-tools";

/** The appliances of a host: one that its administrator made, or one that is made here when it is wanted first. */
export class Appliances {
  readonly #given: string | undefined;
  readonly #own: string;
  #making: Promise<void> | undefined;

  /** @param given directory of one that was made by libguestfs-make-fixed-appliance(1). @param own where one may be made. */
  constructor(given: string | undefined, own: string) {
    this.#given = given;
    this.#own = own;
  }

  /**
   * The appliance, made where there is none of libguestfs's version yet: that takes a minute or more.
   * @throws {ZorError} FAILED_PRECONDITION with what is missing.
   */
  async get(resource: string, onStage: (stage: string) => void): Promise<Appliance> {
    const version = await libraryVersion(resource);
    const directory = join(this.#own, "appliance");
    if (this.#given !== undefined) {
      await assertWhole(this.#given, resource);
      // Its directory may be nobody's to write to.
      await mkdir(this.#own, { recursive: true, mode: 0o755 });
      return { directory: this.#given, version };
    }
    if ((await versionOf(directory)) !== version) {
      onStage("making the machine that looks into disks, once for this host");
      this.#making ??= make(directory, version, resource).finally(() => {
        this.#making = undefined;
      });
      await this.#making;
    }
    return { directory, version };
  }

  /** Path of the program that is started as QEMU. */
  async wrapper(): Promise<string> {
    const path = join(this.#own, wrapperName);
    await mkdir(this.#own, { recursive: true, mode: 0o755 });
    await writeFile(path, wrapper, { mode: 0o755 });
    await chmod(path, 0o755);
    return path;
  }
}

/** @throws {ZorError} FAILED_PRECONDITION when it is not installed. */
async function libraryVersion(resource: string): Promise<string> {
  const script =
    'use Sys::Guestfs; use JSON::PP; my %v = Sys::Guestfs->new()->version(); print "$v{major}.$v{minor}.$v{release}"';
  try {
    return (await run("perl", ["-e", script])).stdout.trim();
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    const what = `${resource}: disks are looked into by libguestfs, which is not installed on the host; ${remedy}`;
    throw failedPrecondition("NO_LIBGUESTFS", resource, what);
  }
}

async function versionOf(directory: string): Promise<string> {
  return (await readFile(join(directory, "version"), "utf8").catch(() => "")).trim();
}

async function assertWhole(directory: string, resource: string): Promise<void> {
  for (const name of files) {
    const found = await stat(join(directory, name)).catch(() => undefined);
    if (found?.isFile() === true) continue;
    throw failedPrecondition(
      "NO_APPLIANCE",
      resource,
      `${resource}: the agent's setting diskAppliance does not name a directory made by libguestfs-make-fixed-appliance: ${name} is not in it`,
    );
  }
}

async function make(directory: string, version: string, resource: string): Promise<void> {
  const scratch = `${directory}.new`;
  await rm(scratch, { recursive: true, force: true });
  await mkdir(join(scratch, "cache"), { recursive: true, mode: 0o755 });
  const cache = join(scratch, "cache");
  const env = { LIBGUESTFS_BACKEND: "direct", LIBGUESTFS_CACHEDIR: cache, LIBGUESTFS_TMPDIR: cache, TMPDIR: cache };
  const settings = { ...env, LIBGUESTFS_BACKEND_SETTINGS: "force_tcg" };
  try {
    await run("libguestfs-make-fixed-appliance", [scratch], { env: settings, timeoutMs: buildTimeoutMs });
    await rm(cache, { recursive: true, force: true });
    await writeFile(join(scratch, "version"), version);
    await rm(directory, { recursive: true, force: true });
    await rename(scratch, directory);
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    const why = error.message.includes("is not installed")
      ? `libguestfs-make-fixed-appliance is not installed on the host; ${remedy}`
      : "libguestfs cannot make its appliance on the host, which takes a kernel in /boot that the host has modules of; install linux-image-amd64, or name an appliance that was made elsewhere in the agent's setting diskAppliance";
    throw failedPrecondition("NO_APPLIANCE", resource, `${resource}: its disks cannot be looked into: ${why}`);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
