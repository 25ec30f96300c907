import { expect, onTestFinished, test } from "vitest";
import { HostState } from "../../../proto/gen/zor/v1/host.js";
import { InstanceState } from "../../../proto/gen/zor/v1/instance.js";
import { OperationState } from "../../../proto/gen/zor/v1/operation.js";
import { OperationServiceService } from "../../../proto/gen/zor/v1/operation_service.js";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import { type Wave, WaveItemState, WaveSpec } from "../../../proto/gen/zor/v1/wave.js";
import { StartWaveRequest, WaveServiceService as service } from "../../../proto/gen/zor/v1/wave_service.js";
import { HubFixture } from "./fixture.js";

const start = "zor.v1.InstanceService/StartInstance";
const instance = (id: string): string => `hosts/alpha/instances/${id}`;

async function begin(fixture: HubFixture, spec: Partial<WaveSpec>): Promise<string> {
  const request = StartWaveRequest.fromPartial({ spec: WaveSpec.fromPartial({ method: start, ...spec }) });
  const { operation } = await fixture.admin.unary(service.startWave, request);
  return operation?.name ?? "";
}

async function waveOf(fixture: HubFixture, name: string): Promise<Wave> {
  const { wave } = await fixture.admin.unary(service.getWave, { name });
  if (wave === undefined) throw new Error("the answer has no wave");
  return wave;
}

const statesOf = ({ items }: Wave): string[] =>
  items.map(({ state }) => WaveItemState[state].slice("WAVE_ITEM_STATE_".length));

async function ended(fixture: HubFixture, name: string): Promise<OperationState | undefined> {
  const wait = { name, timeout: { seconds: 60n, nanos: 0 } };
  return (await fixture.admin.unary(OperationServiceService.waitOperation, wait)).operation?.state;
}

test("a wave is paused, survives the hub, goes on and ends; another ends with its budget; bad ones change nothing", async () => {
  await using fixture = await HubFixture.start();
  const alpha = await fixture.addHost("alpha");
  for (const id of ["a", "b", "c", "d"]) alpha.model.addInstance(id);
  await fixture.hostState("alpha", HostState.HOST_STATE_READY);
  const running = () =>
    ["a", "b", "c", "d"].filter(
      (id) => alpha.model.instance(instance(id)).status?.state === InstanceState.INSTANCE_STATE_RUNNING,
    );

  // The first is one that never ends by itself: nothing after it begins.
  const names = ["a", "b", "c", "d"].map(instance);
  const bad: readonly (readonly [Partial<WaveSpec>, RegExp])[] = [
    [{ names: [] }, /spec\.names.*1 to 1000/],
    [{ names: [instance("a"), instance("a")] }, /there twice/],
    [{ names: ["nonsense"] }, /spec\.names/],
    [{ names, method: "zor.v1.InstanceService/GetInstance" }, /spec\.method.*does not change/],
    [{ names, method: "zor.v1.WaveService/StartWave" }, /spec\.method/],
    [{ names, canary: 5 }, /spec\.canary.*0 to 4/],
    [{ names, maxParallel: 101 }, /spec\.max_parallel.*1 to 100/],
    [{ names, request: Buffer.from([255, 255, 255]) }, /spec\.request/],
  ];
  for (const [spec, says] of bad) await expect(begin(fixture, spec)).rejects.toThrow(says);
  const viewer = await fixture.person("eve", Role.ROLE_VIEWER);
  onTestFinished(() => viewer.close());
  const wanted = StartWaveRequest.fromPartial({ spec: WaveSpec.fromPartial({ method: start, names }) });
  await expect(viewer.unary(service.startWave, wanted)).rejects.toMatchObject({ reason: "PERMISSION_DENIED" });
  expect(running()).toEqual([]);

  // Missing ones fail, within the budget.
  const held = await begin(fixture, {
    names: [instance("a"), instance("none"), instance("b")],
    maxParallel: 1,
    canary: 1,
    maxFailures: 1,
  });
  expect(await ended(fixture, held)).toBe(OperationState.OPERATION_STATE_SUCCEEDED);
  expect(statesOf(await waveOf(fixture, held))).toEqual(["SUCCEEDED", "FAILED", "SUCCEEDED"]);
  expect(running()).toEqual(["a", "b"]);

  const spent = await begin(fixture, { names: [instance("none"), instance("c")], maxParallel: 1 });
  expect(await ended(fixture, spent)).toBe(OperationState.OPERATION_STATE_FAILED);
  expect(statesOf(await waveOf(fixture, spent))).toEqual(["FAILED", "SKIPPED"]);
  expect(running()).toEqual(["a", "b"]);
  await expect(fixture.admin.unary(service.pauseWave, { name: spent, requestId: "" })).rejects.toMatchObject({
    reason: "OPERATION_ENDED",
  });

  // What it waits for goes on without it: the hub ends while the host cannot say.
  alpha.model.hold();
  const long = await begin(fixture, { names: [instance("c"), instance("d")], maxParallel: 1 });
  await fixture.admin.unary(service.pauseWave, { name: long, requestId: "" });
  await fixture.restart();
  await fixture.hostState("alpha", HostState.HOST_STATE_READY);
  expect(await waveOf(fixture, long)).toMatchObject({ paused: true, state: OperationState.OPERATION_STATE_RUNNING });
  alpha.model.release();
  await fixture.admin.unary(service.resumeWave, { name: long, requestId: "" });
  expect(await ended(fixture, long)).toBe(OperationState.OPERATION_STATE_SUCCEEDED);
  expect(statesOf(await waveOf(fixture, long))).toEqual(["SUCCEEDED", "SUCCEEDED"]);
  expect(running()).toEqual(["a", "b", "c", "d"]);
});
