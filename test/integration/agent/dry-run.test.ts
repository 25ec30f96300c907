import type { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AnyMethod } from "../../../lib/kinds/codecs.js";
import { Instance } from "../../../proto/gen/zor/v1/instance.js";
import { InstanceCopyServiceService as copies } from "../../../proto/gen/zor/v1/instance_copy_service.js";
import { InstanceServiceService as instances } from "../../../proto/gen/zor/v1/instance_service.js";
import { LanServiceService as lans } from "../../../proto/gen/zor/v1/lan_service.js";
import { type Operation, OperationState } from "../../../proto/gen/zor/v1/operation.js";
import { SnapshotServiceService as snapshots } from "../../../proto/gen/zor/v1/snapshot_service.js";
import { ApiFixture, action, nameOf, parent } from "./api-fixture.js";

let api: ApiFixture;
beforeAll(async () => {
  api = await ApiFixture.start();
  await api.makeLan("lan1");
  await api.makeLan("lan2");
});
afterAll(() => api.close());

/** What an instance is before it is asked for something; each leaves one of that id. */
const states = {
  running: (id: string) => made(id),
  stopped: (id: string) => made(id, instances.stopInstance),
  paused: (id: string) => made(id, instances.pauseInstance),
  absent: async () => undefined,
} satisfies Record<string, (id: string) => Promise<void>>;

/** What is asked of an instance, and with what besides its name. */
const asked: readonly (readonly [string, AnyMethod, (id: string) => object])[] = [
  ["start", instances.startInstance, () => ({})],
  ["stop", instances.stopInstance, () => ({})],
  ["pause", instances.pauseInstance, () => ({})],
  ["resume", instances.resumeInstance, () => ({})],
  ["reset", instances.resetInstance, () => ({})],
  ["shut down", instances.shutdownInstance, () => ({ timeoutSeconds: 1 })],
  ["suspend", instances.suspendInstance, () => ({})],
  ["adopt", instances.adoptInstance, () => ({})],
  ["type", instances.sendKeys, () => ({ keys: ["ret"], text: "" })],
  ["change the medium of", instances.changeMedium, () => ({ drive: "cd0", image: "", force: false })],
  ["delete", instances.deleteInstance, () => ({ force: false })],
  ["delete by force", instances.deleteInstance, () => ({ force: true })],
  ["give more memory to", instances.updateInstance, (id) => changed(id, { memoryMib: "512" }, "spec.memory_mib")],
  ["give another image to", instances.updateInstance, (id) => changed(id, { crun: { rootfs: "other" } }, "spec.crun")],
  ["plug in", lans.attachLan, (id) => ({ name: `${parent}/lans/lan2`, endpoint: `${nameOf(id)}/nics/eth1` })],
  ["plug in again", lans.attachLan, (id) => ({ name: `${parent}/lans/lan2`, endpoint: `${nameOf(id)}/nics/eth0` })],
  ["unplug", lans.detachLan, (id) => ({ name: `${parent}/lans/lan1`, endpoint: `${nameOf(id)}/nics/eth0` })],
  ["unplug elsewhere", lans.detachLan, (id) => ({ name: `${parent}/lans/lan2`, endpoint: `${nameOf(id)}/nics/eth0` })],
  ["save", copies.saveInstance, () => ({ image: "saved" })],
  ["clone", copies.cloneInstance, (id) => ({ parent, instanceId: `${id}-copy` })],
  [
    "keep the state of",
    snapshots.createSnapshot,
    (id) => ({ parent, snapshotId: `${id}.one`, snapshot: { name: "", spec: { instance: id } } }),
  ],
];

const answers: string[] = [];
afterAll(() => {
  // Neither is everything refused, nor for one reason.
  expect(answers.filter((answer) => answer === "").length).toBeGreaterThan(15);
  expect(new Set(answers).size).toBeGreaterThan(15);
});

describe.each(Object.entries(states))("of an instance that is %s", (state, make) => {
  it.each(asked)("validate_only says what the call would say: %s", async (what, method, more) => {
    const id = `${state}-${what.replaceAll(" ", "-")}`;
    await make(id);
    const request = { ...action(id), ...more(id) };
    const before = await seen(id);
    const checked = await outcome(method, { ...request, validateOnly: true });
    expect(await seen(id)).toEqual(before);
    const done = await outcome(method, { ...request, validateOnly: false });
    expect({ checked }).toEqual({ checked: done });
    answers.push(done);
  });
});

async function made(id: string, then?: AnyMethod): Promise<void> {
  const spec = { nics: [{ lan: "lan1" }, { lan: "" }], crun: { rootfs: "micro" } };
  await api.make(id, { instance: Instance.fromJSON({ spec }) });
  if (then !== undefined) await api.operator.unary(then, action(id));
}

function changed(id: string, spec: object, path: string): object {
  return { instance: Instance.fromJSON({ name: nameOf(id), spec }), updateMask: [path] };
}

async function seen(id: string): Promise<unknown> {
  return await api.operator.unary(instances.getInstance, { name: nameOf(id) }).then(
    ({ instance }) => [instance?.etag, instance?.status?.state],
    ({ code }: { readonly code: status }) => code,
  );
}

/** "": it is done, or would be; else why not. What goes wrong in the middle of it is not looked into ahead. */
async function outcome(method: AnyMethod, request: object): Promise<string> {
  try {
    const { operation } = (await api.operator.unary(method, request)) as { readonly operation?: Operation };
    if (operation === undefined || operation.name === "") return "";
    const ended = await api.wait(operation);
    return ended.state === OperationState.OPERATION_STATE_SUCCEEDED ? "" : (ended.error?.message ?? "failed");
  } catch (error) {
    return String((error as Error).message);
  }
}
