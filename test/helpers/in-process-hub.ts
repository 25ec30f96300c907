import type { Server } from "@grpc/grpc-js";
import type { Views } from "../../hub/views/views.js";
import { authorize } from "../../lib/auth/policy.js";
import { failedPrecondition, notFound } from "../../lib/errors.js";
import { addReflection } from "../../lib/grpc/reflection.js";
import { createGrpcServer, createServerTls, listen } from "../../lib/grpc/server.js";
import { type Handlers, implementService } from "../../lib/grpc/service.js";
import { findService, type ResourceTypes } from "../../lib/kinds/codecs.js";
import type { AnyResource } from "../../lib/kinds/resource.js";
import { listPage } from "../../lib/list/list.js";
import { Operations } from "../../lib/operations.js";
import type { Identity } from "../../lib/tls/identity.js";
import { WatchLog } from "../../lib/watch/watch-log.js";
import { ConsoleServiceService } from "../../proto/gen/zor/v1/console_service.js";
import { ExecServiceService } from "../../proto/gen/zor/v1/exec_service.js";
import { Host } from "../../proto/gen/zor/v1/host.js";
import { HostServiceService } from "../../proto/gen/zor/v1/host_service.js";
import { Instance, InstanceState } from "../../proto/gen/zor/v1/instance.js";
import { InstanceServiceService } from "../../proto/gen/zor/v1/instance_service.js";
import { Lan } from "../../proto/gen/zor/v1/lan.js";
import { LanServiceService } from "../../proto/gen/zor/v1/lan_service.js";
import { Link, LinkState } from "../../proto/gen/zor/v1/link.js";
import { DiagnoseLinkResponse, LinkServiceService } from "../../proto/gen/zor/v1/link_service.js";
import { OperationServiceService } from "../../proto/gen/zor/v1/operation_service.js";
import { TokenServiceService } from "../../proto/gen/zor/v1/token_service.js";
import type { Unreachable } from "../../proto/gen/zor/v1/unreachable.js";
import { freePort } from "./free-port.js";
import { recordHandlers, updateRecord } from "./in-process-kinds.js";
import { consoles, execs } from "./in-process-streams.js";
import { addViews } from "./in-process-views.js";

interface ListFields {
  readonly pageSize: number;
  readonly pageToken: string;
  readonly filter: string;
  readonly orderBy: string;
}

/**
 * A hub in this process that answers from memory over real TLS: it does what the API says to resources that are only
 * records. For tests of clients. It can be stopped and started again on its port.
 */
export class InProcessHub {
  log = new WatchLog();
  /** What lists say could not be asked. */
  unreachable: Unreachable[] = [];
  /** Requests of mutations, in the order they came. */
  readonly requests: { readonly method: string; readonly request: unknown }[] = [];
  /** What somebody else does just before the next update is looked at. */
  meanwhile: (() => void) | undefined;
  /** What links wait for before they become ACTIVE. */
  linkGate: Promise<void> = Promise.resolve();
  /** What diagnoses of links tell. */
  diagnosis: readonly NonNullable<DiagnoseLinkResponse["message"]>[] = [];
  readonly #identity: Identity;
  readonly #services: readonly string[];
  #server: Server | undefined;
  #views: Views | undefined;
  #port = 0;
  #operations = this.#newOperations();

  /** @param services full names of more services, of kinds that are nothing but records. */
  constructor(identity: Identity, services: readonly string[] = []) {
    this.#identity = identity;
    this.#services = services;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  put(...resources: readonly AnyResource[]): void {
    for (const resource of resources) this.log.upsert(resource);
  }

