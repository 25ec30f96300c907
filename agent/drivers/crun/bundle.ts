import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { invalidArgument } from "../../../lib/errors.js";
import type { CrunOptions } from "../../../proto/gen/zor/v1/crun.js";
import { openExactly } from "../../host/open-exactly.js";
import type { DriverInstance } from "../driver.js";
import type { GrantedDevice, GrantedMount, KnownPath } from "../containers/host-access.js";
import { resolvConf } from "../containers/resolv-conf.js";
import { type MoreMounts, openStage } from "./mount-namespace.js";
import { buildOciConfig, type OciConfigOptions, type OciIdentity, type OciMount } from "./oci-config.js";
import type { RunPlan } from "./run-plan.js";
import type { IdRange } from "./user-ranges.js";

/** What a container's bundle is made from, besides what {@link OciConfigOptions} say. */
export interface BundleOptions {
  readonly spec: CrunOptions;
  readonly plan: RunPlan;
  readonly mounts: readonly GrantedMount[];
  readonly devices: readonly GrantedDevice[];
  readonly range: IdRange | undefined;
  readonly config: Omit<
    OciConfigOptions,
    "hostname" | "rootPath" | "readOnlyRoot" | "mounts" | "devices" | "range" | "sysctls" | keyof OciIdentity
  >;
}

/** Mounted over files of the root filesystem, which is never written to for it. */
const ownFiles = ["resolv.conf", "hosts"] as const;
const bytesPerMib = 1024 * 1024;

/**
 * Writes config.json of a container's bundle and the files that are mounted inside.
 * @returns what is to be mounted before the runtime is called.
 */
export async function writeBundle(instance: DriverInstance, options: BundleOptions): Promise<MoreMounts> {
  const { spec, plan, range } = options;
  const stage = range === undefined ? join(instance.directory, "mounts") : openStage;
  if (range === undefined) await mkdir(stage, { recursive: true, mode: 0o700 });
  const hostname = spec.hostname === "" ? instance.id : spec.hostname;
  const files = await writeOwnFiles(instance.directory, spec, hostname);
  const binds = [...files, ...options.mounts];
  const config = buildOciConfig({
    ...options.config,
    hostname,
    rootPath: join(range === undefined ? instance.directory : stage, range === undefined ? "rootfs" : "root"),
    readOnlyRoot: spec.readOnlyRoot,
    workingDirectory: plan.workingDirectory,
    user: plan.user,
    sysctls: spec.sysctls,
    mounts: toOciMounts(spec, binds, stage),
    devices: options.devices,
    range,
  });
  await writeFile(join(instance.directory, "config.json"), JSON.stringify(config), { mode: 0o600 });
  return { binds, stage, range };
}

/** In the order of the spec, so that one may be inside of another; files last. */
function toOciMounts(spec: CrunOptions, binds: readonly GrantedMount[], stage: string): readonly OciMount[] {
  const bindOf = (target: string): OciMount | undefined => {
    const index = binds.findIndex((each) => each.target === target);
    const bind = binds[index];
    if (bind === undefined) return undefined;
    const options = ["bind", "nosuid", "nodev", bind.readOnly ? "ro" : "rw"];
    return { destination: target, type: "bind", source: join(stage, `${index}`), options };
  };
  const wanted = spec.mounts.map(({ target, source, readOnly }): OciMount | undefined => {
    if (source?.$case !== "tmpfsMib") return bindOf(target);
    const size = `size=${source.value * BigInt(bytesPerMib)}`;
    const options = ["nosuid", "nodev", "mode=1777", size, readOnly ? "ro" : "rw"];
    return { destination: target, type: "tmpfs", source: "tmpfs", options };
  });
  return [...wanted, ...ownFiles.map((name) => bindOf(`/etc/${name}`))].filter((mount) => mount !== undefined);
}

async function writeOwnFiles(directory: string, spec: CrunOptions, hostname: string): Promise<readonly GrantedMount[]> {
  const home = join(directory, "etc");
  await rm(home, { recursive: true, force: true });
  await mkdir(home, { mode: 0o700 });
  const texts = { "resolv.conf": resolvConf(spec.dns), hosts: hosts(spec, hostname) };
  const made: GrantedMount[] = [];
  for (const name of ownFiles) {
    const text = texts[name];
    if (text === undefined) continue;
    const path = join(home, name);
    await writeFile(path, text, { mode: 0o644, flag: "wx" });
    const known: KnownPath = { path, id: await identify(path) };
    // What it writes there is the container's own affair, but the next start begins anew.
    made.push({ ...known, target: `/etc/${name}`, readOnly: spec.readOnlyRoot });
  }
  return made;
}

function hosts({ extraHosts }: CrunOptions, hostname: string): string | undefined {
  const own = Object.entries(extraHosts);
  if (own.length === 0) return undefined;
  const lines = ["127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost", `127.0.1.1\t${hostname}`];
  return [...lines, ...own.map(([name, address]) => `${address}\t${name}`), ""].join("\n");
}

async function identify(path: string): Promise<string> {
  await using file = await openExactly(path);
  const { dev, ino } = await file.stat({ bigint: true });
  return `${dev}:${ino}`;
}

const startedSchema = z.object({
  process: z.object({
    user: z.object({ uid: z.number(), gid: z.number(), additionalGids: z.array(z.number()).default([]) }),
    cwd: z.string(),
    env: z.array(z.string()),
  }),
});

/** How the container's first program was started, for commands that are run beside it. */
export async function readStarted(
  directory: string,
): Promise<OciIdentity & { readonly environment: Readonly<Record<string, string>> }> {
  const { process } = startedSchema.parse(JSON.parse(await readFile(join(directory, "config.json"), "utf8")));
  const { uid, gid, additionalGids: moreGids } = process.user;
  const pairs = process.env.map((word) => [word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1)]);
  return { user: { uid, gid, moreGids }, workingDirectory: process.cwd, environment: Object.fromEntries(pairs) };
}

/** Refuses memory file systems that are larger than the container may ever fill. @throws {ZorError} INVALID_ARGUMENT */
export function checkTmpfs(spec: CrunOptions, memoryMib: number): void {
  const index = spec.mounts.findIndex(({ source }) => source?.$case === "tmpfsMib" && source.value > BigInt(memoryMib));
  if (index === -1) return;
  throw invalidArgument(
    `instance.spec.crun.mounts[${index}].tmpfs_mib`,
    `is more than the container's memory of ${memoryMib} MiB, which it counts towards; raise memory_mib`,
  );
}
