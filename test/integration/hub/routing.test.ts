import { watched } from "../../helpers/watched.js";
import { status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { AsyncQueue } from "../../../lib/async-queue.js";
import {
  HealthService,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "../../../proto/gen/grpc/health/v1/health.js";
import { ServerReflectionRequest, ServerReflectionService } from "../../../proto/gen/grpc/reflection/v1/reflection.js";
import {
  AttachConsoleRequest,
  type AttachConsoleResponse,
  ConsoleServiceService,
} from "../../../proto/gen/zor/v1/console_service.js";
import { ExecRequest, ExecServiceService } from "../../../proto/gen/zor/v1/exec_service.js";
import { HostState } from "../../../proto/gen/zor/v1/host.js";
import { InstanceState } from "../../../proto/gen/zor/v1/instance.js";
import {
  CreateInstanceRequest,
  InstanceServiceService,
  ListInstancesRequest,
  StartInstanceRequest,
  StopInstanceRequest,
} from "../../../proto/gen/zor/v1/instance_service.js";
import { CreateLanRequest, LanServiceService } from "../../../proto/gen/zor/v1/lan_service.js";
import { ListOperationsRequest, OperationServiceService } from "../../../proto/gen/zor/v1/operation_service.js";
import { CreateTokenRequest, Role, TokenServiceService } from "../../../proto/gen/zor/v1/token_service.js";
import { WatchRequest, type WatchResponse, WatchServiceService } from "../../../proto/gen/zor/v1/watch_service.js";
import { type FakeHost, HubFixture } from "./fixture.js";

const vm = "hosts/alpha/instances/vm1";

async function startOne(fixture: HubFixture): Promise<FakeHost> {
  const alpha = await fixture.addHost("alpha");
  alpha.model.addInstance("vm1");
  await fixture.hostState("alpha", HostState.HOST_STATE_READY);
  return alpha;
}

async function* of<T>(...values: T[]): AsyncIterable<T> {
  yield* values;
}

async function collect<T>(values: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const value of values) all.push(value);
  return all;
}

/** Reads a watch until `wanted` finds what it looks for. */
async function readUntil<T>(
  watch: AsyncIterable<WatchResponse>,
  wanted: (step: WatchResponse) => T | undefined,
): Promise<T> {
  for await (const step of watch) {
    const found = wanted(step);
    if (found !== undefined) return found;
  }
  throw new Error("the watch ended");
}

describe("calls through the hub", () => {
  test("a verb reaches the instance's host with the caller's identity and role, and its answer comes back", async () => {
    await using fixture = await HubFixture.start();
    const alpha = await startOne(fixture);
    const ana = await fixture.person("ana", Role.ROLE_OPERATOR);
    const { instance } = await ana.unary(
      InstanceServiceService.startInstance,
      StartInstanceRequest.fromPartial({ name: vm }),
    );
    expect(instance?.status?.state).toBe(InstanceState.INSTANCE_STATE_RUNNING);
    const call = alpha.agent.calls.find(({ method }) => method === "/zor.v1.InstanceService/StartInstance");
    expect(call?.caller).toMatchObject({ identity: "zor://user/ana", role: Role.ROLE_OPERATOR });
  });

  test("an agent's error comes back with its code, reason and resource", async () => {
    await using fixture = await HubFixture.start();
    await startOne(fixture);
    await expect(
      fixture.admin.unary(InstanceServiceService.stopInstance, StopInstanceRequest.fromPartial({ name: vm })),
    ).rejects.toMatchObject({ code: status.FAILED_PRECONDITION, reason: "WRONG_STATE", resource: vm });
  });

  test.each([
    ["an unknown host", "hosts/nope/instances/vm1", status.NOT_FOUND],
    ["an unknown instance", "hosts/alpha/instances/nope", status.NOT_FOUND],
    ["a name that begins with a dash", "hosts/-foo/instances/vm1", status.INVALID_ARGUMENT],
    ["a name with a newline", "hosts/alpha/instances/a\nb", status.INVALID_ARGUMENT],
    ["a name with a NUL", "hosts/alpha/instances/a\0b", status.INVALID_ARGUMENT],
  ])("%s is refused", async (_what, name, code) => {
    await using fixture = await HubFixture.start();
    await startOne(fixture);
    await expect(fixture.admin.unary(InstanceServiceService.getInstance, { name })).rejects.toMatchObject({ code });
  });

  test("a console passes bytes both ways while it is open and ends when the client leaves", async () => {
    await using fixture = await HubFixture.start();
    await startOne(fixture);
    const typed = new AsyncQueue<AttachConsoleRequest>(10);
    typed.push(AttachConsoleRequest.fromPartial({ message: { $case: "open", value: { name: vm } } }));
    const seen: AttachConsoleResponse["message"][] = [];
    for await (const { message } of fixture.admin.bidi(ConsoleServiceService.attachConsole, typed)) {
      seen.push(message);
      if (message?.$case === "opened") {
        typed.push(AttachConsoleRequest.fromPartial({ message: { $case: "data", value: Buffer.from("ls\n") } }));
      }
      if (message?.$case === "data") typed.end();
    }
    expect(seen.map((message) => message?.$case)).toEqual(["opened", "data", "closed"]);
    expect(seen[1]?.value).toEqual(Buffer.from("ls\n"));
  });

  test("a console that the client drops is dropped on the host too", async () => {
    await using fixture = await HubFixture.start();
    const alpha = await startOne(fixture);
    const typed = new AsyncQueue<AttachConsoleRequest>(10);
    typed.push(AttachConsoleRequest.fromPartial({ message: { $case: "open", value: { name: vm } } }));
    for await (const { message } of fixture.admin.bidi(ConsoleServiceService.attachConsole, typed)) {
      expect(message?.$case).toBe("opened");
      expect(alpha.model.openConsoles).toBe(1);
      break;
    }
    await expect.poll(() => alpha.model.openConsoles).toBe(0);
  });

  test("a command's input of many messages comes out whole and in order", async () => {
    await using fixture = await HubFixture.start();
    await startOne(fixture);
    const input = Array.from({ length: 500 }, (_, index) => Buffer.alloc(4096, index));
    const requests = of<ExecRequest>(
      ExecRequest.fromPartial({ message: { $case: "start", value: { name: vm, command: ["cat"], stdin: true } } }),
      ...input.map((value) => ExecRequest.fromPartial({ message: { $case: "stdin", value } })),
      ExecRequest.fromPartial({ message: { $case: "stdinEnd", value: {} } }),
    );
    const output = await collect(fixture.admin.bidi(ExecServiceService.exec, requests));
    const stdout = output.flatMap(({ message }) => (message?.$case === "stdout" ? [message.value] : []));
    expect(Buffer.concat(stdout).equals(Buffer.concat(input))).toBe(true);
    expect(output.at(-1)?.message?.$case).toBe("exit");
  });

  test("a stream through the hub ends with UNAVAILABLE when its host is lost", async () => {
    await using fixture = await HubFixture.start();
    const alpha = await startOne(fixture);
    const typed = new AsyncQueue<AttachConsoleRequest>(10);
    typed.push(AttachConsoleRequest.fromPartial({ message: { $case: "open", value: { name: vm } } }));
    const reading = (async () => {
      for await (const { message } of fixture.admin.bidi(ConsoleServiceService.attachConsole, typed)) {
        if (message?.$case === "opened") alpha.agent.kill();
      }
    })();
    await expect(reading).rejects.toMatchObject({ code: status.UNAVAILABLE });
  });

  test("operations of agents are listed, fetched and waited for under their own names", async () => {
    await using fixture = await HubFixture.start();
    await startOne(fixture);
    const { operation } = await fixture.admin.unary(
      InstanceServiceService.createInstance,
      CreateInstanceRequest.fromPartial({ parent: "hosts/alpha", instanceId: "vm2" }),
    );
    const name = operation?.name ?? "";
    expect(name).toMatch(/^hosts\/alpha\/operations\//);
    const waited = await fixture.admin.unary(OperationServiceService.waitOperation, { name, timeout: undefined });
    expect(waited.operation?.target).toBe("hosts/alpha/instances/vm2");
    await expect
      .poll(async () => {
        const { operations } = await fixture.admin.unary(
          OperationServiceService.listOperations,
          ListOperationsRequest.fromPartial({}),
        );
        return operations.map((each) => each.name);
      })
      .toEqual([name]);
  });

  test("a list can be filtered, and one host's part asked for", async () => {
    await using fixture = await HubFixture.start();
    const alpha = await startOne(fixture);
    alpha.model.addInstance("vm2", InstanceState.INSTANCE_STATE_RUNNING);
    const beta = await fixture.addHost("beta");
    beta.model.addInstance("vm3", InstanceState.INSTANCE_STATE_RUNNING);
    await fixture.hostState("beta", HostState.HOST_STATE_READY);
    const list = async (parent: string, filter: string) => {
      const request = ListInstancesRequest.fromPartial({ parent, filter });
      const { instances } = await fixture.admin.unary(InstanceServiceService.listInstances, request);
      return instances.map(({ name }) => name);
    };
    await expect
      .poll(() => list("hosts/-", "status.state = RUNNING"))
      .toEqual(["hosts/alpha/instances/vm2", "hosts/beta/instances/vm3"]);
    expect(await list("hosts/beta", "")).toEqual(["hosts/beta/instances/vm3"]);
    await expect(list("hosts/nope", "")).rejects.toMatchObject({ code: status.NOT_FOUND });
  });

  test("a watch of the hub tells of what happens on a host, and resumes without a snapshot", async () => {
    await using fixture = await HubFixture.start();
    const alpha = await startOne(fixture);
    const first = fixture.admin.stream(WatchServiceService.watch, WatchRequest.fromPartial({}));
    const position = await readUntil(first, ({ step, position }) =>
      step?.$case === "snapshotEnd" ? position : undefined,
    );
    alpha.model.addLan("lan1");
    const resumed = fixture.admin.stream(WatchServiceService.watch, WatchRequest.fromPartial({ position }));
    const steps: string[] = [];
    const lan = await readUntil(resumed, ({ step }) => {
      steps.push(step?.$case ?? "");
      return watched(step, "lan");
    });
    expect(lan.name).toBe("hosts/alpha/lans/lan1");
    expect(steps).not.toContain("reset");
  });

  test("a position of before the hub's restart gets a reset and a snapshot", async () => {
    await using fixture = await HubFixture.start();
    await startOne(fixture);
    const first = fixture.admin.stream(WatchServiceService.watch, WatchRequest.fromPartial({}));
    const position = await readUntil(first, ({ step, position }) =>
      step?.$case === "snapshotEnd" ? position : undefined,
    );
    await fixture.restart();
    const again = fixture.admin.stream(WatchServiceService.watch, WatchRequest.fromPartial({ position }));
    const reason = await readUntil(again, ({ step }) => (step?.$case === "reset" ? step.value.reason : "no reset"));
    expect(reason).toBe("other epoch");
  });

  test("a viewer looks but changes nothing, an operator makes no tokens", async () => {
    await using fixture = await HubFixture.start();
    const alpha = await startOne(fixture);
    const viewer = await fixture.person("vera", Role.ROLE_VIEWER);
    const operator = await fixture.person("otto", Role.ROLE_OPERATOR);
    const { instances } = await viewer.unary(
      InstanceServiceService.listInstances,
      ListInstancesRequest.fromPartial({}),
    );
    expect(instances).toHaveLength(1);
    await expect(
      viewer.unary(InstanceServiceService.startInstance, StartInstanceRequest.fromPartial({ name: vm })),
    ).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
    expect(alpha.model.instance(vm).status?.state).toBe(InstanceState.INSTANCE_STATE_STOPPED);
    const request = CreateTokenRequest.fromPartial({
      subject: { $case: "userId", value: "x" },
      role: Role.ROLE_ADMIN,
    });
    await expect(operator.unary(TokenServiceService.createToken, request)).rejects.toMatchObject({
      code: status.PERMISSION_DENIED,
    });
    const { lan } = await operator.unary(
      LanServiceService.createLan,
      CreateLanRequest.fromPartial({ parent: "hosts/alpha", lanId: "lan1" }),
    );
    expect(lan?.name).toBe("hosts/alpha/lans/lan1");
  });

  test("a host's own certificate gives it no rights over the fleet", async () => {
    await using fixture = await HubFixture.start();
    const alpha = await startOne(fixture);
    const asHost = fixture.connectAs(alpha.identity);
    await expect(
      asHost.unary(InstanceServiceService.listInstances, ListInstancesRequest.fromPartial({})),
    ).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
  });

  test("health and reflection are served", async () => {
    await using fixture = await HubFixture.start();
    const health = await fixture.admin.unary(HealthService.check, { service: "zor.v1.HostService" });
    expect(health.status).toBe(ServingStatus.SERVING);
    const question = ServerReflectionRequest.fromPartial({ messageRequest: { $case: "listServices", value: "" } });
    const [answer] = await collect(fixture.admin.bidi(ServerReflectionService.serverReflectionInfo, of(question)));
    const services =
      answer?.messageResponse?.$case === "listServicesResponse" ? answer.messageResponse.value.service : [];
    expect(services.map(({ name }) => name)).toContain("zor.v1.LinkService");
    expect(services.map(({ name }) => name)).not.toContain("zor.v1.JoinService");
  });
});
