import { checkedOperation } from "../../../lib/checked-operation.js";
import { invalidArgument, unimplemented } from "../../../lib/errors.js";
import type { CallContext, Handlers } from "../../../lib/grpc/service.js";
import type { RequestIds, SerializableMethod } from "../../../lib/idempotency.js";
import { listPage } from "../../../lib/list/list.js";
import { parseId } from "../../../lib/names.js";
import type { Operations } from "../../../lib/operations.js";
import type { Instance } from "../../../proto/gen/zor/v1/instance.js";
import {
  type CreateInstanceRequest,
  type CreateInstanceResponse,
  InstanceServiceService as methods,
  type ShutdownInstanceRequest,
  type ShutdownInstanceResponse,
} from "../../../proto/gen/zor/v1/instance_service.js";
import type { HostScope } from "../../kit/host-scope.js";
import { once } from "../../kit/mutation.js";
import type { Action, InstanceManager } from "./manager.js";

/** What the instance service works with. */
export interface InstanceServiceOptions {
  readonly scope: HostScope;
  readonly manager: InstanceManager;
  readonly operations: Operations;
  readonly requests: RequestIds;
  /** Aborts when the agent ends: what was begun outlives the call that asked for it, not the agent. */
  readonly signal: AbortSignal;
}

interface ActionRequest {
  readonly name: string;
  readonly requestId: string;
  readonly validateOnly: boolean;
}

const defaultShutdownSeconds = 60;
const maxShutdownSeconds = 3600;

/** The instance service of this host. */
export function instanceService(options: InstanceServiceOptions): Handlers<typeof methods> {
  const { scope, manager, requests, signal } = options;
  const action =
    <Request extends ActionRequest>(
      verb: Action,
      method: SerializableMethod<Request, { instance: Instance | undefined }>,
    ) =>
    (request: Request, context: CallContext) =>
      once(requests, method, { request, context }, async () => {
        const id = scope.parseInstance("name", request.name);
        const { validateOnly } = request;
        return { instance: await manager.act(verb, id, { validateOnly, signal, caller: context.caller.identity }) };
      });
  return {
    createInstance: (request, context) =>
      once(requests, methods.createInstance, { request, context }, () => create(options, request, context)),
    getInstance: async ({ name }) => ({ instance: manager.get(scope.parseInstance("name", name)) }),
    listInstances: async (request) => {
      scope.parseListParent("parent", request.parent);
      const page = listPage(manager.list(), request, "zor.v1.Instance");
      return { instances: page.items, nextPageToken: page.nextPageToken, totalSize: page.totalSize, unreachable: [] };
    },
    updateInstance: () => Promise.reject(unimplemented("instances cannot be changed yet")),
    startInstance: action("start", methods.startInstance),
    stopInstance: action("stop", methods.stopInstance),
    pauseInstance: action("pause", methods.pauseInstance),
    resumeInstance: action("resume", methods.resumeInstance),
    resetInstance: action("reset", methods.resetInstance),
    shutdownInstance: (request, context) =>
      once(requests, methods.shutdownInstance, { request, context }, async () => shutDown(options, request, context)),
    deleteInstance: (request, context) =>
      once(requests, methods.deleteInstance, { request, context }, async () => {
        const id = scope.parseInstance("name", request.name);
        const { force, validateOnly } = request;
        await manager.delete(id, { force, validateOnly, signal, caller: context.caller.identity });
        return {};
      }),
  };
}

async function create(
  { scope, manager, operations, signal }: InstanceServiceOptions,
  request: CreateInstanceRequest,
  context: CallContext,
): Promise<CreateInstanceResponse> {
  scope.parseSelf("parent", request.parent);
  const id = parseId("instance_id", request.instanceId);
  const { instance, validateOnly, leaveStopped, requestId } = request;
  if (instance === undefined) throw invalidArgument("instance", "must be set");
  const caller = context.caller.identity;
  const creation = await manager.create(
    { id, labels: instance.labels, spec: instance.spec },
    { validateOnly, leaveStopped, caller, signal },
  );
  const verb = "instance.create";
  const target = creation.instance.name;
  if (validateOnly) return { operation: checkedOperation(verb, target) };
  try {
    return { operation: operations.start({ verb, target, requestId, caller, work: creation.run }) };
  } catch (error) {
    await creation.discard();
    throw error;
  }
}

function shutDown(
  { scope, manager, operations }: InstanceServiceOptions,
  request: ShutdownInstanceRequest,
  context: CallContext,
): ShutdownInstanceResponse {
  const id = scope.parseInstance("name", request.name);
  const seconds = request.timeoutSeconds === 0 ? defaultShutdownSeconds : request.timeoutSeconds;
  if (seconds < 1 || seconds > maxShutdownSeconds) {
    throw invalidArgument("timeout_seconds", `${seconds} is not between 1 and ${maxShutdownSeconds}`);
  }
  const verb = "instance.shutdown";
  const { name: target, requestId, validateOnly } = request;
  const caller = context.caller.identity;
  manager.checkShutDown(id);
  if (validateOnly) return { operation: checkedOperation(verb, target) };
  const operation = operations.start({
    verb,
    target,
    requestId,
    caller,
    work: async ({ signal, progress }) => {
      progress("waiting for the guest", 10);
      await manager.shutDown(id, { signal, caller, timeoutMs: seconds * 1000 });
    },
  });
  return { operation };
}
