import { randomUUID } from "node:crypto";
import { link, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { checkedOperation } from "../../../lib/checked-operation.js";
import { alreadyExists, failedPrecondition, invalidArgument } from "../../../lib/errors.js";
import { syncDirectory } from "../../../lib/files.js";
import { pack } from "../../../lib/kinds/resource.js";
import { isId, parseId } from "../../../lib/names.js";
import type { Instance, InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import {
  type CloneInstanceRequest,
  InstanceCopyServiceService,
  type SaveInstanceRequest,
} from "../../../proto/gen/zor/v1/instance_copy_service.js";
import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import type { InstanceSubject } from "../../drivers/instance-access.js";
import { storeDirectory } from "../../images/store-paths.js";
import { asFailure } from "../../kit/failure.js";
import { serve, type ServiceMethods } from "../../kit/serve.js";
import type { AgentContext } from "../../parts.js";
import type { Access } from "./access.js";

/** What the methods that copy instances work with. */
type CopyContext = Pick<AgentContext, "scope" | "operations" | "references" | "settings" | "publisher"> & {
  readonly access: Access;
  /** Ends with the agent. */
  readonly signal: AbortSignal;
};

/** Names of images that are being written. */
const scratchPrefix = ".zor-save-";
const maxBytesPerSecond = 2n ** 40n;

/** The methods that copy instances. */
export function copyMethods(context: CopyContext): ServiceMethods {
  return serve(InstanceCopyServiceService, {
    saveInstance: async (request, { caller }) => ({ operation: await save(context, request, caller.identity) }),
    cloneInstance: async (request, { caller }) => ({ operation: await clone(context, request, caller.identity) }),
  });
}

/** Removes images that an earlier agent was writing when it was killed. */
export async function removeHalfSaved(directories: readonly string[]): Promise<void> {
  for (const directory of directories) {
    for (const name of await readdir(directory).catch(() => [])) {
      if (name.startsWith(scratchPrefix)) await rm(join(directory, name), { force: true });
    }
  }
}

async function save(context: CopyContext, request: SaveInstanceRequest, caller: string): Promise<Operation> {
  const { access, scope, operations } = context;
  const id = scope.parse("instance", "name", request.name);
  const bytesPerSecond = checkRate(request.bytesPerSecond);
  const subject = access.look(id);
  const ability = subject.driver.can.save;
  if (ability === undefined) throw cannot(subject, "be saved as an image");
  access.assertUnclaimed(id);
  const wanted = { disk: request.disk, overlay: request.overlay };
  const { directory, file } = imagePlace(context, request.image, ability.suffix);
  const places = [storeDirectory(context.settings.state), ...context.settings.imageDirs];
  await assertFree(places, file);
  await ability.checkSave(subject.instance, subject.handle, wanted);
  const verb = "instance.save";
  if (request.validateOnly) return checkedOperation(verb, request.name);
  const operation = context.references.nameOf("operation", randomUUID());
  return operations.start({
    ...{ verb, target: request.name, requestId: request.requestId, caller, id: lastOf(operation) },
    work: async ({ signal, progress }) => {
      const scratch = join(directory, `${scratchPrefix}${randomUUID()}${ability.suffix}`);
      try {
        await mkdir(directory, { recursive: true, mode: 0o755 });
        await access.claim(id, { what: "saved as an image", operation }, async (claimed) => {
          const { instance, handle } = claimed.subject();
          const options = { signal, progress, bytesPerSecond };
          await ability.saveImage(instance, handle, { ...wanted, path: scratch }, options);
        });
        signal.throwIfAborted();
        await assertFree(places, file);
        // Not over what somebody has put there meanwhile.
        await link(scratch, join(directory, file)).catch((error: unknown) => {
          throw isThere(error) ? alreadyExists(`image ${file}`) : error;
        });
        await syncDirectory(directory);
      } catch (error) {
        throw asFailure(error, request.name, "save");
      } finally {
        await rm(scratch, { force: true });
      }
      access.tellSaved(id, `saved as the image ${file}`, caller);
      return pack({ kind: "instance", value: access.look(id).resource });
    },
  });
}

async function clone(context: CopyContext, request: CloneInstanceRequest, caller: string): Promise<Operation> {
  const { access, scope, operations, signal: ending } = context;
  const id = scope.parse("instance", "name", request.name);
  const newId = parseId("instance_id", request.instanceId);
  const bytesPerSecond = checkRate(request.bytesPerSecond);
  const subject = access.look(id);
  const ability = subject.driver.can.copy;
  if (ability === undefined) throw cannot(subject, "be cloned");
  access.assertUnclaimed(id);
  const { labels, annotations } = subject.resource;
  const spec = clonedSpec(subject.resource.spec, request.keepAddresses);
  const wanted = { id: newId, labels, annotations, spec };
  await access.checkNew(wanted, { caller, signal: ending });
  const verb = "instance.clone";
  const target = context.references.nameOf("instance", newId);
  if (request.validateOnly) return checkedOperation(verb, target);
  const operation = context.references.nameOf("operation", randomUUID());
  return operations.start({
    ...{ verb, target, requestId: request.requestId, caller, id: lastOf(operation) },
    work: async ({ signal, progress }) => {
      const made: Instance = await access.claim(id, { what: "cloned", operation }, (claimed) =>
        access.make(wanted, {
          ...{ caller, signal, leaveStopped: request.leaveStopped },
          progress,
          fill: async (instance) => {
            const source = claimed.subject();
            await ability.copyInto(source.instance, source.handle, instance, { signal, progress, bytesPerSecond });
          },
        }),
      );
      return pack({ kind: "instance", value: made });
    },
  });
}

/** The same, with what must not be there twice chosen anew. */
function clonedSpec(spec: InstanceSpec, keepsAddresses: boolean): InstanceSpec {
  const nics = spec.nics.map((nic) => ({
    ...nic,
    mac: "",
    port: "",
    addresses: keepsAddresses ? nic.addresses : [],
  }));
  // What is kept of the original by itself would be kept twice.
  return { ...spec, nics, schedules: [] };
}

function imagePlace({ settings }: CopyContext, image: string, suffix: string): { directory: string; file: string } {
  if (!isId(image)) {
    throw invalidArgument("image", 'use 1 to 63 letters, digits, "-", "_" or ".", starting with a letter or digit');
  }
  const directory = join(settings.state, "images");
  if (!settings.imageDirs.includes(directory)) {
    throw failedPrecondition(
      "NO_OWN_IMAGE_DIRECTORY",
      image,
      "saved images are kept in the directory images below the agent's state directory, and the agent's setting imageDirs does not name it; add it there",
    );
  }
  return { directory, file: image.endsWith(suffix) ? image : `${image}${suffix}` };
}

/** Of two images with one name the first directory's is used: nobody may put one before another. */
async function assertFree(directories: readonly string[], file: string): Promise<void> {
  for (const directory of directories) {
    const names: readonly string[] = await readdir(directory).catch(() => []);
    if (names.includes(file)) throw alreadyExists(`image ${file}`, "choose another name, or remove the image first");
  }
}

function checkRate(bytesPerSecond: bigint): number {
  if (bytesPerSecond >= 0n && bytesPerSecond <= maxBytesPerSecond) return Number(bytesPerSecond);
  throw invalidArgument("bytes_per_second", `${bytesPerSecond} is not between 0 and ${maxBytesPerSecond}`);
}

function cannot({ resource, driver }: InstanceSubject, what: string): Error {
  const { name } = resource;
  return failedPrecondition("UNSUPPORTED", name, `${name} is of kind ${driver.kind}, which cannot ${what}`);
}

function isThere(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EEXIST";
}

function lastOf(name: string): string {
  return name.split("/").at(-1) ?? "";
}
