import { once } from "node:events";
import type { Caller } from "../../lib/auth/caller.js";
import { authorize } from "../../lib/auth/policy.js";
import { invalidArgument } from "../../lib/errors.js";
import { createGrpcServer } from "../../lib/grpc/server.js";
import { type Handlers, implementService, type ServiceOptions } from "../../lib/grpc/service.js";
import { listPage } from "../../lib/list/list.js";
import { apiLevel } from "../../lib/program.js";
import { AgentServiceService } from "../../proto/gen/zor/agent/v1/agent_service.js";
import { CableServiceService } from "../../proto/gen/zor/agent/v1/cable_service.js";
import { AttachConsoleResponse, ConsoleServiceService } from "../../proto/gen/zor/v1/console_service.js";
import { ExecServiceService } from "../../proto/gen/zor/v1/exec_service.js";
import { FiguresServiceService, WatchFiguresResponse } from "../../proto/gen/zor/v1/figures_service.js";
import { type Instance, InstanceState } from "../../proto/gen/zor/v1/instance.js";
import { InstanceServiceService } from "../../proto/gen/zor/v1/instance_service.js";
import { LanServiceService } from "../../proto/gen/zor/v1/lan_service.js";
import { OperationServiceService } from "../../proto/gen/zor/v1/operation_service.js";
import { WatchServiceService } from "../../proto/gen/zor/v1/watch_service.js";
import type { FakeCables } from "./agent-cables.js";
import type { FakeHostModel } from "./agent-model.js";

/** What a fake agent serves, and how it misbehaves. */
export interface FakeAgentParts {
  readonly model: FakeHostModel;
  readonly cables: FakeCables;
  /** API level it speaks; default the current one. */
  readonly apiLevel?: number;
  /** Told of every call. */
  readonly onCall: (caller: Caller, method: string) => void;
}

/** A gRPC server with all services of an agent over an in-memory model; it is not bound yet. */
export function createFakeAgentServer(parts: FakeAgentParts) {
  const { model, cables } = parts;
  const options: ServiceOptions = {
    authorize: (caller, method) => {
      parts.onCall(caller, method);
      authorize(caller, method);
    },
  };
  const server = createGrpcServer();
  server.addService(AgentServiceService, implementService(AgentServiceService, agentHandlers(parts), options));
  server.addService(CableServiceService, implementService(CableServiceService, cables.handlers(), options));
  server.addService(InstanceServiceService, implementService(InstanceServiceService, instanceHandlers(model), options));
  server.addService(LanServiceService, implementService(LanServiceService, lanHandlers(model), options));
  server.addService(
    OperationServiceService,
    implementService(OperationServiceService, operationHandlers(model), options),
  );
  server.addService(ConsoleServiceService, implementService(ConsoleServiceService, consoleHandlers(model), options));
  server.addService(ExecServiceService, implementService(ExecServiceService, execHandlers(model), options));
  server.addService(FiguresServiceService, implementService(FiguresServiceService, figureHandlers(model), options));
  server.addService(
    WatchServiceService,
    implementService(
      WatchServiceService,
      { watch: (request, { signal }) => model.log.watch(request, signal) },
      options,
    ),
  );
  return server;
}

function agentHandlers({ model, cables, apiLevel: level }: FakeAgentParts): Handlers<typeof AgentServiceService> {
  return {
    hello: async (request) => {
      model.revokedSerials = request.revokedSerials;
      model.refusal = request.refusal;
      return {
        hostId: model.host,
        hostUid: model.uid,
        agentVersion: "0.1.0",
        apiLevel: request.maxApiLevel >= (level ?? apiLevel) ? (level ?? apiLevel) : 0,
        epoch: model.log.epoch,
        cablePort: cables.port,
        cableKeySha256: cables.keySha256,
        pid: BigInt(process.pid),
        startTime: new Date(),
        underlayAddresses: [cables.underlayAddress],
        allowsPlainLinks: cables.allowsPlain,
        linkTransports: cables.transports,
        vxlanMissing: "",
      };
    },
    ping: async () => ({}),
    setRevocations: async ({ revokedSerials }) => {
      model.revokedSerials = revokedSerials;
      return {};
    },
  };
}

