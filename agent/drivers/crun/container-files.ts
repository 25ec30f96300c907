import { once } from "node:events";
import type { Readable } from "node:stream";
import { failedPrecondition, invalidArgument } from "../../../lib/errors.js";
import { isAlive } from "../../../lib/process.js";
import { Dir } from "../../../lib/tree/dir.js";
import { startOwned } from "../../host/exec.js";
import type { FilesRequest, HasFiles, OpenFiles } from "../abilities/files.js";
import { TreeFiles } from "../containers/tree-files.js";
import type { DriverInstance, RecoveryHandle } from "../driver-instance.js";
import type { CrunHost } from "./crun-host.js";
import { inMountNamespace, openStage } from "./mount-namespace.js";
import { openRootfsImage } from "./rootfs.js";
import { optionsOf } from "./subject.js";

/** Files in root filesystems of containers: of one that runs, as it has it; of one that does not, mounted where nobody else sees it. */
export function containerFiles(host: () => CrunHost): HasFiles {
  return {
    isSharedWhileRunning: true,
    openFiles: async (instance, handle, request) => {
      if (request.disk !== "") throw notHere("place.disk", "disks");
      if (request.filesystem !== "") throw notHere("place.filesystem", "file systems");
      return handle === undefined ? await openStopped(host(), instance, request) : await openRunning(instance, handle);
    },
  };
}

async function openRunning({ name }: DriverInstance, handle: RecoveryHandle): Promise<OpenFiles> {
  await using opened = new AsyncDisposableStack();
  const root = opened.use(await openRoot(`/proc/${handle.pid}/root`, name));
  // Its number may have become another's meanwhile, whose root is the host's: looked at when the root is held.
  if (!(await isAlive(handle))) {
    throw failedPrecondition("NO_ROOTFS", name, `${name} has ended meanwhile; try again`);
  }
  opened.move();
  return new TreeFiles(root, { resource: name, kept: nothing });
}

async function openStopped(host: CrunHost, instance: DriverInstance, request: FilesRequest): Promise<OpenFiles> {
  const { signal, onStage } = request;
  const spec = optionsOf(instance.spec);
  await using undo = new AsyncDisposableStack();
  onStage("mounting its root filesystem");
  const image = undo.use(await openRootfsImage(host.imageDirectories, spec));
  const rootfs = await host.rootfs(instance);
  // What it wrote in its last run is still there, and goes with its next start unless it is persistent.
  const { mount } = await rootfs.prepare(image, { persistent: true, signal });
  if (mount.kind === "none") throw new Error("a container has a root filesystem");
  const range = spec.userNamespace ? await host.ranges.take(instance.uid, instance.directory) : undefined;
  const more = range === undefined ? undefined : { binds: [], stage: openStage, range };
  const { cgroups } = (await host.runtime()).runtime;
  // The mounts end with this program, and it with the agent.
  const holder = startOwned(
    inMountNamespace(["sh", "-c", 'echo "$$"; exec cat >/dev/null'], { cgroups, root: mount, more }),
    { stdio: ["pipe", "pipe", "pipe"] },
  );
  const ended = once(holder, "close").catch(() => undefined);
  undo.defer(async () => {
    holder.kill("SIGTERM");
    await ended;
  });
  const pid = await firstLine(holder.stdout as Readable);
  if (!/^\d+$/.test(pid)) {
    const message = `${instance.name}: its root filesystem could not be mounted; the agent's log has the whole story`;
    throw failedPrecondition("NO_ROOTFS", instance.name, message);
  }
  const at = range === undefined ? mount.target : `${openStage}/root`;
  const root = await openRoot(`/proc/${pid}/root${at}`, instance.name);
  const kept = undo.move();
  return new TreeFiles(root, { resource: instance.name, kept });
}

async function openRoot(path: string, resource: string): Promise<Dir> {
  return await Dir.open(path, { shown: "/", plainOnly: true }).catch((cause: unknown) => {
    throw failedPrecondition(
      "NO_ROOTFS",
      resource,
      `${resource}: its root filesystem cannot be opened: ${String(cause)}`,
    );
  });
}

async function firstLine(stream: Readable): Promise<string> {
  let text = "";
  for await (const data of stream.iterator({ destroyOnReturn: false })) {
    text += (data as Buffer).toString("latin1");
    if (text.includes("\n") || text.length > 100) break;
  }
  return text.split("\n")[0] ?? "";
}

const nothing: AsyncDisposable = { [Symbol.asyncDispose]: async () => undefined };

function notHere(field: string, what: string): Error {
  return invalidArgument(field, `containers have no ${what} of their own, only a root filesystem; leave it out`);
}
