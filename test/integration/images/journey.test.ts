import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, expect, it } from "vitest";
import { storeDirectory } from "../../../agent/images/store-paths.js";
import type { Connection } from "../../../lib/grpc/connection.js";
import { unpack } from "../../../lib/kinds/resource.js";
import type { Event } from "../../../proto/gen/zor/v1/event.js";
import { HostState } from "../../../proto/gen/zor/v1/host.js";
import { CreateHostRequest, HostServiceService, UpdateHostRequest } from "../../../proto/gen/zor/v1/host_service.js";
import { ImageState } from "../../../proto/gen/zor/v1/image.js";
import { ImageServiceService as service, PushImageRequest } from "../../../proto/gen/zor/v1/image_service.js";
import { Instance } from "../../../proto/gen/zor/v1/instance.js";
import { CreateInstanceRequest, InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { type Operation, OperationState } from "../../../proto/gen/zor/v1/operation.js";
import { OperationServiceService } from "../../../proto/gen/zor/v1/operation_service.js";
import { WatchRequest, WatchServiceService } from "../../../proto/gen/zor/v1/watch_service.js";
import { runOperation } from "../../../tui/client/operation.js";
import { importBytes, noise } from "../../helpers/image-imports.js";
import { AgentProcess } from "../agent/agent-process.js";
import { HubProcess } from "../hub/hub-process.js";

const mebibyte = 1024 * 1024;
const micro = "/var/lib/zor/images/micro/rootfs.tar";
const [alphaHost, betaHost] = ["hosts/alpha", "hosts/beta"];
let hub: HubProcess;
let alpha: AgentProcess;
let beta: AgentProcess;
let connection: Connection;

async function startFleet(): Promise<void> {
  hub = await HubProcess.start();
  connection = await hub.connect();
  const joined = async (hostId: string): Promise<AgentProcess> => {
    const { joinToken } = await connection.unary(
      HostServiceService.createHost,
      CreateHostRequest.fromPartial({ hostId }),
    );
    const agent = await AgentProcess.join(joinToken);
    await agent.start();
    return agent;
  };
  [alpha, beta] = await Promise.all([joined("alpha"), joined("beta")]);
  // So that others know where its agent is.
  const host = { name: alphaHost, addresses: [await alpha.address()] };
  const request = UpdateHostRequest.fromPartial({ host, updateMask: ["addresses"] });
  await connection.unary(HostServiceService.updateHost, request);
  await ready();
}

afterAll(async () => {
  const request = { requestId: "", validateOnly: false, force: true };
  for (const id of ["c1", "vm1"]) {
    const name = `${alphaHost}/instances/${id}`;
    await connection?.unary(InstanceServiceService.deleteInstance, { ...request, name }).catch(() => undefined);
  }
  connection.close();
  for (const agent of [alpha, beta]) await agent?.destroy({ instances: false });
  await hub[Symbol.asyncDispose]();
}, 180_000);

async function ready(): Promise<void> {
  for (const name of [alphaHost, betaHost]) {
    const state = async () => (await connection.unary(HostServiceService.getHost, { name })).host?.state;
    await expect.poll(state, { timeout: 60_000 }).toBe(HostState.HOST_STATE_READY);
  }
}

const push = async (id: string, bytesPerSecond = 0n, throughHub = false): Promise<Operation> => {
  const request = PushImageRequest.fromPartial({
    name: `${alphaHost}/images/${id}`,
    targets: [betaHost],
    bytesPerSecond,
    throughHub,
  });
  const { operation } = await connection.unary(service.pushImage, request);
  if (operation === undefined) throw new Error("there is no operation");
  return operation;
};

const look = async ({ name }: Operation): Promise<Operation | undefined> =>
  (await connection.unary(OperationServiceService.getOperation, { name })).operation;

async function make(id: string, spec: object): Promise<void> {
  const request = CreateInstanceRequest.fromPartial({ parent: alphaHost, instanceId: id });
  const { operation } = await connection.unary(InstanceServiceService.createInstance, {
    ...request,
    instance: Instance.fromJSON({ spec }),
  });
  if (operation === undefined) throw new Error("there is no operation");
  await runOperation(connection, operation);
}

/** Bytes that beta was sent of an image, as its event tells: of the last attempt, when there were several. */
async function sentOf(id: string, how = "directly from hosts/alpha"): Promise<number> {
  const ending = new AbortController();
  const watch = connection.stream(WatchServiceService.watch, WatchRequest.fromPartial({ kinds: ["event"] }), {
    signal: ending.signal,
  });
  try {
    for await (const { step } of watch) {
      const told = step?.$case === "upsert" ? (unpack(step.value)?.value as Event) : undefined;
      if (told?.type !== "image.received" || told.resource !== `${betaHost}/images/${id}`) continue;
      expect(told.message).toContain(how);
      return Number(/^(\d+) of/.exec(told.message)?.[1]);
    }
  } finally {
    ending.abort();
  }
  throw new Error("nothing was told");
}

it("takes an image to a host, into a container and a machine, to another host in parts, and finds what is damaged", async () => {
  await startFleet();
  const first = noise("disk", 16 * mebibyte);
  const parent = alphaHost;
  await importBytes(connection, gzipSync(await readFile(micro)), {
    parent,
    imageId: "root",
    tags: ["1"],
    fileName: "root.tar.gz",
  });
  await importBytes(connection, first, { parent, imageId: "disk" });

  await make("c1", { crun: { rootfs: "root:1", command: ["/init"] } });
  await make("vm1", { memoryMib: "128", qemu: { kernel: "micro", disks: [{ image: "disk", persistent: true }] } });
  const remove = (id: string) =>
    connection.unary(service.deleteImage, { name: `${parent}/images/${id}`, requestId: "", validateOnly: false });
  await expect(remove("root")).rejects.toMatchObject({
    reason: "IMAGE_IN_USE",
    message: expect.stringContaining("instances/c1"),
  });
  await expect(remove("disk")).rejects.toMatchObject({
    reason: "IMAGE_IN_USE",
    message: expect.stringContaining("instances/vm1"),
  });

  // Cut in the middle by the end of the hub, and then of the agent that takes it: it goes on by itself.
  const operation = await push("disk", BigInt(4 * mebibyte));
  const percent = async () => (await look(operation))?.progressPercent ?? 0;
  await expect.poll(percent, { timeout: 60_000 }).toBeGreaterThan(20);
  await hub.kill();
  connection.close();
  await hub.run();
  connection = await hub.connect();
  await ready();
  await expect.poll(percent, { timeout: 60_000 }).toBeGreaterThan(20);
  await beta.end("SIGKILL");
  await beta.start();
  const pushed = await runOperation(connection, operation);
  expect(pushed.state).toBe(OperationState.OPERATION_STATE_SUCCEEDED);
  const told = pushed.result === undefined ? undefined : unpack(pushed.result);
  expect(told?.value.name).toBe(`${betaHost}/images/disk`);
  expect(await sentOf("disk")).toBeLessThan(15 * mebibyte);

  // Of another version of it only what is new is sent.
  const second = Buffer.concat([
    first.subarray(0, 8 * mebibyte),
    noise("news", mebibyte),
    first.subarray(8 * mebibyte),
  ]);
  await importBytes(connection, second, { parent, imageId: "disk2" });
  await runOperation(connection, await push("disk2", 0n, true));
  const sent = await sentOf("disk2", "through the hub");
  expect(sent).toBeGreaterThan(mebibyte / 2);
  expect(sent).toBeLessThan(9 * mebibyte);

  const name = `${betaHost}/images/disk2`;
  const { image } = await connection.unary(service.getImage, { name });
  const content = join(storeDirectory(beta.state), ".content", (image?.status?.digest ?? "").slice("sha256:".length));
  expect((await readFile(content)).equals(second)).toBe(true);
  await chmod(content, 0o600);
  second[0] = (second[0] ?? 0) ^ 1;
  await writeFile(content, second);
  const verify = await connection.unary(service.verifyImage, { name, requestId: "", validateOnly: false });
  if (verify.operation === undefined) throw new Error("there is no operation");
  await expect(runOperation(connection, verify.operation)).rejects.toMatchObject({ reason: "IMAGE_DAMAGED" });
  const damaged = async () => (await connection.unary(service.getImage, { name })).image?.status?.state;
  expect(await damaged()).toBe(ImageState.IMAGE_STATE_DAMAGED);
  // Another push mends it.
  await runOperation(connection, await push("disk2"));
  expect(await damaged()).toBe(ImageState.IMAGE_STATE_READY);
}, 300_000);
