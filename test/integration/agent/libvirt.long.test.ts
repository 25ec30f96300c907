import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { markNamespace } from "../../../agent/drivers/libvirt/domain.js";
import type { Connection } from "../../../lib/grpc/connection.js";
import { Instance, InstanceState } from "../../../proto/gen/zor/v1/instance.js";
import { InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { OperationServiceService } from "../../../proto/gen/zor/v1/operation_service.js";
import { eventually } from "../../helpers/eventually.js";
import { captureMachine, leftBehind, type MachineState } from "../../helpers/leftovers.js";
import { startLibvirt, type TestLibvirt } from "../../helpers/libvirtd.js";
import { AgentProcess } from "./agent-process.js";

const parent = "hosts/zt";
const mutation = { requestId: "", validateOnly: false };
/** What libvirt's test hypervisor always has. */
const [uuid, name] = ["6695eb01-f6a4-8304-79aa-97f2502e193f", "test"];
const hostile = `we"ird '; reboot\u001b[31m <b>&amp;`;
let agent: AgentProcess;
let connection: Connection;
let libvirt: TestLibvirt;
let uri: string;
let settings: string;
let before: MachineState;

beforeAll(async () => {
  before = captureMachine();
  [libvirt, agent] = await Promise.all([startLibvirt(), AgentProcess.create()]);
  uri = libvirt.uri("test", "default");
  settings = join(agent.state, "agent.yaml");
  await writeFile(settings, JSON.stringify({ libvirt: [uri, libvirt.uri("vbox", "session")] }));
  await agent.start(["--config", settings]);
  connection = await agent.connect();
});

afterAll(async () => {
  connection?.close();
  await agent?.destroy({ instances: false });
  await libvirt?.[Symbol.asyncDispose]();
  const mine = new RegExp([agent.state, agent.netns, libvirt.root].map((path) => path.replace("/tmp/", "")).join("|"));
  await eventually(() => expect(leftBehind(before, captureMachine(), mine)).toEqual([]));
});

async function list(): Promise<readonly Instance[]> {
  const request = { parent, pageSize: 0, pageToken: "", filter: "", orderBy: "" };
  return (await connection.unary(InstanceServiceService.listInstances, request)).instances;
}

async function find(uid: string): Promise<Instance> {
  const found = (await list()).find((instance) => instance.uid === uid);
  if (found === undefined) throw new Error(`there is no instance of uid ${uid}`);
  return found;
}

async function reaches(state: InstanceState): Promise<Instance> {
  return await eventually(async () => {
    const found = await find(uuid);
    expect(found.status?.state).toBe(state);
    return found;
  });
}

const optionsOf = ({ spec }: Instance) => (spec?.driver?.$case === "libvirt" ? spec.driver.value : undefined);
const inXml = async () => (await libvirt.virsh(uri, "dumpxml", uuid)).includes(markNamespace);
const running = InstanceState.INSTANCE_STATE_RUNNING;
const stopped = InstanceState.INSTANCE_STATE_STOPPED;

describe("domains of libvirt", () => {
  it("are shown, and refuse every change until they are adopted", async () => {
    const found = await reaches(running);
    expect(found.name).toMatch(/^hosts\/zt\/instances\/test-test-[0-9a-f]{6}$/);
    expect(optionsOf(found)).toMatchObject({ uri, uuid, domain: name, hypervisor: "test", adopted: false });
    expect(found.spec).toMatchObject({ cpus: 2, memoryMib: 8192n });
    expect(found.status?.reason).toBe("not adopted");
    const request = { name: found.name, ...mutation };
    const refused = {
      code: status.FAILED_PRECONDITION,
      message: expect.stringContaining(`zor adopt zt/${found.name.split("/").at(-1)}`),
    };
    const { stopInstance, deleteInstance, pauseInstance, updateInstance } = InstanceServiceService;
    await expect(connection.unary(stopInstance, request)).rejects.toMatchObject(refused);
    await expect(connection.unary(pauseInstance, request)).rejects.toMatchObject(refused);
    await expect(connection.unary(deleteInstance, { ...request, force: true })).rejects.toMatchObject(refused);
    const changed = { instance: Instance.fromPartial({ ...found, labels: { a: "b" } }), updateMask: ["labels"] };
    await expect(connection.unary(updateInstance, { ...mutation, ...changed })).rejects.toMatchObject(refused);
    expect(await libvirt.virsh(uri, "domstate", uuid)).toBe("running");
  });

  it("come and go as others make and remove them, whatever they are called", async () => {
    const file = join(libvirt.root, "domain.xml");
    const escaped = hostile.replace(/[&<>"'\u001b]/g, (character) =>
      character === "\u001b" ? "^" : `&#${character.charCodeAt(0)};`,
    );
    const xml = `<domain type='test'><name>${escaped}</name><title>t</title><memory unit='MiB'>64</memory><os><type>hvm</type></os></domain>`;
    await writeFile(file, xml);
    await libvirt.virsh(uri, "define", file);
    const domain = hostile.replace("\u001b", "^");
    const found = await eventually(async () => {
      const [match] = (await list()).filter((each) => optionsOf(each)?.domain === domain);
      expect(match).toBeDefined();
      return match;
    });
    expect(found?.name).toMatch(/^hosts\/zt\/instances\/test-we-ird-reboot-31m-b-amp-[0-9a-f]{6}$/);
    expect(found).toMatchObject({ status: { state: stopped }, spec: { memoryMib: 64n } });
    await libvirt.virsh(uri, "undefine", found?.uid ?? "");
    await eventually(async () => expect((await list()).map(({ uid }) => uid)).toEqual([uuid]));
  });

  it("are controlled once they are adopted, which their XML tells", async () => {
    const request = { name: (await find(uuid)).name, ...mutation };
    await connection.unary(InstanceServiceService.adoptInstance, { ...request, validateOnly: true });
    expect(await inXml()).toBe(false);
    const { instance } = await connection.unary(InstanceServiceService.adoptInstance, request);
    expect(instance).toMatchObject({ uid: uuid, status: { state: running, reason: "" } });
    expect(optionsOf(instance ?? Instance.fromPartial({}))?.adopted).toBe(true);
    expect(await inXml()).toBe(true);
    expect(await list()).toHaveLength(1);
    const { stopInstance, startInstance, pauseInstance, resumeInstance, shutdownInstance } = InstanceServiceService;
    await connection.unary(pauseInstance, request);
    expect(await libvirt.virsh(uri, "domstate", uuid)).toBe("paused");
    await connection.unary(resumeInstance, request);
    await connection.unary(stopInstance, request);
    expect(await libvirt.virsh(uri, "domstate", uuid)).toBe("shut off");
    await connection.unary(startInstance, request);
    await reaches(running);
    const { operation } = await connection.unary(shutdownInstance, { ...request, timeoutSeconds: 20 });
    const wait = { name: operation?.name ?? "", timeout: { seconds: 30n, nanos: 0 } };
    const ended = await connection.unary(OperationServiceService.waitOperation, wait, { timeoutMs: 70_000 });
    expect(ended.operation?.error).toBeUndefined();
    await reaches(stopped);
    await expect(connection.unary(InstanceServiceService.adoptInstance, request)).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      message: expect.stringContaining("is adopted already"),
    });
  });

  it("are followed when others start and end them, also over a restart of the agent", async () => {
    await libvirt.virsh(uri, "start", uuid);
    await reaches(running);
    await libvirt.virsh(uri, "destroy", uuid);
    await reaches(stopped);
    await libvirt.virsh(uri, "start", uuid);
    await agent.end("SIGKILL");
    connection.close();
    await agent.start(["--config", settings]);
    connection = await agent.connect();
    expect(optionsOf(await reaches(running))?.adopted).toBe(true);
    expect(await list()).toHaveLength(1);
  });

  it("are unknown while libvirt is gone, and come back with it", async () => {
    const request = { name: (await find(uuid)).name, ...mutation };
    await libvirt.crash();
    const lost = await reaches(InstanceState.INSTANCE_STATE_UNKNOWN);
    expect(lost.status?.reason).toMatch(/libvirt at .* does not answer since \d{4}-/);
    await expect(connection.unary(InstanceServiceService.stopInstance, request)).rejects.toMatchObject({
      code: status.UNAVAILABLE,
    });
    await libvirt.restart();
    await reaches(running);
  });

  it("are only let go of when they are deleted", async () => {
    const request = { name: (await find(uuid)).name, ...mutation };
    await connection.unary(InstanceServiceService.deleteInstance, { ...request, force: false });
    expect(await inXml()).toBe(false);
    expect(await libvirt.virsh(uri, "domstate", uuid)).toBe("running");
    const again = await reaches(running);
    expect(again.name).toBe(request.name);
    expect(optionsOf(again)?.adopted).toBe(false);
    const mark = ["--uri", markNamespace, "--key", "zor", "--set", '<adopted host="another"/>', "--live"];
    await libvirt.virsh(uri, "metadata", uuid, ...mark);
    await eventually(async () => {
      await expect(connection.unary(InstanceServiceService.adoptInstance, request)).rejects.toMatchObject({
        message: expect.stringContaining("adopted by the agent of another host"),
      });
    });
    expect((await find(uuid)).status?.reason).toContain("by another agent");
  });

  it("are not made here", async () => {
    const instance = Instance.fromPartial({ spec: { driver: { $case: "libvirt", value: { uri, uuid } } } });
    const request = { ...mutation, parent, instanceId: "copy", instance, leaveStopped: true };
    await expect(connection.unary(InstanceServiceService.createInstance, request)).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      message: expect.stringContaining("zor adopt"),
    });
  });
});
