import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Server } from "@grpc/grpc-js";
import { authorize } from "../../lib/auth/policy.js";
import { failedPrecondition, notFound } from "../../lib/errors.js";
import { createGrpcServer, createServerTls, listen } from "../../lib/grpc/server.js";
import { implementService } from "../../lib/grpc/service.js";
import type { Identity } from "../../lib/tls/identity.js";
import { hubServerName } from "../../lib/tls/join.js";
import { WatchLog } from "../../lib/watch/watch-log.js";
import type { AttachConsoleRequest } from "../../proto/gen/zor/v1/console_service.js";
import { AttachConsoleResponse, ConsoleServiceService } from "../../proto/gen/zor/v1/console_service.js";
import { Instance, InstanceState } from "../../proto/gen/zor/v1/instance.js";
import { InstanceServiceService } from "../../proto/gen/zor/v1/instance_service.js";
import { type DiagnoseLinkResponse, HopVerdict, LinkServiceService } from "../../proto/gen/zor/v1/link_service.js";
import { Role } from "../../proto/gen/zor/v1/token_service.js";
import { EventSeverity } from "../../proto/gen/zor/v1/event.js";
import { WatchServiceService } from "../../proto/gen/zor/v1/watch_service.js";
import { saveContext } from "../../tui/client/contexts.js";
import { freePort } from "../helpers/free-port.js";
import { TestIdentities } from "../helpers/test-identities.js";
import { type AnyResource, type FleetShape, fakeFleet } from "./fleet-data.js";

/** A hub whose fleet is made up, but whose gRPC, TLS and watch are real. */
export class FakeHub {
  readonly log = new WatchLog();
  /** Calls received, "start hosts/alpha/instances/vm0". */
  readonly calls: string[] = [];
  /** Time between a call and the event that shows its effect. */
  effectMs = 300;
  /** Has its server tell more than that; default: nothing. */
  addServices: (server: Server) => void = () => undefined;
  /** What effects wait for then; default: nothing. */
  mayGoOn: Promise<void> = Promise.resolve();
  readonly #directory: string;
  #identity: Identity | undefined;
  #clientDirectory = "";
  #server: Server | undefined;
  #port = 0;

  constructor(directory: string, shape: FleetShape) {
    this.#directory = directory;
    for (const resource of fakeFleet(shape)) this.log.upsert(resource);
  }

  get port(): number {
    return this.#port;
  }

