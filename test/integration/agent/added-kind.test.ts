import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { unavailable } from "../../../lib/errors.js";
import type { Connection } from "../../../lib/grpc/connection.js";
import { unpack } from "../../../lib/kinds/resource.js";
import { LanServiceService } from "../../../proto/gen/zor/v1/lan_service.js";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import { WatchRequest, type WatchResponse, WatchServiceService } from "../../../proto/gen/zor/v1/watch_service.js";
import { GaugeRack, gaugeKind } from "../../extension/gauge-agent-kind.js";
import { Gauge, GaugeState } from "../../extension/gen/zor/test/v1/gauge.js";
import {
  CreateGaugeRequest,
  GaugeServiceService as gauges,
  ListGaugesRequest,
  UpdateGaugeRequest,
} from "../../extension/gen/zor/test/v1/gauge_service.js";
import { ApiFixture, parent } from "./api-fixture.js";

let rack: GaugeRack;
let api: ApiFixture;

beforeEach(async () => {
  rack = new GaugeRack();
  api = await ApiFixture.start({ kinds: [gaugeKind(rack)] });
});
afterEach(() => api.close());

const nameOf = (id: string): string => `${parent}/gauges/${id}`;
const removal = (id: string) => ({ name: nameOf(id), requestId: "", validateOnly: false });

async function create(gaugeId: string, spec: object = {}, more: object = {}): Promise<Gauge> {
  const request = CreateGaugeRequest.fromPartial({
    parent,
    gaugeId,
    gauge: { spec, labels: { id: gaugeId } },
    ...more,
  });
  const { gauge } = await api.operator.unary(gauges.createGauge, request);
  if (gauge === undefined) throw new Error("no gauge in the response");
  return gauge;
}

async function get(id: string): Promise<Gauge | undefined> {
  return (await api.operator.unary(gauges.getGauge, { name: nameOf(id) })).gauge;
}

async function update(gauge: object, more: object = {}, who: Connection = api.operator): Promise<Gauge | undefined> {
  return (await who.unary(gauges.updateGauge, UpdateGaugeRequest.fromPartial({ gauge, ...more }))).gauge;
}

const list = (more: object = {}) =>
  api.operator.unary(gauges.listGauges, ListGaugesRequest.fromPartial({ parent, ...more }));