  /** Begins to serve; the port stays the same from the first time on. */
  async start(): Promise<void> {
    const server = createGrpcServer();
    const options = { authorize };
    server.addService(HostServiceService, implementService(HostServiceService, this.#hosts(), options));
    server.addService(InstanceServiceService, implementService(InstanceServiceService, this.#instances(), options));
    server.addService(LanServiceService, implementService(LanServiceService, this.#lans(), options));
    server.addService(LinkServiceService, implementService(LinkServiceService, this.#links(), options));
    server.addService(
      OperationServiceService,
      implementService(OperationServiceService, this.#operationCalls(), options),
    );
    server.addService(TokenServiceService, implementService(TokenServiceService, this.#tokens(), options));
    server.addService(ConsoleServiceService, implementService(ConsoleServiceService, consoles, options));
    server.addService(ExecServiceService, implementService(ExecServiceService, execs, options));
    this.#views = addViews(server, this.log);
    for (const name of this.#services) {
      const service = findService(name);
      if (service === undefined) throw new Error(`there is no service ${name}`);
      const records = { log: this.log, record: (method: string, request: unknown) => this.#record(method, request) };
      // Handlers of records fit any service of a kind.
      const handlers = recordHandlers(service, records) as Parameters<typeof implementService>[1];
      server.addService(service, implementService(service, handlers, options));
    }
    addReflection(server, ["zor.v1.InstanceService", "zor.v1.ConsoleService", "zor.v1.WatchService"], options);
    const { credentials } = createServerTls(this.#identity, "required");
    this.#port ||= await freePort();
    await listen(server, `127.0.0.1:${this.#port}`, credentials);
    this.#server = server;
  }

  /** Ends every call at once, as a killed process would. */
  stop(): void {
    this.#views?.close();
    this.#server?.forceShutdown();
    this.#server = undefined;
  }

  /** As a restart does to operations that are not stored. */
  forgetOperations(): void {
    this.#operations = this.#newOperations();
  }

  #newOperations(): Operations {
    return new Operations({
      prefix: "operations",
      publish: (value) => this.log.upsert({ kind: "operation", value }),
      forget: (name) => this.log.remove("operation", name),
    });
  }

  #page<T extends { readonly name: string }>(items: readonly T[], request: ListFields, type: string) {
    const page = listPage(items, request, type);
    const { nextPageToken, totalSize } = page;
    return { items: page.items, rest: { nextPageToken, totalSize, unreachable: this.unreachable } };
  }

  #find<K extends keyof ResourceTypes>(kind: K, name: string): ResourceTypes[K] {
    const found = this.log.find(kind, name);
    if (found === undefined) throw notFound(name);
    return found;
  }

  /** Changes a record as the mask of a request says. */
  #update<K extends keyof ResourceTypes>(
    kind: K,
    request: { readonly updateMask: string[] | undefined; readonly validateOnly: boolean },
    changeable?: readonly string[],
  ): ResourceTypes[K] {
    const { updateMask: mask, validateOnly } = request;
    const { meanwhile } = this;
    this.meanwhile = undefined;
    meanwhile?.();
    // Requests have the resource in a field that is called like its kind; what comes back is of that kind.
    const wanted = Reflect.get(request, kind) as ResourceTypes[K] | undefined;
    const records = { log: this.log, record: (method: string, body: unknown) => this.#record(method, body) };
    const update = { kind, wanted, mask, validateOnly, ...(changeable === undefined ? {} : { changeable }) };
    return updateRecord(records, update) as ResourceTypes[K];
  }

  #record(method: string, request: unknown): void {
    this.requests.push({ method, request });
  }

  #hosts(): Handlers<typeof HostServiceService> {
    return {
      getHost: async ({ name }) => ({ host: this.#find("host", name) }),
      listHosts: async (request) => {
        const { items, rest } = this.#page(this.log.list("host"), request, "zor.v1.Host");
        return { hosts: items, ...rest };
      },
      createHost: async (request) => {
        this.#record("createHost", request);
        const host = Host.fromPartial({ ...request.host, name: `hosts/${request.hostId}` });
        if (!request.validateOnly) this.log.upsert({ kind: "host", value: host });
        return { host, joinToken: request.validateOnly ? "" : "zor1.dG9rZW4" };
      },
      updateHost: async (request) => {
        this.#record("updateHost", request);
        const changeable = ["labels", "annotations", "addresses", "underlay_addresses", "undialable"];
        return { host: this.#update("host", request, changeable) };
      },
      deleteHost: async (request) => {
        this.#record("deleteHost", request);
        this.log.remove("host", request.name);
        return {};
      },
    };
  }

  #instances(): Handlers<typeof InstanceServiceService> {
    const become =
      (method: string, state: InstanceState) => async (request: { name: string; validateOnly: boolean }) => {
        this.#record(method, request);
        const before = this.#find("instance", request.name);
        if (before.status?.state === state) {
          throw failedPrecondition("INSTANCE_STATE", request.name, `${request.name} is in that state already`);
        }
        const instance = Instance.fromPartial({ ...before, status: { ...before.status, state } });
        if (!request.validateOnly) this.log.upsert({ kind: "instance", value: instance });
        return { instance };
      };
    const running = InstanceState.INSTANCE_STATE_RUNNING;
    const stopped = InstanceState.INSTANCE_STATE_STOPPED;
    return {
      updateInstance: async (request) => {
        this.#record("updateInstance", request);
        return { instance: this.#update("instance", request) };
      },
      getInstance: async ({ name }) => ({ instance: this.#find("instance", name) }),
      listInstances: async (request) => {
        const all = this.log.list("instance").filter(({ name }) => isBelow(name, request.parent));
        const { items, rest } = this.#page(all, request, "zor.v1.Instance");
        return { instances: items, ...rest };
      },
      createInstance: async (request, { caller }) => {
        this.#record("createInstance", request);
        const name = `${request.parent}/instances/${request.instanceId}`;
        if (this.log.find("host", request.parent) === undefined) throw notFound(request.parent);
        const operation = this.#operations.start({
          verb: "instance.create",
          target: name,
          requestId: request.requestId,
          caller: caller.identity,
          work: async ({ progress }) => {
            progress("making disks", 50);
            const state = request.leaveStopped ? stopped : running;
            const value = Instance.fromPartial({ ...request.instance, name, status: { state } });
            this.log.upsert({ kind: "instance", value });
          },
        });
        return { operation };
      },
      startInstance: become("startInstance", running),
      stopInstance: become("stopInstance", stopped),
      pauseInstance: become("pauseInstance", InstanceState.INSTANCE_STATE_PAUSED),
      resumeInstance: become("resumeInstance", running),
      resetInstance: become("resetInstance", running),
      changeMedium: become("changeMedium", running),
      sendKeys: become("sendKeys", running),
      adoptInstance: become("adoptInstance", running),
      shutdownInstance: async (request, { caller }) => {
        const { name, requestId } = request;
        const work = async (): Promise<void> => {
          await become("shutdownInstance", stopped)(request);
        };
        return {
          operation: this.#operations.start({
            verb: "instance.shutdown",
            target: name,
            requestId,
            caller: caller.identity,
            work,
          }),
        };
      },
      suspendInstance: async (request, { caller }) => {
        const { name, requestId } = request;
        const work = async (): Promise<void> => {
          await become("suspendInstance", InstanceState.INSTANCE_STATE_SUSPENDED)(request);
        };
        return {
          operation: this.#operations.start({
            verb: "instance.suspend",
            target: name,
            requestId,
            caller: caller.identity,
            work,
          }),
        };
      },
      deleteInstance: async (request) => {
        this.#record("deleteInstance", request);
        this.#find("instance", request.name);
        if (!request.validateOnly) this.log.remove("instance", request.name);
        return {};
      },
    };
  }

  #lans(): Handlers<typeof LanServiceService> {
    const plug = (method: string) => async (request: { name: string; endpoint: string }) => {
      this.#record(method, request);
      this.#find("lan", request.name);
      return { instance: this.#find("instance", request.endpoint.replace(/\/nics\/.*/, "")) };
    };
    return {
      updateLan: async (request) => {
        this.#record("updateLan", request);
        return { lan: this.#update("lan", request, ["labels", "annotations"]) };
      },
      getLan: async ({ name }) => ({ lan: this.#find("lan", name) }),
      listLans: async (request) => {
        const all = this.log.list("lan").filter(({ name }) => isBelow(name, request.parent));
        const { items, rest } = this.#page(all, request, "zor.v1.Lan");
        return { lans: items, ...rest };
      },
      createLan: async (request) => {
        this.#record("createLan", request);
        const lan = Lan.fromPartial({ ...request.lan, name: `${request.parent}/lans/${request.lanId}` });
        if (!request.validateOnly) this.log.upsert({ kind: "lan", value: lan });
        return { lan };
      },
      deleteLan: async (request) => {
        this.#record("deleteLan", request);
        if (!request.validateOnly) this.log.remove("lan", request.name);
        return {};
      },
      attachLan: plug("attachLan"),
      detachLan: plug("detachLan"),
      getLanFlows: async () => ({ flows: [] }),
      getLanMacs: async () => ({ macs: [] }),
      getLanFilters: async () => ({ filters: [], unfilteredFrom: undefined, unfilteredTo: undefined }),
    };
  }

  #links(): Handlers<typeof LinkServiceService> {
    return {
      getLink: async ({ name }) => ({ link: this.#find("link", name) }),
      listLinks: async (request) => {
        const { items, rest } = this.#page(this.log.list("link"), request, "zor.v1.Link");
        return { links: items, ...rest };
      },
      updateLink: async (request) => {
        this.#record("updateLink", request);
        return { link: this.#update("link", request) };
      },
      diagnoseLink: ({ name }) => this.#diagnose(name),
      createLink: async (request, { caller }) => {
        this.#record("createLink", request);
        const name = `links/${request.linkId}`;
        const operation = this.#operations.start({
          verb: "link.create",
          target: name,
          requestId: request.requestId,
          caller: caller.identity,
          work: async ({ progress, signal }) => {
            progress("probing", 80);
            const cancelled = new Promise<never>((_, reject) => {
              signal.addEventListener("abort", () => reject(signal.reason), { once: true });
            });
            await Promise.race([this.linkGate, cancelled]);
            const value = Link.fromPartial({ ...request.link, name, status: { state: LinkState.LINK_STATE_ACTIVE } });
            this.log.upsert({ kind: "link", value });
          },
        });
        return { operation };
      },
      deleteLink: async (request, { caller }) => {
        this.#record("deleteLink", request);
        const { name, requestId } = request;
        const work = async (): Promise<void> => this.log.remove("link", name);
        return {
          operation: this.#operations.start({
            verb: "link.delete",
            target: name,
            requestId,
            caller: caller.identity,
            work,
          }),
        };
      },
    };
  }

  async *#diagnose(name: string): AsyncIterable<DiagnoseLinkResponse> {
    this.#find("link", name);
    yield* this.diagnosis.map((message) => DiagnoseLinkResponse.fromPartial({ message }));
  }

  #operationCalls(): Handlers<typeof OperationServiceService> {
    return {
      getOperation: async ({ name }) => ({ operation: this.#operations.find(name) }),
      listOperations: async (request) => {
        const { items, rest } = this.#page(this.log.list("operation"), request, "zor.v1.Operation");
        return { operations: items, ...rest };
      },
      cancelOperation: async ({ name }) => ({ operation: this.#operations.cancel(name) }),
      waitOperation: async ({ name }, { signal }) => ({ operation: await this.#operations.wait(name, 200, signal) }),
    };
  }

  #tokens(): Handlers<typeof TokenServiceService> {
    return {
      createToken: async (request) => {
        this.#record("createToken", request);
        return { token: "zor1.c2VjcmV0", expireTime: new Date(0) };
      },
      revokeIdentity: async (request) => {
        this.#record("revokeIdentity", request);
        return {};
      },
    };
  }
}

function isBelow(name: string, parent: string): boolean {
  return parent === "hosts/-" || parent === "" || name.startsWith(`${parent}/`);
}