function instanceHandlers(model: FakeHostModel): Handlers<typeof InstanceServiceService> {
  const answers = new Map<string, Promise<{ readonly instance: Instance }>>();
  const verb = (state: InstanceState) => (request: { readonly name: string; readonly requestId: string }) => {
    model.asked.push({ name: request.name, requestId: request.requestId });
    const work = async () => {
      await model.held;
      model.done.push(request.name);
      return { instance: model.setState(request.name, state) };
    };
    const answer = answers.get(request.requestId) ?? work();
    if (request.requestId !== "") answers.set(request.requestId, answer);
    return answer;
  };
  const start = (name: string, requestId: string, caller: string, work: () => void) =>
    model.operations.start({ verb: "instance.change", target: name, requestId, caller, work: async () => work() });
  return {
    createInstance: async (request, { caller }) => {
      const name = `${request.parent}/instances/${request.instanceId}`;
      const operation = start(name, request.requestId, caller.identity, () => model.addInstance(request.instanceId));
      return { operation };
    },
    getInstance: async (request) => ({ instance: model.instance(request.name) }),
    listInstances: async (request) => {
      const { items, ...page } = listPage(model.log.list("instance"), request, "zor.v1.Instance");
      return { ...page, instances: items, unreachable: [] };
    },
    updateInstance: async (request) => ({ instance: model.instance(request.instance?.name ?? "") }),
    startInstance: verb(InstanceState.INSTANCE_STATE_RUNNING),
    stopInstance: verb(InstanceState.INSTANCE_STATE_STOPPED),
    pauseInstance: verb(InstanceState.INSTANCE_STATE_PAUSED),
    resumeInstance: verb(InstanceState.INSTANCE_STATE_RUNNING),
    resetInstance: async (request) => ({ instance: model.instance(request.name) }),
    changeMedium: async (request) => ({ instance: model.instance(request.name) }),
    sendKeys: async (request) => ({ instance: model.instance(request.name) }),
    adoptInstance: async (request) => ({ instance: model.instance(request.name) }),
    shutdownInstance: async (request, { caller }) => ({
      operation: start(request.name, request.requestId, caller.identity, () =>
        model.setState(request.name, InstanceState.INSTANCE_STATE_STOPPED),
      ),
    }),
    suspendInstance: async (request, { caller }) => ({
      operation: start(request.name, request.requestId, caller.identity, () =>
        model.setState(request.name, InstanceState.INSTANCE_STATE_SUSPENDED),
      ),
    }),
    deleteInstance: async (request) => {
      model.removeInstance(request.name);
      return {};
    },
  };
}

function figureHandlers(model: FakeHostModel): Handlers<typeof FiguresServiceService> {
  return {
    watchFigures: async function* (_, { signal }) {
      const host = `hosts/${model.host}`;
      yield model.figures ?? WatchFiguresResponse.fromPartial({ host, anew: true, timeMillis: 1n });
      if (!signal.aborted) await once(signal, "abort");
    },
    readHistory: async () => ({ series: [] }),
  };
}

function lanHandlers(model: FakeHostModel): Handlers<typeof LanServiceService> {
  return {
    createLan: async (request) => ({ lan: model.addLan(request.lanId) }),
    getLan: async (request) => ({ lan: model.lan(request.name) }),
    updateLan: async (request) => ({ lan: model.lan(request.lan?.name ?? "") }),
    getLanFlows: async () => ({ flows: [] }),
    getLanMacs: async () => ({ macs: [] }),
    getLanFilters: async () => ({ filters: [], unfilteredFrom: undefined, unfilteredTo: undefined }),
    listLans: async (request) => {
      const { items, ...page } = listPage(model.log.list("lan"), request, "zor.v1.Lan");
      return { ...page, lans: items, unreachable: [] };
    },
    deleteLan: async (request) => {
      model.removeLan(request.name);
      return {};
    },
    attachLan: async () => ({ instance: undefined }),
    detachLan: async () => ({ instance: undefined }),
  };
}

function operationHandlers(model: FakeHostModel): Handlers<typeof OperationServiceService> {
  return {
    getOperation: async (request) => ({ operation: model.operations.find(request.name) }),
    listOperations: async (request) => {
      const { items, ...page } = listPage(model.operations.list(), request, "zor.v1.Operation");
      return { ...page, operations: items, unreachable: [] };
    },
    cancelOperation: async (request) => ({ operation: model.operations.cancel(request.name) }),
    waitOperation: async (request, { signal }) => ({
      operation: await model.operations.wait(request.name, 30_000, signal),
    }),
  };
}

/** A console that sends back what is typed. */
function consoleHandlers(model: FakeHostModel): Handlers<typeof ConsoleServiceService> {
  return {
    async *attachConsole(requests) {
      model.openConsoles += 1;
      try {
        for await (const { message } of requests) {
          if (message?.$case === "open") {
            model.instance(message.value.name);
            yield AttachConsoleResponse.fromPartial({ message: { $case: "opened", value: { writable: true } } });
          }
          if (message?.$case === "data")
            yield AttachConsoleResponse.fromPartial({ message: { $case: "data", value: message.value } });
        }
        yield AttachConsoleResponse.fromPartial({ message: { $case: "closed", value: { reason: "client left" } } });
      } finally {
        model.openConsoles -= 1;
      }
    },
  };
}

/** Commands that copy standard input to standard output and exit with 0. */
function execHandlers(model: FakeHostModel): Handlers<typeof ExecServiceService> {
  return {
    async *exec(requests) {
      let started = false;
      for await (const { message } of requests) {
        if (message?.$case === "start") {
          model.instance(message.value.name);
          started = true;
        }
        if (!started) throw invalidArgument("start", "must be the first message");
        if (message?.$case === "stdin") yield { message: { $case: "stdout", value: message.value } };
        if (message?.$case === "stdinEnd") break;
      }
      yield { message: { $case: "exit", value: { code: 0, signal: 0, truncated: false } } };
    },
  };
}
