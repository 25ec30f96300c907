import { afterEach, describe, expect, it } from "vitest";
import { WatchLog, type WatchLogOptions } from "../../../lib/watch/watch-log.js";
import { Host } from "../../../proto/gen/zor/v1/host.js";
import { Lan } from "../../../proto/gen/zor/v1/lan.js";
import { WatchRequest, type WatchResponse } from "../../../proto/gen/zor/v1/watch_service.js";
import { watched } from "../../helpers/watched.js";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

function open(log: WatchLog, request: Partial<WatchRequest> = {}) {
  const abort = new AbortController();
  cleanups.push(() => abort.abort());
  const iterator = log.watch(WatchRequest.fromPartial(request), abort.signal)[Symbol.asyncIterator]();
  const take = async (count: number): Promise<WatchResponse[]> => {
    const steps: WatchResponse[] = [];
    while (steps.length < count) {
      const step = await iterator.next();
      if (step.done === true) break;
      if (step.value.step?.$case !== "bookmark") steps.push(step.value);
    }
    return steps;
  };
  return { take, abort };
}

const lan = (name: string, mtu = 1500) => ({ kind: "lan", value: Lan.fromPartial({ name, spec: { mtu } }) }) as const;
const cases = (steps: WatchResponse[]): (string | undefined)[] => steps.map((step) => step.step?.$case);
const logOf = (count: number, options?: WatchLogOptions): WatchLog => {
  const log = new WatchLog(options);
  for (let index = 0; index < count; index += 1) log.upsert(lan(`hosts/h/lans/l${index}`));
  return log;
};

describe("a watch", () => {
  it("begins with a reset, everything there is, and the end of the snapshot, then tells changes", async () => {
    const log = logOf(2);
    const watch = open(log);
    expect(cases(await watch.take(4))).toEqual(["reset", "upsert", "upsert", "snapshotEnd"]);
    log.upsert(lan("hosts/h/lans/new"));
    log.remove("lan", "hosts/h/lans/l0");
    const changes = await watch.take(2);
    expect(cases(changes)).toEqual(["upsert", "removed"]);
    expect(changes.at(-1)?.position).toEqual({ epoch: log.epoch, revision: log.revision });
  });

  it("resumes after its last position without loss and without a snapshot", async () => {
    const log = logOf(3);
    const first = await open(log).take(5);
    const position = first.at(-1)?.position;
    log.upsert(lan("hosts/h/lans/l1", 9000));
    log.remove("lan", "hosts/h/lans/l2");
    expect(cases(await open(log, { position }).take(2))).toEqual(["upsert", "removed"]);
  });

  it.each([
    ["of another epoch", (log: WatchLog) => ({ epoch: "other", revision: log.revision })],
    ["that was compacted", (log: WatchLog) => ({ epoch: log.epoch, revision: 1n })],
    ["from the future", (log: WatchLog) => ({ epoch: log.epoch, revision: log.revision + 5n })],
  ])("begins again at a position %s", async (_, positionOf) => {
    const log = logOf(50, { historyLength: 8 });
    expect(cases(await open(log, { position: positionOf(log) }).take(1))).toEqual(["reset"]);
  });

  it("never hands out a position inside a snapshot", async () => {
    const steps = await open(logOf(3)).take(5);
    expect(steps.slice(0, -1).every((step) => step.position?.epoch === "")).toBe(true);
  });

  it("ends a reader that does not keep up instead of buffering without bound", async () => {
    const log = logOf(0, { historyLength: 10 });
    const watch = open(log);
    const seen = (await watch.take(2)).at(-1)?.position;
    for (let index = 0; index < 40; index += 1) log.upsert(lan(`hosts/h/lans/l${index}`));
    await expect(watch.take(20)).rejects.toMatchObject({
      reason: "WATCH_TOO_SLOW",
      metadata: { epoch: seen?.epoch, revision: String(seen?.revision) },
    });
  });

  it("does not take a reader for slow who was told everything that it wants", async () => {
    const log = logOf(0, { historyLength: 10 });
    const watch = open(log, { kinds: ["lan"] });
    await watch.take(2);
    const next = watch.take(2);
    await new Promise((resolve) => setImmediate(resolve));
    const other = (name: string) => ({ kind: "host", value: Host.fromPartial({ name }) }) as const;
    for (let index = 0; index < 40; index += 1) log.upsert(other(`hosts/h${index}`));
    log.upsert(lan("hosts/h/lans/l0"));
    log.upsert(other("hosts/h"));
    log.upsert(lan("hosts/h/lans/l1"));
    const names = (await next).map(({ step }) => watched(step, "lan")?.name);
    expect(names).toEqual(["hosts/h/lans/l0", "hosts/h/lans/l1"]);
  });

  it("tells any number of readers of a change, some in each turn of the loop", async () => {
    const log = logOf(0);
    const watches = Array.from({ length: 50 }, () => open(log));
    for (const { take } of watches) await take(2);
    const told: number[] = [];
    const all = watches.map(({ take }, index) => take(1).then(() => told.push(index)));
    await new Promise((resolve) => setImmediate(resolve));
    log.upsert(lan("hosts/h/lans/l0"));
    const inTurns: number[] = [];
    while (told.length < 50) {
      await new Promise((resolve) => setImmediate(resolve));
      inTurns.push(told.length);
    }
    await Promise.all(all);
    expect(inTurns.length).toBeGreaterThan(2);
    expect(Math.min(...inTurns)).toBeLessThan(50);
  });

  it("shows only the kinds and the part of the tree that were asked for", async () => {
    const log = new WatchLog();
    log.upsert(lan("hosts/a/lans/l"));
    log.upsert(lan("hosts/ab/lans/l"));
    log.recordEvent("events", { severity: 1, type: "t", resource: "r", message: "m", caller: "" });
    const steps = await open(log, { kinds: ["lan"], parent: "hosts/a" }).take(3);
    expect(cases(steps)).toEqual(["reset", "upsert", "snapshotEnd"]);
  });

  it("keeps only the newest events for a snapshot", async () => {
    const log = new WatchLog({ eventLength: 3 });
    for (let index = 0; index < 10; index += 1) {
      log.recordEvent("events", { severity: 1, type: `t${index}`, resource: "", message: "", caller: "" });
    }
    expect(log.list("event").map((event) => event.type)).toEqual(["t7", "t8", "t9"]);
  });

  it.each([
    ["kinds", { kinds: ["lans"] }],
    ["kinds", { kinds: [""] }],
    ["parent", { parent: "hosts/" }],
    ["parent", { parent: "hosts/a\0" }],
  ])("refuses %s it could never show anything of: %j", async (field, request) => {
    await expect(open(new WatchLog(), request).take(1)).rejects.toMatchObject({ violations: [{ field }] });
  });

  it("refuses a bookmark interval out of range", async () => {
    await expect(open(new WatchLog(), { bookmarkSeconds: 61 }).take(1)).rejects.toThrow(/^bookmark_seconds/);
  });
});
