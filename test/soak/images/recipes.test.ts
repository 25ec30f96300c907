import { cp, mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Connection } from "../../../lib/grpc/connection.js";
import { ExecRequest, ExecServiceService } from "../../../proto/gen/zor/v1/exec_service.js";
import { BuildImageRequest, ImageServiceService } from "../../../proto/gen/zor/v1/image_service.js";
import { Instance } from "../../../proto/gen/zor/v1/instance.js";
import { CreateInstanceRequest, InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import { runOperation } from "../../../tui/client/operation.js";
import { AgentProcess } from "../../integration/agent/agent-process.js";

let agent: AgentProcess;
let connection: Connection;
const parent = "hosts/zt";

beforeAll(async () => {
  agent = await AgentProcess.create();
  await mkdir(join(agent.state, "recipes"));
  await cp(resolve(import.meta.dirname, "../../../deploy/images"), join(agent.state, "recipes"), { recursive: true });
  await agent.start();
  connection = await agent.connect();
}, 60_000);
afterAll(async () => {
  connection?.close();
  await agent?.destroy();
}, 60_000);

async function ended(operation: Operation | undefined): Promise<void> {
  if (operation === undefined) throw new Error("there is no operation");
  await runOperation(connection, operation);
}

/** Standard output of a command inside. */
async function exec(id: string, command: string[]): Promise<string> {
  const requests = async function* (): AsyncIterable<ExecRequest> {
    yield ExecRequest.fromPartial({
      message: { $case: "start", value: { name: `${parent}/instances/${id}`, command } },
    });
  };
  let output = "";
  for await (const { message } of connection.bidi(ExecServiceService.exec, requests()))
    if (message?.$case === "stdout") output += message.value.toString("utf8");
  return output;
}

it.each<[string, (image: string) => object, string[], RegExp]>([
  ["busybox", (rootfs) => ({ crun: { rootfs, command: ["/init"] } }), ["busybox", "uname"], /Linux/],
  ["frr", (rootfs) => ({ crun: { rootfs, command: ["/init"] } }), ["vtysh", "-c", "show version"], /FRRouting/],
  [
    "debian",
    (image) => ({ memoryMib: "512", qemu: { disks: [{ image }] } }),
    ["systemctl", "is-active", "ssh"],
    /^active/,
  ],
])(
  "the recipe %s makes an image that boots and in which commands run",
  async (recipe, specOf, command, answer) => {
    const build = BuildImageRequest.fromPartial({ parent, imageId: recipe, recipe });
    await ended((await connection.unary(ImageServiceService.buildImage, build)).operation);
    const instanceId = `of-${recipe}`;
    const instance = Instance.fromJSON({ spec: specOf(recipe) });
    const create = CreateInstanceRequest.fromPartial({ parent, instanceId });
    await ended((await connection.unary(InstanceServiceService.createInstance, { ...create, instance })).operation);
    await expect
      .poll(() => exec(instanceId, command).catch(() => ""), { timeout: 300_000, interval: 2000 })
      .toMatch(answer);
  },
  900_000,
);
