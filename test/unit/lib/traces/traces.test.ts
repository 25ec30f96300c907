import { expect, onTestFinished, test } from "vitest";
import { freePort } from "../../../helpers/free-port.js";
import { FakeCollector } from "../../../fakes/collector.js";
import { createSampler, type SamplerName } from "../../../../lib/traces/sampler.js";
import { asSpan } from "../../../../lib/traces/span.js";
import { currentTrace, formatTraceparent, inTrace, parseTraceparent } from "../../../../lib/traces/trace-context.js";
import { openTraces } from "../../../../lib/traces/traces.js";
import { parseEndpoint } from "../../../../lib/traces/traces-config.js";

const [traceId, spanId] = ["4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"];
const good = `00-${traceId}-${spanId}-01`;
const other = { traceId, spanId, isSampled: false };

test("a traceparent is read as W3C has it", () => {
  expect(parseTraceparent([good])).toEqual({ traceId, spanId, isSampled: true });
  expect(parseTraceparent([good.replace(/01$/, "02")])).toEqual(other);
  expect(parseTraceparent([`cc-${good.slice(3)}-what-comes-later`])).toMatchObject({ traceId });
  expect(formatTraceparent({ traceId, spanId, isSampled: true })).toBe(good);
});

test.each([
  ["nothing", []],
  ["two of them", [good, good]],
  ["bytes", [Buffer.from(good)]],
  ["no text", [""]],
  ["a trace of zeros", [good.replace(traceId, "0".repeat(32))]],
  ["a span of zeros", [good.replace(spanId, "0".repeat(16))]],
  ["a version that is none", [good.replace(/^00/, "ff")]],
  ["capitals", [good.toUpperCase()]],
  ["more than its version says", [`${good}-00`]],
  ["a line of its own behind it", [`${good}\n`]],
  ["very much of it", [`cc-${good.slice(3)}-${"a".repeat(100_000)}`]],
])("%s is no traceparent, and a new trace begins", (_, values) => {
  expect(parseTraceparent(values)).toBeUndefined();
});

test.each<[SamplerName, boolean, boolean, boolean]>([
  ["always_on", true, true, true],
  ["always_off", false, false, false],
  ["parentbased_always_on", true, true, false],
  ["parentbased_always_off", false, true, false],
])("%s records a new trace: %s, a recorded one: %s, another: %s", (name, own, recorded, unrecorded) => {
  const sampler = createSampler(name, 1);
  const told = [undefined, { ...other, isSampled: true }, other].map((parent) => sampler(traceId, parent));
  expect(told).toEqual([own, recorded, unrecorded]);
});

test("a share of traces is the same for everybody who sees them", () => {
  const id = (digit: string) => `${"0".repeat(19)}${digit.repeat(13)}`;
  const half = createSampler("traceidratio", 0.5);
  expect(["0", "7", "8", "f"].map((digit) => half(id(digit), undefined))).toEqual([true, true, false, false]);
  expect(createSampler("traceidratio", 0)(id("0"), undefined)).toBe(false);
  expect(createSampler("traceidratio", 1)(id("f"), undefined)).toBe(true);
});

test.each([
  ["http://127.0.0.1:4317", { address: "127.0.0.1:4317", isSecure: false }],
  ["https://collector.example", { address: "collector.example:4317", isSecure: true }],
  ["https://collector.example:443/", { address: "collector.example:443", isSecure: true }],
  ["http://[::1]:5000", { address: "[::1]:5000", isSecure: false }],
  ["127.0.0.1:4317", undefined],
  ["http://user:secret@collector", undefined],
  ["http://collector/v1/traces", undefined],
  ["ftp://collector", undefined],
])("the collector %s is %j", (text, expected) => expect(parseEndpoint(text)).toEqual(expected));

