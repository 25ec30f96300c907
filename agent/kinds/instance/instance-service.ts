import { checkedOperation } from "../../../lib/checked-operation.js";
import { invalidArgument } from "../../../lib/errors.js";
import type { CallContext } from "../../../lib/grpc/service.js";
import { pack } from "../../../lib/kinds/resource.js";
import type { ResourceId } from "../../../lib/names.js";
import type { Operations } from "../../../lib/operations.js";
import type { Instance } from "../../../proto/gen/zor/v1/instance.js";
import {
  CreateInstanceRequest,
  DeleteInstanceRequest,
  InstanceServiceService,
  type ShutdownInstanceRequest,
  type ShutdownInstanceResponse,
  type SuspendInstanceRequest,
  type SuspendInstanceResponse,
} from "../../../proto/gen/zor/v1/instance_service.js";
import { LanServiceService } from "../../../proto/gen/zor/v1/lan_service.js";
import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import type { HostScope } from "../../kit/host-scope.js";
import type { References } from "../../kit/references.js";
import { type ServiceMethods, serve } from "../../kit/serve.js";
import { type AskedChange, standardMethods } from "../../kit/standard-methods.js";
import type { Action } from "./actions.js";
import type { InstanceManager } from "./manager.js";
import { sendKeys } from "./send-keys.js";

/** What the methods about instances work with. */
export interface InstanceServiceOptions {
  readonly scope: HostScope;
  readonly manager: InstanceManager;
  readonly operations: Operations;
  readonly references: Pick<References, "assertThere">;
  /** Aborts when the agent ends: what was begun outlives the call that asked for it, not the agent. */
  readonly signal: AbortSignal;
}

interface ActionRequest {
  readonly name: string;
  readonly validateOnly: boolean;
}

const defaultShutdownSeconds = 60;
const maxShutdownSeconds = 3600;

/** The methods about instances, with those that plug their NICs into lans. */
export function instanceMethods(options: InstanceServiceOptions): readonly ServiceMethods[] {
  const { scope, manager, signal } = options;
  const standard = standardMethods<Instance>(
    "instance",
    {
      create: (id, wanted, change) => create(options, { id, wanted }, change),
      get: (id) => manager.get(id),
      list: () => manager.list(),
      update: (id, asked, change) => manager.update(id, asked, change),
      delete: (id, { request, validateOnly, caller }) => {
        const { force } = DeleteInstanceRequest.fromPartial(request);
        return manager.delete(id, { force, validateOnly, signal, caller });
      },
    },
    scope,
  );
  const action =
    (verb: Action) =>
    async ({ name, validateOnly }: ActionRequest, { caller }: CallContext) => {
      const id = scope.parse("instance", "name", name);
      return { instance: await manager.act(verb, id, { validateOnly, signal, caller: caller.identity }) };
    };
  const actions = serve(InstanceServiceService, {
    startInstance: action("start"),
    stopInstance: action("stop"),
    pauseInstance: action("pause"),
    resumeInstance: action("resume"),
    resetInstance: action("reset"),
    adoptInstance: async ({ name, validateOnly }, { caller }) => {
      const id = scope.parse("instance", "name", name);
      return { instance: await manager.adopt(id, { validateOnly, signal, caller: caller.identity }) };
    },
    changeMedium: async ({ name, drive, image, force, validateOnly }, { caller }) => {
      const id = scope.parse("instance", "name", name);
      const asked = { drive, image, force, validateOnly };
      return { instance: await manager.changeMedium(id, { ...asked, signal, caller: caller.identity }) };
    },
    sendKeys: async ({ name, keys, text, validateOnly }, { caller }) => {
      const id = scope.parse("instance", "name", name);
      const asked = { keys, text, validateOnly, signal, caller: caller.identity };
      await manager.inTurn(id, (record, context) => sendKeys(context, record, asked));
      return { instance: manager.get(id) };
    },
    shutdownInstance: async (request, context) => shutDown(options, request, context),
    suspendInstance: async (request, context) => suspend(options, request, context),
  });
  return [...standard, actions, plugging(options)];
}

/** Lans are told what is in them; which lan a NIC is in is part of its instance. */
function plugging({ scope, manager, references, signal }: InstanceServiceOptions): ServiceMethods {
  const change =
    (verb: "attach" | "detach") =>
    async (request: ActionRequest & { readonly endpoint: string }, { caller }: CallContext) => {
      const lan = scope.parse("lan", "name", request.name);
      const { instance, nic } = scope.parseNic("endpoint", request.endpoint);
      references.assertThere([{ kind: "lan", id: lan, remedy: "list them with: zor get lans" }]);
      const { validateOnly } = request;
      return { instance: await manager[verb](instance, { nic, lan, validateOnly, signal, caller: caller.identity }) };
    };
  return serve(LanServiceService, { attachLan: change("attach"), detachLan: change("detach") });
}

async function create(
  { manager, operations, signal }: InstanceServiceOptions,
  { id, wanted }: { readonly id: ResourceId; readonly wanted: Instance },
  { request, requestId, validateOnly, caller }: AskedChange,
): Promise<Operation> {
  const { instance, leaveStopped } = CreateInstanceRequest.fromPartial(request);
  if (instance === undefined) throw invalidArgument("instance", "must be set");
  const creation = await manager.create({ ...wanted, id }, { validateOnly, leaveStopped, caller, signal });
  const verb = "instance.create";
  const target = creation.instance.name;
  const result = (value: Instance) => pack({ kind: "instance", value });
  if (validateOnly) return checkedOperation(verb, target, result(creation.instance));
  try {
    return operations.start({
      ...{ verb, target, requestId, caller },
      work: async (options) => result(await creation.run(options)),
    });
  } catch (error) {
    await creation.discard();
    throw error;
  }
}

function suspend(
  { scope, manager, operations }: InstanceServiceOptions,
  { name: target, requestId, validateOnly }: SuspendInstanceRequest,
  context: CallContext,
): SuspendInstanceResponse {
  const id = scope.parse("instance", "name", target);
  const verb = "instance.suspend";
  const caller = context.caller.identity;
  manager.checkSuspend(id);
  if (validateOnly) return { operation: checkedOperation(verb, target) };
  const operation = operations.start({
    ...{ verb, target, requestId, caller },
    work: async ({ signal, progress }) =>
      pack({ kind: "instance", value: await manager.suspend(id, { signal, caller, progress }) }),
  });
  return { operation };
}

function shutDown(
  { scope, manager, operations }: InstanceServiceOptions,
  request: ShutdownInstanceRequest,
  context: CallContext,
): ShutdownInstanceResponse {
  const id = scope.parse("instance", "name", request.name);
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
      return pack({ kind: "instance", value: manager.get(id) });
    },
  });
  return { operation };
}
