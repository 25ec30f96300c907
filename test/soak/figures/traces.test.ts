import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { FakeCollector } from "../../fakes/collector.js";
import { eventually } from "../../helpers/eventually.js";
import { freePort } from "../../helpers/free-port.js";
import { ReachRig } from "../../integration/reach/rig.js";

let rig: ReachRig;
let collector: FakeCollector;
let undo: AsyncDisposableStack;

beforeAll(async () => {
  await using begun = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), "zt-traces-"));
  begun.defer(() => rm(directory, { recursive: true }));
  collector = begun.use(await FakeCollector.start());
  const file = join(directory, "traces.yaml");
  await writeFile(file, `tracesEndpoint: ${collector.url}\n`);
  const flags = ["--config", file];
  rig = begun.use(await ReachRig.start(flags, tmpdir(), flags));
  undo = begun.move();
});
afterAll(() => undo[Symbol.asyncDispose]());

/** Runs zor as a process of its own, with a collector. */
async function traced(endpoint: string, ...argv: string[]) {
  return await rig.tool("env", [`OTEL_EXPORTER_OTLP_ENDPOINT=${endpoint}`, "OTEL_SERVICE_NAME=ci", ...rig.cli(...argv)])
    .ended;
}

/** Spans of the trace that a command began, once all that are wanted are there, each "service name" with that of its parent. */
async function traceOf(command: string, ...wanted: readonly string[]): Promise<readonly string[]> {
  let lines: string[] = [];
  await eventually(() => {
    const root = collector.spans.findLast(({ service, name }) => service === "ci" && name === command);
    const spans = collector.spans.filter(({ traceId }) => traceId === root?.traceId);
    const nameOf = (id: string): string => {
      const found = spans.find(({ spanId }) => spanId === id);
      return found === undefined ? "" : `${found.service} ${found.name}`;
    };
    lines = spans.map(({ service, name, parentId }) => `${service} ${name} < ${nameOf(parentId)}`);
    expect(lines).toEqual(expect.arrayContaining([...wanted]));
  });
  return lines;
}

it("one command is one trace through zor, hub and agent", async () => {
  expect(await traced(collector.url, "create", "lan", "zt/traced")).toMatchObject({ code: 0 });
  const call = "zor.v1.LanService/CreateLan";
  await traceOf(
    "zor create",
    "ci zor create < ",
    `ci ${call} < ci zor create`,
    `zorhub-hub ${call} < ci ${call}`,
    `zorhub-hub ${call} < zorhub-hub ${call}`,
    `zorhub-agent ${call} < zorhub-hub ${call}`,
  );
  const served = collector.spans.find(({ service, name }) => service === "zorhub-agent" && name === call);
  expect(served?.attributes).toMatchObject({ "rpc.system": "grpc", "rpc.grpc.status_code": "0" });
});

it("an operation is part of the trace that began it", async () => {
  const made = await traced(collector.url, "create", "instance", "zt/c1", "--driver", "crun", "--rootfs", "micro");
  expect(made).toMatchObject({ code: 0 });
  const call = "zor.v1.InstanceService/CreateInstance";
  await traceOf("zor create", `zorhub-agent operation instance.create < zorhub-agent ${call}`);
});

it("what programs do by themselves makes no traces, and what ended is not gone on with", async () => {
  expect(await traced(collector.url, "get", "hosts")).toMatchObject({ code: 0 });
  await traceOf("zor get", "ci zor get < ");
  const pings = collector.spans.filter(({ name }) => name.startsWith("zor.agent.v1."));
  expect(pings).toEqual([]);
});

it("a collector that is away, or none at all, is nobody's trouble; a variable that cannot be used is named", async () => {
  expect(await traced(`http://127.0.0.1:${await freePort()}`, "get", "lans")).toMatchObject({ code: 0, stderr: "" });
  const wrong = await traced("collector:4317", "get", "lans");
  expect(wrong.code).not.toBe(0);
  expect(wrong.stderr).toContain("OTEL_EXPORTER_OTLP_ENDPOINT");
});
