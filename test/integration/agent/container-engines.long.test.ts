import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Connection } from "../../../lib/grpc/connection.js";
import { isAlive } from "../../../lib/process.js";
import { ExecServiceService, ExecStart } from "../../../proto/gen/zor/v1/exec_service.js";
import { Instance, InstanceState } from "../../../proto/gen/zor/v1/instance.js";
import { InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { LanServiceService } from "../../../proto/gen/zor/v1/lan_service.js";
import { OperationServiceService } from "../../../proto/gen/zor/v1/operation_service.js";
import { startEngine, type TestEngine } from "../../helpers/container-engine.js";
import { eventually } from "../../helpers/eventually.js";
import { serveImage, type TestRegistry } from "../../helpers/image-registry.js";
import { captureMachine, leftBehind, type MachineState } from "../../helpers/leftovers.js";
import { AgentProcess } from "./agent-process.js";

const parent = "hosts/zt";
const mutation = { requestId: "", validateOnly: false };
const login = { username: "lab", password: "secret" };
let agent: AgentProcess;
let connection: Connection;
let engines: Readonly<Record<TestEngine["kind"], TestEngine>>;
let registry: TestRegistry;
let settings: string;
let before: MachineState;

beforeAll(async () => {
  before = captureMachine();
  const [docker, podman] = await Promise.all([startEngine("docker"), startEngine("podman")]);
  engines = { docker, podman };
  registry = await serveImage("/var/lib/zor/images/micro/rootfs.tar", login);
  agent = await AgentProcess.create();
  settings = join(agent.state, "agent.yaml");
  const passwordFile = join(agent.state, "password");
  await writeFile(passwordFile, `${login.password}\n`);
  const images = registry.image.replace(/\/micro:1$/, "");
  await writeFile(
    settings,
    JSON.stringify({
      dockerSocket: docker.socketPath,
      podmanSocket: podman.socketPath,
      registries: [{ images, username: login.username, passwordFile }],
    }),
  );
  await agent.start(["--config", settings]);
  connection = await agent.connect();
  await connection.unary(LanServiceService.createLan, { ...mutation, parent, lanId: "lan1", lan: undefined });
});

afterAll(async () => {
  connection?.close();
  await agent?.destroy();
  for (const engine of Object.values(engines ?? {})) await engine[Symbol.asyncDispose]();
  registry?.[Symbol.dispose]();
  const sockets = Object.values(engines).map(({ socketPath }) => socketPath.replace(/\/s$/, ""));
  const mine = new RegExp([agent.state, agent.netns, ...sockets.map((path) => path.replace("/tmp/", ""))].join("|"));
  await eventually(() => expect(leftBehind(before, captureMachine(), mine)).toEqual([]));
});

async function create(id: string, address: string, options: object): Promise<string> {
  const instance = Instance.fromJSON({ spec: { nics: [{ lan: "lan1", addresses: [address] }], ...options } });
  const request = { ...mutation, parent, instanceId: id, instance, leaveStopped: false };
  const { operation } = await connection.unary(InstanceServiceService.createInstance, request);
  const wait = { name: operation?.name ?? "", timeout: { seconds: 60n, nanos: 0 } };
  const ended = await connection.unary(OperationServiceService.waitOperation, wait, { timeoutMs: 70_000 });
  return ended.operation?.error?.message ?? "";
}

async function read(id: string): Promise<{ state: InstanceState; reason: string; pid: number }> {
  const { instance } = await connection.unary(InstanceServiceService.getInstance, {
    name: `${parent}/instances/${id}`,
  });
  const { state = InstanceState.INSTANCE_STATE_UNSPECIFIED, reason = "", pid = 0n } = instance?.status ?? {};
  return { state, reason, pid: Number(pid) };
}

async function exec(id: string, command: string[]): Promise<{ code: number; stdout: string }> {
  const start = ExecStart.fromPartial({ name: `${parent}/instances/${id}`, command });
  async function* requests() {
    yield { message: { $case: "start" as const, value: start } };
  }
  let stdout = "";
  for await (const { message } of connection.bidi(ExecServiceService.exec, requests(), { timeoutMs: 60_000 })) {
    if (message?.$case === "stdout") stdout += message.value.toString();
    if (message?.$case === "exit") return { code: message.value.code, stdout };
  }
  throw new Error("the command did not end");
}

/** @param from that of the two whose engine was left alone: it answers whatever the other does. */
async function reaches(from: string, address: string): Promise<void> {
  await eventually(async () => {
    expect((await exec(from, ["ping", "-c", "1", "-W", "1", address])).code).toBe(0);
  });
}

const running = expect.objectContaining({ state: InstanceState.INSTANCE_STATE_RUNNING });
const addresses = { docker: "10.9.1.1", podman: "10.9.1.2" } as const;
const ids = { docker: "d1", podman: "p1" } as const;
const others = { docker: "podman", podman: "docker" } as const;

/** The container of an instance, as somebody at the engine finds it. */
const containerOf = (kind: TestEngine["kind"]) =>
  engines[kind].cli(
    "ps",
    "--all",
    "--quiet",
    "--no-trunc",
    "--filter",
    `label=zorhub.instance=${parent}/instances/${ids[kind]}`,
  );

describe("an agent beside a Docker engine and a podman service", () => {
  it("runs containers of both that reach each other through a lan, and fetches what policy and login allow", async () => {
    // Somebody else's, with what looks like ours.
    await engines.docker.cli("import", "/var/lib/zor/images/micro/rootfs.tar", "other:1");
    await engines.docker.cli("create", "--name", "other", "--network", "none", "other:1", "/init");
    const persistent = { image: registry.image, persistent: true };
    expect(await create("d1", `${addresses.docker}/24`, { docker: persistent })).toBe("");
    expect(registry.asked.some((line) => line.includes("/blobs/"))).toBe(true);
    expect(
      await create("p1", `${addresses.podman}/24`, {
        podman: { image: "micro", persistent: true, sysctls: { "net.ipv4.ip_forward": "1" } },
      }),
    ).toBe("");
    await reaches("p1", addresses.docker);
    expect((await exec("p1", ["cat", "/proc/sys/net/ipv4/ip_forward"])).stdout).toBe("1\n");
    expect((await exec("d1", ["cat", "/proc/sys/net/ipv4/ip_forward"])).stdout).toBe("0\n");
  });

  it("refuses images that the host's policy does not allow to fetch", async () => {
    const instance = Instance.fromJSON({ spec: { docker: { image: "quay.io/some/thing" } } });
    const request = { ...mutation, parent, instanceId: "d2", instance, leaveStopped: false };
    await expect(connection.unary(InstanceServiceService.createInstance, request)).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      message: expect.stringContaining("registries setting"),
    });
  });

  it.each(["docker", "podman"] as const)(
    "gives a container its wires back that somebody restarted in %s",
    async (kind) => {
      const { pid } = await read(ids[kind]);
      await engines[kind].cli("restart", "--time", "0", await containerOf(kind));
      await eventually(async () => {
        const now = await read(ids[kind]);
        expect(now).toEqual(running);
        expect(now.pid).not.toBe(pid);
      });
      await reaches(ids[others[kind]], addresses[kind]);
      await reaches(ids[kind], addresses[others[kind]]);
    },
  );

  it("says that it knows nothing of a container whose engine hangs, and is not held up elsewhere", async () => {
    const engine = await engines.docker.process();
    const { pid } = await read("d1");
    process.kill(engine.pid, "SIGSTOP");
    try {
      await eventually(async () => {
        const { state, reason } = await read("d1");
        expect(state).toBe(InstanceState.INSTANCE_STATE_UNKNOWN);
        expect(reason).toContain("docker does not answer");
      });
      expect((await exec("p1", ["hostname"])).stdout).toBe("p1\n");
      await expect(exec("d1", ["hostname"])).rejects.toMatchObject({ code: status.UNAVAILABLE });
    } finally {
      process.kill(engine.pid, "SIGCONT");
    }
    await eventually(async () =>
      expect(await read("d1")).toMatchObject({ state: InstanceState.INSTANCE_STATE_RUNNING, pid }),
    );
  });

  it("finds a container again whose engine crashed and came back", async () => {
    const { pid } = await read("d1");
    await engines.docker.crash();
    await eventually(async () => expect((await read("d1")).state).toBe(InstanceState.INSTANCE_STATE_UNKNOWN));
    await reaches("p1", addresses.docker);
    await engines.docker.restart();
    await eventually(async () =>
      expect(await read("d1")).toMatchObject({ state: InstanceState.INSTANCE_STATE_RUNNING, pid }),
    );
    expect((await exec("d1", ["hostname"])).stdout).toBe("d1\n");
  });

  it("takes up, after its own end, what somebody restarted meanwhile", async () => {
    connection.close();
    await agent.end("SIGKILL");
    await engines.docker.cli("restart", "--time", "0", await containerOf("docker"));
    await agent.start(["--config", settings]);
    connection = await agent.connect();
    await eventually(async () => expect(await read("d1")).toEqual(running));
    await reaches("p1", addresses.docker);
  });

  it("says that a container was removed by somebody, and makes a new one when it is started", async () => {
    await engines.docker.cli("rm", "--force", await containerOf("docker"));
    await eventually(async () => {
      const { state, reason } = await read("d1");
      expect(state).toBe(InstanceState.INSTANCE_STATE_FAILED);
      expect(reason).toMatch(/removed from docker by somebody else.*zor start d1/);
    });
    await connection.unary(InstanceServiceService.startInstance, { ...mutation, name: `${parent}/instances/d1` });
    await reaches("p1", addresses.docker);
  });

  it("leaves nothing of its own behind when instances are deleted, and all that is somebody else's", async () => {
    const { pid } = await read("d1");
    await agent.deleteInstances();
    expect(await isAlive({ pid, startTicks: "" })).toBe(false);
    for (const engine of Object.values(engines))
      expect(await engine.cli("ps", "--all", "--quiet", "--filter", "label=zorhub.uid")).toBe("");
    expect(await engines.podman.cli("images", "--format", "{{.Repository}}")).not.toContain("zorhub.local");
    expect(await engines.docker.cli("ps", "--all", "--format", "{{.Names}}")).toBe("other");
  });
});
