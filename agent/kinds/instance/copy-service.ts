import { randomUUID } from "node:crypto";
import { status } from "@grpc/grpc-js";
import { checkedOperation } from "../../../lib/checked-operation.js";
import { failedPrecondition, invalidArgument, ZorError } from "../../../lib/errors.js";
import { pack } from "../../../lib/kinds/resource.js";
import { parseId } from "../../../lib/names.js";
import type { Instance, InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";
import {
  type CloneInstanceRequest,
  InstanceCopyServiceService,
  type SaveInstanceRequest,
} from "../../../proto/gen/zor/v1/instance_copy_service.js";
import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import type { InstanceSubject } from "../../drivers/instance-access.js";
import { asFailure } from "../../kit/failure.js";
import { serve, type ServiceMethods } from "../../kit/serve.js";
import type { AgentContext } from "../../parts.js";
import type { Access } from "./access.js";

/** What the methods that copy instances work with. */
type CopyContext = Pick<AgentContext, "scope" | "operations" | "references" | "savedImages"> & {
  readonly access: Access;
  /** Ends with the agent. */
  readonly signal: AbortSignal;
};

const maxBytesPerSecond = 2n ** 40n;

/** The methods that copy instances. */
export function copyMethods(context: CopyContext): ServiceMethods {
  return serve(InstanceCopyServiceService, {
    saveInstance: async (request, { caller }) => ({ operation: await save(context, request, caller.identity) }),
    cloneInstance: async (request, { caller }) => ({ operation: await clone(context, request, caller.identity) }),
  });
}

async function save(context: CopyContext, request: SaveInstanceRequest, caller: string): Promise<Operation> {
  const { access, scope, operations, references } = context;
  const id = scope.parse("instance", "name", request.name);
  const imageId = parseId("image", request.image);
  const bytesPerSecond = checkRate(request.bytesPerSecond);
  const subject = access.look(id);
  const ability = subject.driver.can.save;
  if (ability === undefined) throw cannot(subject, "be saved as an image");
  access.assertUnclaimed(id);
  const images = context.savedImages.get();
  const wanted = { disk: request.disk, overlay: request.overlay };
  await ability.checkSave(subject.instance, subject.handle, wanted);
  const reserved = images.reserve(imageId);
  const verb = "instance.save";
  if (request.validateOnly) {
    reserved[Symbol.dispose]();
    return checkedOperation(verb, request.name);
  }
  const operation = references.nameOf("operation", randomUUID());
  try {
    return operations.start({
      ...{ verb, target: request.name, requestId: request.requestId, caller, id: lastOf(operation) },
      work: async ({ signal, progress }) => {
        using _reserved = reserved;
        let saved = subject.resource;
        const image = { id: imageId, origin: `saved from ${request.name}`, overlay: request.overlay };
        const write = (path: string, told: typeof progress): Promise<void> =>
          access.claim(id, { what: "saved as an image", operation }, async (claimed) => {
            const { instance, handle, resource } = claimed.subject();
            saved = resource;
            await ability.saveImage(instance, handle, { ...wanted, path }, { signal, progress: told, bytesPerSecond });
          });
        try {
          await images.save({ ...image, caller, signal, progress, write });
        } catch (error) {
          throw asFailure(error, request.name, "save");
        }
        access.tellSaved(id, `saved as ${images.nameOf(imageId)}`, caller);
        // It may have been deleted since: the image is there all the same.
        return pack({ kind: "instance", value: saved });
      },
    });
  } catch (error) {
    reserved[Symbol.dispose]();
    throw error;
  }
}

async function clone(context: CopyContext, request: CloneInstanceRequest, caller: string): Promise<Operation> {
  const { access, scope, operations, signal: ending } = context;
  const id = scope.parse("instance", "name", request.name);
  const newId = parseId("instance_id", request.instanceId);
  if (request.host !== "" && request.host !== request.name.split("/instances/")[0]) {
    const message = "an agent knows no other hosts; ask the hub for a clone on another one";
    throw new ZorError({ reason: "HUB_ONLY", code: status.UNIMPLEMENTED, message });
  }
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

function checkRate(bytesPerSecond: bigint): number {
  if (bytesPerSecond >= 0n && bytesPerSecond <= maxBytesPerSecond) return Number(bytesPerSecond);
  throw invalidArgument("bytes_per_second", `${bytesPerSecond} is not between 0 and ${maxBytesPerSecond}`);
}

function cannot({ resource, driver }: InstanceSubject, what: string): Error {
  const { name } = resource;
  return failedPrecondition("UNSUPPORTED", name, `${name} is of kind ${driver.kind}, which cannot ${what}`);
}

function lastOf(name: string): string {
  return name.split("/").at(-1) ?? "";
}