describe("a kind that only the list of kinds names", () => {
  it("is created with defaults and metadata, shown and deleted", async () => {
    const made = await create("g1");
    expect(made).toMatchObject({
      name: nameOf("g1"),
      labels: { id: "g1" },
      spec: { lan: "", limit: 100 },
      status: { state: GaugeState.GAUGE_STATE_ACTIVE, reading: 42 },
    });
    expect(made.uid).not.toBe("");
    expect(made.etag).not.toBe("");
    expect(made.updateTime).toEqual(made.createTime);
    expect(await get("g1")).toEqual(made);
    await expect(create("g1")).rejects.toMatchObject({ code: status.ALREADY_EXISTS });
    await api.operator.unary(gauges.deleteGauge, removal("g1"));
    expect(rack.readings.size).toBe(0);
    await expect(get("g1")).rejects.toMatchObject({
      code: status.NOT_FOUND,
      message: `${nameOf("g1")} does not exist; list them with: zor get gauges`,
    });
  });

  it("names the fields that are wrong", async () => {
    await expect(create("g1", { limit: 1001 }, {})).rejects.toMatchObject({
      violations: [{ field: "gauge.spec.limit" }],
    });
    await expect(create("g 1")).rejects.toMatchObject({ violations: [{ field: "gauge_id" }] });
    await expect(create("g1", {}, { parent: "" })).rejects.toMatchObject({ violations: [{ field: "parent" }] });
    await expect(create("g1", {}, { parent: "hosts/h2" })).rejects.toMatchObject({ reason: "WRONG_HOST" });
    const gauge = { labels: { "a b": "1" }, annotations: { "c d": "2" } };
    await expect(create("g1", {}, { gauge })).rejects.toMatchObject({
      violations: [{ field: "gauge.labels" }, { field: "gauge.annotations" }],
    });
    expect((await list()).gauges).toEqual([]);
  });

  it("is listed in pages, filtered and ordered", async () => {
    for (const [id, limit] of [
      ["g1", 10],
      ["g2", 30],
      ["g3", 20],
    ] as const)
      await create(id, { limit });
    const first = await list({ pageSize: 2, orderBy: "spec.limit desc" });
    expect(first.gauges.map(({ spec }) => spec?.limit)).toEqual([30, 20]);
    expect(first.totalSize).toBe(3);
    const second = await list({ pageSize: 2, orderBy: "spec.limit desc", pageToken: first.nextPageToken });
    expect(second.gauges.map(({ spec }) => spec?.limit)).toEqual([10]);
    for (const everywhere of ["", "hosts/-"]) {
      expect((await list({ parent: everywhere, filter: 'labels.id = "g2"' })).totalSize).toBe(1);
    }
    await expect(list({ filter: "spec.height > 1" })).rejects.toMatchObject({ violations: [{ field: "filter" }] });
    await expect(list({ parent: "hosts/h2" })).rejects.toMatchObject({ reason: "WRONG_HOST" });
  });

  it("is changed where a mask says so, and says who was faster", async () => {
    const made = await create("g1", { limit: 50 });
    const changed = await update(
      { name: made.name, etag: made.etag, labels: { site: "paris" }, spec: { limit: 7 } },
      { updateMask: ["labels.site", "spec.limit"] },
    );
    expect(changed).toMatchObject({
      uid: made.uid,
      labels: { id: "g1", site: "paris" },
      spec: { lan: "", limit: 7 },
      status: { reading: 7 },
    });
    expect(changed?.etag).not.toBe(made.etag);
    const late = { name: made.name, etag: made.etag, labels: { site: "rome" } };
    await expect(update(late, { updateMask: ["labels"] })).rejects.toMatchObject({
      code: status.ABORTED,
      reason: "ETAG_MISMATCH",
      message: expect.stringContaining("was changed by zor://user/ana at "),
      metadata: { changedBy: "zor://user/ana", etag: changed?.etag },
    });
    await expect(update({ name: made.name }, { updateMask: ["status.reading"] })).rejects.toMatchObject({
      violations: [{ field: "update_mask" }],
    });
    await expect(update({ name: made.name, spec: { limit: -1 } }, { updateMask: ["spec"] })).rejects.toMatchObject({
      violations: [{ field: "gauge.spec.limit" }],
    });
    expect(await get("g1")).toEqual(changed);
  });

  it("is as before when a change cannot be carried out", async () => {
    const made = await create("g1", { limit: 50 });
    rack.failNext = unavailable("RACK_AWAY", "", "the rack is away");
    await expect(update({ name: made.name, spec: { limit: 7 } }, { updateMask: ["spec.limit"] })).rejects.toMatchObject(
      {
        reason: "RACK_AWAY",
        message: `could not make ${made.name}: the rack is away`,
      },
    );
    expect(await get("g1")).toEqual(made);
    await api.restart();
    expect(await get("g1")).toEqual(made);
    rack.failNext = unavailable("RACK_AWAY", "", "the rack is away");
    await expect(create("g2")).rejects.toMatchObject({ reason: "RACK_AWAY" });
    expect((await list()).totalSize).toBe(1);
  });

  it("is only checked where that is all that is asked for", async () => {
    expect(await create("g1", {}, { validateOnly: true })).toMatchObject({ name: nameOf("g1"), spec: { limit: 100 } });
    expect((await list()).gauges).toEqual([]);
    const made = await create("g1");
    const asked = { updateMask: ["spec.limit"], validateOnly: true };
    expect(await update({ name: made.name, spec: { limit: 7 } }, asked)).toMatchObject({ spec: { limit: 7 } });
    await api.operator.unary(gauges.deleteGauge, { ...removal("g1"), validateOnly: true });
    expect(await get("g1")).toEqual(made);
  });

  it("is made and changed once for each request id, over a restart of the agent too", async () => {
    const made = await create("g1", {}, { requestId: "r1" });
    await api.restart();
    expect(await create("g1", {}, { requestId: "r1" })).toEqual(made);
    await expect(create("g2", {}, { requestId: "r1" })).rejects.toMatchObject({ reason: "REQUEST_ID_REUSED" });
  });

  it("is there again after a restart, and one whose files are damaged is told of", async () => {
    const made = await create("g1", { limit: 9 });
    await create("g2");
    for (const file of ["spec.json", "spec.bak.json"]) await writeFile(join(api.state, "gauges", "g2", file), "{");
    await api.restart();
    expect(await get("g1")).toEqual(made);
    expect((await list()).totalSize).toBe(1);
    expect(await eventTypes()).toContain("gauge.file-damaged");
  });

  it("cannot refer to what is not there, and keeps what it refers to", async () => {
    await expect(create("g1", { lan: "lan1" })).rejects.toMatchObject({
      code: status.NOT_FOUND,
      message: `${parent}/lans/lan1 does not exist; create it first`,
    });
    await api.makeLan("lan1");
    await create("g1", { lan: "lan1" });
    const removeLan = () =>
      api.operator.unary(LanServiceService.deleteLan, {
        name: `${parent}/lans/lan1`,
        requestId: "",
        validateOnly: false,
      });
    await expect(removeLan()).rejects.toMatchObject({
      reason: "LAN_IN_USE",
      message: `${parent}/lans/lan1 is in use by ${nameOf("g1")}; detach or delete it first`,
    });
    await api.restart();
    await expect(removeLan()).rejects.toMatchObject({ reason: "LAN_IN_USE" });
    await update({ name: nameOf("g1"), spec: { lan: "" } }, { updateMask: ["spec.lan"] });
    await removeLan();
  });

  it("is watched, with what happens to it", async () => {
    await create("g1");
    const until = new AbortController();
    const steps = api.operator.stream(
      WatchServiceService.watch,
      WatchRequest.fromPartial({ kinds: ["gauge", "event"] }),
      {
        signal: until.signal,
      },
    );
    const seen: string[] = [];
    for await (const response of steps) {
      const told = describeStep(response);
      if (told === "snapshot") {
        await update({ name: nameOf("g1"), spec: { limit: 7 } }, { updateMask: ["spec.limit"] });
        await api.operator.unary(gauges.deleteGauge, removal("g1"));
      }
      seen.push(told);
      if (told === "gauge.deleted") break;
    }
    expect(seen).toEqual([
      "reset",
      "gauge.created",
      "gauge 100",
      "snapshot",
      "gauge.changed",
      "gauge 7",
      "removed gauge",
      "gauge.deleted",
    ]);
  });

  it("is open to those whom its proto file says it is open to", async () => {
    await create("g1");
    const viewer = api.connect(await api.pki.user("vic", Role.ROLE_VIEWER));
    const admin = api.connect(await api.pki.user("ada", Role.ROLE_ADMIN));
    expect((await viewer.unary(gauges.getGauge, { name: nameOf("g1") })).gauge?.name).toBe(nameOf("g1"));
    const denied = { code: status.PERMISSION_DENIED };
    await expect(update({ name: nameOf("g1"), labels: {} }, {}, viewer)).rejects.toMatchObject(denied);
    await expect(api.operator.unary(gauges.getToZero, removal("g1"))).rejects.toMatchObject(denied);
    const { gauge } = await admin.unary(gauges.getToZero, removal("g1"));
    expect(gauge?.status?.reading).toBe(0);
  });
});

async function eventTypes(): Promise<readonly string[]> {
  const types: string[] = [];
  for await (const response of api.operator.stream(
    WatchServiceService.watch,
    WatchRequest.fromPartial({ kinds: ["event"] }),
  )) {
    const told = describeStep(response);
    if (told === "snapshot") return types;
    types.push(told);
  }
  return types;
}

/** A step of a watch in a word or two. */
function describeStep({ step }: WatchResponse): string {
  if (step?.$case === "removed") return `removed ${step.value.kind}`;
  if (step?.$case === "snapshotEnd") return "snapshot";
  if (step?.$case !== "upsert") return step?.$case ?? "";
  const resource = unpack(step.value);
  if (resource?.kind === "event" && "type" in resource.value) return String(resource.value.type);
  const gauge = Gauge.fromPartial(resource?.value ?? {});
  return `gauge ${gauge.spec?.limit}`;
}