test("spans reach a collector with their parents, attributes and errors", async () => {
  await using collector = await FakeCollector.start();
  const traces = openTraces({ tracesEndpoint: collector.url }, "zor", { headers: { "api-key": "k" } });
  const root = traces?.tracer.begin({ name: "zor get", kind: "internal" }, undefined);
  root?.set("count", 3);
  await root?.during(async () => {
    await asSpan({ name: "part", kind: "client", attributes: { share: 0.5, isGood: true } }, async () => 1);
    await expect(asSpan({ name: "bad", kind: "client" }, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  });
  await traces?.exporter.close(5000);
  const [part, bad, first] = collector.spans;
  expect(first).toMatchObject({ service: "zor", name: "zor get", kind: 1, parentId: "", attributes: { count: "3" } });
  expect(part).toMatchObject({ kind: 3, parentId: first?.spanId, attributes: { share: 0.5, isGood: true } });
  expect(bad).toMatchObject({ traceId: first?.traceId, parentId: first?.spanId, error: "no" });
  expect(first?.tookNanos).toBeGreaterThanOrEqual(part?.tookNanos ?? 0n);
  expect(collector.metadata).toMatchObject([{ "api-key": "k" }]);
  expect([traces?.exporter.exported, traces?.exporter.dropped]).toEqual([3, 0]);
});

test("what goes on when its span has ended belongs to no trace", async () => {
  await using collector = await FakeCollector.start();
  const traces = openTraces({ tracesEndpoint: collector.url }, "hub");
  const { promise, resolve } = Promise.withResolvers<void>();
  let later: Promise<unknown> = Promise.resolve();
  await traces?.tracer.begin({ name: "call", kind: "server" }, undefined).during(async () => {
    later = promise.then(() => currentTrace());
  });
  resolve();
  expect(await later).toBeUndefined();
  expect(inTrace({ parent: other, span: undefined }, currentTrace)).toMatchObject({ parent: other });
  await traces?.exporter.close(5000);
});

test("spans that a collector refuses are counted as dropped", async () => {
  await using collector = await FakeCollector.start();
  collector.rejected = 1;
  const traces = openTraces({ tracesEndpoint: collector.url }, "hub");
  for (const name of ["a", "b"]) traces?.tracer.begin({ name, kind: "server" }, undefined).end();
  await traces?.exporter.close(5000);
  expect([traces?.exporter.exported, traces?.exporter.dropped]).toEqual([1, 1]);
});

test("a collector that is away costs a bounded number of spans, is told of once, and holds up nobody", async () => {
  const news: string[] = [];
  const tracesEndpoint = `http://127.0.0.1:${await freePort()}`;
  const traces = openTraces({ tracesEndpoint }, "hub", { onNews: (message) => news.push(message) });
  onTestFinished(() => traces?.exporter.close(0));
  for (let count = 0; count < 5000; count += 1) traces?.tracer.begin({ name: "x", kind: "server" }, undefined).end();
  await expect.poll(() => news.length).toBe(1);
  expect(news[0]).toMatch(/^traces cannot go to 127\.0\.0\.1:\d+: /);
  expect(traces?.exporter.dropped).toBeGreaterThanOrEqual(5000 - 2048 - 512);
  await traces?.exporter.close(1000);
  expect([traces?.exporter.exported, traces?.exporter.dropped]).toEqual([0, 5000]);
  expect(news).toHaveLength(1);
});

test("what is not recorded goes nowhere, and says so to whom it calls", () => {
  const traces = openTraces({ tracesEndpoint: "http://127.0.0.1:1", tracesSampler: "always_off" }, "hub");
  const span = traces?.tracer.begin({ name: "x", kind: "server" }, { traceId, spanId, isSampled: true });
  expect(span?.own).toMatchObject({ traceId, isSampled: false });
  expect(span?.child({ name: "y", kind: "client" }).own.isSampled).toBe(false);
  span?.end();
  expect([traces?.exporter.exported, traces?.exporter.dropped]).toEqual([0, 0]);
});