  /** Where the context for clients is. */
  get configDirectory(): string {
    return join(this.#directory, "config");
  }

  /** Serves, and writes a context "fake" for an admin; a second start serves again on the same port. */
  async start(): Promise<void> {
    this.#identity ??= await this.#makeIdentities();
    const server = createGrpcServer();
    const options = { authorize };
    server.addService(
      WatchServiceService,
      implementService(
        WatchServiceService,
        { watch: (request, context) => this.log.watch(request, context.signal) },
        options,
      ),
    );
    server.addService(InstanceServiceService, implementService(InstanceServiceService, this.#instances(), options));
    server.addService(LinkServiceService, implementService(LinkServiceService, this.#links(), options));
    server.addService(
      ConsoleServiceService,
      implementService(ConsoleServiceService, { attachConsole: (requests) => this.#console(requests) }, options),
    );
    this.addServices(server);
    this.#port ||= await freePort();
    await listen(server, `127.0.0.1:${this.#port}`, createServerTls(this.#identity, "required").credentials);
    this.#server = server;
    const context = {
      name: "fake",
      addresses: [`127.0.0.1:${this.#port}`],
      serverName: hubServerName,
      identityDirectory: this.#clientDirectory,
    };
    await saveContext(this.configDirectory, context, true);
  }

  async #makeIdentities(): Promise<Identity> {
    const identities = await TestIdentities.create(this.#directory);
    const client = await identities.issue({ kind: "user", id: "ana", role: Role.ROLE_ADMIN });
    this.#clientDirectory = client.directory;
    const hub = await identities.issue({ kind: "hub", id: "fake", role: Role.ROLE_ADMIN });
    return hub.identity;
  }

  /** Cuts every connection, as a crash does. */
  stop(): void {
    this.#server?.forceShutdown();
    this.#server = undefined;
  }

  upsert(resource: AnyResource): void {
    this.log.upsert(resource);
  }

  /** Changes the observed state of an instance. */
  setState(name: string, state: InstanceState, reason = ""): Instance {
    const instance = this.#find(name);
    const running = state === InstanceState.INSTANCE_STATE_RUNNING;
    const changed = Instance.fromPartial(instance);
    changed.status = {
      ...Instance.fromPartial({ status: {} }).status,
      ...instance.status,
      state,
      reason,
      pid: running ? 5555n : 0n,
      startTime: running ? new Date() : instance.status?.startTime,
    } as NonNullable<Instance["status"]>;
    this.log.upsert({ kind: "instance", value: changed });
    return changed;
  }

  #find(name: string): Instance {
    const instance = this.log.find("instance", name);
    if (instance === undefined) throw notFound(name);
    return instance;
  }

  #instances() {
    const {
      INSTANCE_STATE_RUNNING: running,
      INSTANCE_STATE_STOPPED: stopped,
      INSTANCE_STATE_PAUSED: paused,
    } = InstanceState;
    const to = (verb: string, state: InstanceState) => async (request: { readonly name: string }) => {
      this.calls.push(`${verb} ${request.name}`);
      const instance = this.#find(request.name);
      if (instance.status?.state === state && verb !== "reset") {
        throw failedPrecondition("WRONG_STATE", request.name, `${request.name} is already so; nothing was changed`);
      }
      void this.#due().then(() => this.#effect(verb, request.name, state));
      return { instance };
    };
    return {
      createInstance: refuse,
      getInstance: refuse,
      updateInstance: refuse,
      listInstances: refuse,
      shutdownInstance: refuse,
      suspendInstance: async (request: { readonly name: string; readonly requestId: string }) => {
        await to("suspend", InstanceState.INSTANCE_STATE_SUSPENDED)(request);
        return { operation: undefined };
      },
      startInstance: to("start", running),
      stopInstance: to("stop", stopped),
      pauseInstance: to("pause", paused),
      resumeInstance: to("resume", running),
      resetInstance: to("reset", running),
      changeMedium: to("medium", running),
      sendKeys: to("keys", running),
      adoptInstance: to("medium", running),
      deleteInstance: async (request: { readonly name: string }) => {
        this.calls.push(`delete ${request.name}`);
        this.#find(request.name);
        void this.#due().then(() => this.log.remove("instance", request.name));
        return {};
      },
    };
  }

  #links() {
    return {
      createLink: refuse,
      getLink: refuse,
      listLinks: refuse,
      updateLink: refuse,
      deleteLink: refuse,
      diagnoseLink: (request: { readonly name: string }) => this.#diagnose(request.name),
    };
  }

  /** A diagnosis with a hostile detail that finds the second hop broken. */
  async *#diagnose(link: string): AsyncIterable<DiagnoseLinkResponse> {
    this.calls.push(`diagnose ${link}`);
    const { HOP_VERDICT_OK: ok, HOP_VERDICT_BROKEN: broken } = HopVerdict;
    const hop = { host: "hosts/alpha", hop: "lan", verdict: ok, detail: "lan1 \x1b[2J is there", remedy: "" };
    yield { message: { $case: "hop", value: hop } };
    await this.#due();
    const remedy = "start the agent of beta";
    const second = { host: "hosts/beta", hop: "engine", verdict: broken, detail: "no answer", remedy };
    yield { message: { $case: "hop", value: second } };
    yield { message: { $case: "diagnosis", value: { healthy: false, summary: "beta: engine is broken", remedy } } };
  }

  async #due(): Promise<void> {
    await delay(this.effectMs);
    await this.mayGoOn;
  }

  #effect(verb: string, name: string, state: InstanceState): void {
    this.setState(name, state);
    this.log.recordEvent("events", {
      severity: EventSeverity.EVENT_SEVERITY_INFO,
      type: `instance.${verb}`,
      resource: name,
      message: `${verb} done`,
      caller: "zor://user/ana",
    });
  }

  /** A console that answers what is typed in capitals, and ends on "q". */
  async *#console(requests: AsyncIterable<AttachConsoleRequest>): AsyncIterable<AttachConsoleResponse> {
    yield AttachConsoleResponse.fromPartial({ message: { $case: "opened", value: { writable: true } } });
    yield AttachConsoleResponse.fromPartial({
      message: { $case: "data", value: Buffer.from("guest console \x1b[1mraw\x1b[0m\r\n") },
    });
    for await (const { message } of requests) {
      if (message?.$case !== "data") continue;
      const typed = message.value.toString();
      if (typed.includes("q")) {
        yield AttachConsoleResponse.fromPartial({
          message: { $case: "closed", value: { reason: "the guest hung up \x1b[2J" } },
        });
        return;
      }
      yield AttachConsoleResponse.fromPartial({ message: { $case: "data", value: Buffer.from(typed.toUpperCase()) } });
    }
  }
}

async function refuse(): Promise<never> {
  throw failedPrecondition("NOT_HERE", "", "the fake hub does not do this");
}
