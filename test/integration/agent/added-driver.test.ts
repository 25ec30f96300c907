import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, expect, it } from "vitest";
import { HostServiceService } from "../../../proto/gen/zor/v1/host_service.js";
import { Instance, type InstanceSpec, InstanceState, Nic } from "../../../proto/gen/zor/v1/instance.js";
import { InstanceServiceService as instances } from "../../../proto/gen/zor/v1/instance_service.js";
import { EchoDriver, echoSpec } from "../../extension/echo-driver.js";
import { FakeDriver } from "../../fakes/driver.js";
import { ApiFixture, action, creation, nameOf, parent } from "./api-fixture.js";

let echo: EchoDriver;
let api: ApiFixture;

beforeEach(async () => {
  echo = new EchoDriver();
  api = await ApiFixture.start({ drivers: [new FakeDriver(), echo] });
});
afterEach(() => api.close());

const instanceOf = (driver: InstanceSpec["driver"], nics: Nic[] = []): Instance =>
  Instance.fromPartial({ spec: { driver, nics } });

const shown = async (id: string) => (await api.operator.unary(instances.getInstance, { name: nameOf(id) })).instance;

it("runs the instances of a driver that the API has no options of, over a restart of the agent too", async () => {
  await api.make("e1", { instance: instanceOf(echoSpec({ greeting: "hello" })) });
  const running = { state: InstanceState.INSTANCE_STATE_RUNNING };
  expect(await shown("e1")).toMatchObject({
    spec: { cpus: 1, driver: echoSpec({ greeting: "hello" }) },
    status: running,
  });
  const before = await shown("e1");
  await api.restart();
  expect((await shown("e1"))?.status).toMatchObject({ ...running, pid: before?.status?.pid });
  await api.operator.unary(instances.pauseInstance, action("e1"));
  expect((await shown("e1"))?.status?.state).toBe(InstanceState.INSTANCE_STATE_PAUSED);
  await api.operator.unary(instances.deleteInstance, { ...action("e1"), force: true });
  expect(echo.guests.size).toBe(0);
});

it("tells what instances of the driver can be asked for", async () => {
  const idsOf = async () => {
    const { host } = await api.operator.unary(HostServiceService.getHost, { name: parent });
    return host?.fingerprint?.capabilities.filter(({ available }) => available).map(({ id }) => id);
  };
  await expect
    .poll(idsOf)
    .toEqual(expect.arrayContaining(["driver.echo", "driver.echo.pause", "driver.echo.console", "driver.echo.exec"]));
});

it("refuses options that the driver refuses, NICs that it cannot have and options of no driver, and names them", async () => {
  const refusal = (instance: Instance) =>
    api.operator.unary(instances.createInstance, creation("e1", { instance })).then(
      () => undefined,
      (error: unknown) => error,
    );
  expect(await refusal(instanceOf(echoSpec({ greeting: "x".repeat(101) })))).toMatchObject({
    violations: [{ field: "instance.spec.other.greeting" }],
  });
  expect(await refusal(instanceOf(echoSpec(), [Nic.fromPartial({})]))).toMatchObject({
    violations: [{ field: "instance.spec.nics" }],
  });
  const other = { typeUrl: "type.googleapis.com/acme.v1.RocketOptions", value: Buffer.alloc(0) };
  expect(await refusal(instanceOf({ $case: "other", value: other }))).toMatchObject({
    code: status.FAILED_PRECONDITION,
    reason: "NO_DRIVER",
    message: "this agent has no driver for acme.v1.RocketOptions; see: zor doctor",
  });
});
