import { randomUUID } from "node:crypto";
import { status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { hubKinds } from "../../../hub/kinds/index.js";
import { authorize } from "../../../lib/auth/policy.js";
import { notFound } from "../../../lib/errors.js";
import type { GuardedServer } from "../../../lib/grpc/server.js";
import { implementService } from "../../../lib/grpc/service.js";
import { unpack } from "../../../lib/kinds/resource.js";
import { HostState } from "../../../proto/gen/zor/v1/host.js";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import { WatchRequest, WatchServiceService } from "../../../proto/gen/zor/v1/watch_service.js";
import { Gauge } from "../../extension/gen/zor/test/v1/gauge.js";
import {
  CreateGaugeRequest,
  GaugeServiceService,
  GetToZeroRequest,
  ListGaugesRequest,
  UpdateGaugeRequest,
} from "../../extension/gen/zor/test/v1/gauge_service.js";
import { Memo } from "../../extension/gen/zor/test/v1/memo.js";
import {
  CreateMemoRequest,
  ListMemosRequest,
  MemoServiceService,
  UpdateMemoRequest,
} from "../../extension/gen/zor/test/v1/memo_service.js";
import { memoKind } from "../../extension/memo-hub-kind.js";
import type { FakeHostModel } from "../../fakes/agent-model.js";
import { HubFixture } from "./fixture.js";

const kinds = [...hubKinds, memoKind];

describe("a kind of the hub that only its list of kinds knows", () => {
  const create = (fixture: HubFixture, memoId: string, more: Partial<CreateMemoRequest> = {}) =>
    fixture.admin.unary(
      MemoServiceService.createMemo,
      CreateMemoRequest.fromPartial({ memoId, memo: { spec: { text: "buy cable" } }, ...more }),
    );
  const list = async (fixture: HubFixture, more: Partial<ListMemosRequest> = {}) =>
    fixture.admin.unary(MemoServiceService.listMemos, ListMemosRequest.fromPartial(more));

  test("is created, got, listed, changed, deleted and kept over a restart of the hub", async () => {
    await using fixture = await HubFixture.start({ kinds });
    const { memo } = await create(fixture, "m1");
    expect(memo).toMatchObject({ name: "memos/m1", spec: { text: "buy cable" }, status: { length: 9 } });
    expect(memo?.uid).not.toBe("");
    expect(memo?.etag).not.toBe("");
    expect(memo?.createTime).toEqual(memo?.updateTime);
    await fixture.restart();
    expect((await fixture.admin.unary(MemoServiceService.getMemo, { name: "memos/m1" })).memo).toEqual(memo);
    const { memo: changed } = await fixture.admin.unary(
      MemoServiceService.updateMemo,
      UpdateMemoRequest.fromPartial({
        memo: { name: "memos/m1", etag: memo?.etag ?? "", spec: { text: "done", about: "x" } },
        updateMask: ["spec.text"],
      }),
    );
    expect(changed).toMatchObject({ uid: memo?.uid, spec: { text: "done", about: "" }, status: { length: 4 } });
    await fixture.admin.unary(MemoServiceService.deleteMemo, { name: "memos/m1", requestId: "", validateOnly: false });
    await expect(fixture.admin.unary(MemoServiceService.getMemo, { name: "memos/m1" })).rejects.toMatchObject({
      code: status.NOT_FOUND,
      message: expect.stringContaining('list the memos with "zor get memos"'),
    });
    await fixture.restart();
    expect((await list(fixture)).memos).toEqual([]);
  });

  test("is paged, filtered and ordered", async () => {
    await using fixture = await HubFixture.start({ kinds });
    for (const id of ["m1", "m2", "m3"]) await create(fixture, id, { memo: Memo.fromPartial({ spec: { text: id } }) });
    const names = (memos: readonly Memo[]): string[] => memos.map(({ name }) => name);
    const first = await list(fixture, { pageSize: 2, orderBy: "spec.text desc" });
    expect(names(first.memos)).toEqual(["memos/m3", "memos/m2"]);
    expect(first.totalSize).toBe(3);
    const second = await list(fixture, { pageSize: 2, orderBy: "spec.text desc", pageToken: first.nextPageToken });
    expect(names(second.memos)).toEqual(["memos/m1"]);
    expect(names((await list(fixture, { filter: "spec.text = m2" })).memos)).toEqual(["memos/m2"]);
  });

  test("is only checked with validate_only, and made once for a request id", async () => {
    await using fixture = await HubFixture.start({ kinds });
    expect((await create(fixture, "m1", { validateOnly: true })).memo?.name).toBe("memos/m1");
    expect((await list(fixture)).memos).toEqual([]);
    const requestId = randomUUID();
    const { memo } = await create(fixture, "m1", { requestId });
    expect((await create(fixture, "m1", { requestId })).memo).toEqual(memo);
    await expect(create(fixture, "m1")).rejects.toMatchObject({ code: status.ALREADY_EXISTS });
  });

  test.each([
    ["a bad id", { memoId: "../x" }, "memo_id"],
    ["bad labels", { memo: Memo.fromPartial({ labels: { "a b": "c" }, spec: { text: "t" } }) }, "memo.labels"],
    ["what the kind does not like", { memo: Memo.fromPartial({}) }, "memo.spec.text"],
  ])("is refused for %s", async (_what, more, field) => {
    await using fixture = await HubFixture.start({ kinds });
    await expect(create(fixture, "m1", more)).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      violations: [expect.objectContaining({ field })],
    });
  });

  test("tells who lost a race who changed it, and when", async () => {
    await using fixture = await HubFixture.start({ kinds });
    const { memo } = await create(fixture, "m1");
    const otto = await fixture.person("otto", Role.ROLE_OPERATOR);
    const update = { memo: { name: "memos/m1", labels: { by: "otto" } }, updateMask: ["labels.by"] };
    await otto.unary(MemoServiceService.updateMemo, UpdateMemoRequest.fromPartial(update));
    const late = { memo: { ...update.memo, etag: memo?.etag ?? "" }, updateMask: ["labels"] };
    await expect(
      fixture.admin.unary(MemoServiceService.updateMemo, UpdateMemoRequest.fromPartial(late)),
    ).rejects.toMatchObject({
      code: status.ABORTED,
      reason: "ETAG_MISMATCH",
      message: expect.stringMatching(/was changed by zor:\/\/user\/otto at 20/),
    });
  });

  test("is watched, and has the roles that its methods say", async () => {
    await using fixture = await HubFixture.start({ kinds });
    const viewer = await fixture.person("vera", Role.ROLE_VIEWER);
    const request = CreateMemoRequest.fromPartial({ memoId: "m1", memo: { spec: { text: "t" } } });
    await expect(viewer.unary(MemoServiceService.createMemo, request)).rejects.toMatchObject({
      code: status.PERMISSION_DENIED,
    });
    const stop = new AbortController();
    const seen: string[] = [];
    const begun = Promise.withResolvers<void>();
    const watching = (async () => {
      const watch = WatchRequest.fromPartial({ kinds: ["memo", "event"] });
      for await (const { step } of viewer.stream(WatchServiceService.watch, watch, { signal: stop.signal })) {
        const told = step?.$case === "upsert" ? unpack(step.value) : undefined;
        if (step?.$case === "snapshotEnd") begun.resolve();
        if (told?.kind === "memo") seen.push(told.value.name);
        if (step?.$case === "removed") seen.push(`-${step.value.name}`);
      }
    })().catch(() => undefined);
    await begun.promise;
    await create(fixture, "m1");
    await fixture.admin.unary(MemoServiceService.deleteMemo, { name: "memos/m1", requestId: "", validateOnly: false });
    await expect.poll(() => seen).toEqual(["memos/m1", "-memos/m1"]);
    stop.abort();
    await watching;
  });
});

describe("a kind that lives on hosts, of which nothing in the hub knows", () => {
  const start = async (fixture: HubFixture) => {
    const host = await fixture.addHost("alpha", { serve: (server) => serveGauges(server, () => host.model) });
    await fixture.hostState("alpha", HostState.HOST_STATE_READY);
    return host;
  };
  const create = (fixture: HubFixture) =>
    fixture.admin.unary(
      GaugeServiceService.createGauge,
      CreateGaugeRequest.fromPartial({ parent: "hosts/alpha", gaugeId: "g1", gauge: { spec: { limit: 5 } } }),
    );

  test("is routed, listed and got through it", async () => {
    await using fixture = await HubFixture.start();
    await start(fixture);
    expect((await create(fixture)).gauge?.name).toBe("hosts/alpha/gauges/g1");
    const { gauge } = await fixture.admin.unary(GaugeServiceService.getGauge, { name: "hosts/alpha/gauges/g1" });
    expect(gauge?.spec?.limit).toBe(5);
    for (const parent of ["hosts/alpha", "hosts/-", ""]) {
      await expect
        .poll(async () => {
          const request = ListGaugesRequest.fromPartial({ parent });
          return (await fixture.admin.unary(GaugeServiceService.listGauges, request)).gauges.map(({ name }) => name);
        })
        .toEqual(["hosts/alpha/gauges/g1"]);
    }
    const zeroed = await fixture.admin.unary(
      GaugeServiceService.getToZero,
      GetToZeroRequest.fromPartial({ name: "hosts/alpha/gauges/g1" }),
    );
    expect(zeroed.gauge?.spec?.limit).toBe(0);
  });

  test("is answered for by what is known of it while its host is away", async () => {
    await using fixture = await HubFixture.start();
    const host = await start(fixture);
    await create(fixture);
    const list = () =>
      fixture.admin.unary(GaugeServiceService.listGauges, ListGaugesRequest.fromPartial({ parent: "hosts/-" }));
    await expect.poll(async () => (await list()).gauges.length).toBe(1);
    host.agent.kill();
    await fixture.hostState("alpha", HostState.HOST_STATE_UNREACHABLE);
    const { gauge } = await fixture.admin.unary(GaugeServiceService.getGauge, { name: "hosts/alpha/gauges/g1" });
    expect(gauge?.spec?.limit).toBe(5);
    expect((await list()).unreachable.map(({ name }) => name)).toEqual(["hosts/alpha"]);
    await expect(create(fixture)).rejects.toMatchObject({ code: status.UNAVAILABLE, reason: "HOST_NOT_READY" });
  });

  test.each([
    ["a create without a parent", { parent: "" }, "parent"],
    ["a create on all hosts", { parent: "hosts/-" }, "parent"],
  ])("refuses %s", async (_what, more, field) => {
    await using fixture = await HubFixture.start();
    await expect(
      fixture.admin.unary(GaugeServiceService.createGauge, CreateGaugeRequest.fromPartial({ gaugeId: "g", ...more })),
    ).rejects.toMatchObject({ code: status.INVALID_ARGUMENT, violations: [expect.objectContaining({ field })] });
  });

  test("refuses an update without the resource", async () => {
    await using fixture = await HubFixture.start();
    await expect(
      fixture.admin.unary(GaugeServiceService.updateGauge, UpdateGaugeRequest.fromPartial({})),
    ).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      violations: [{ field: "gauge", description: "must be given" }],
    });
  });

  test("lets only those zero it who may, though the method begins with Get", async () => {
    await using fixture = await HubFixture.start();
    const viewer = await fixture.person("vera", Role.ROLE_VIEWER);
    const request = GetToZeroRequest.fromPartial({ name: "hosts/alpha/gauges/g1" });
    await expect(viewer.unary(GaugeServiceService.getToZero, request)).rejects.toMatchObject({
      code: status.PERMISSION_DENIED,
    });
  });
});

/** Gauges of a scripted agent: records in its log. */
function serveGauges(server: GuardedServer, model: () => FakeHostModel): void {
  const find = (name: string): Gauge => {
    const found = model().log.find("gauge", name);
    if (found === undefined) throw notFound(name);
    return Gauge.fromPartial(found);
  };
  const put = (gauge: Gauge): { gauge: Gauge } => {
    model().log.upsert({ kind: "gauge", value: gauge });
    return { gauge };
  };
  server.addService(
    GaugeServiceService,
    implementService(
      GaugeServiceService,
      {
        createGauge: async ({ parent, gaugeId, gauge }) =>
          put(Gauge.fromPartial({ ...gauge, name: `${parent}/gauges/${gaugeId}`, uid: randomUUID() })),
        getGauge: async ({ name }) => ({ gauge: find(name) }),
        listGauges: async () => ({ gauges: [], nextPageToken: "", totalSize: 0, unreachable: [] }),
        updateGauge: async ({ gauge }) => put(Gauge.fromPartial({ ...find(gauge?.name ?? ""), ...gauge })),
        deleteGauge: async ({ name }) => {
          model().log.remove("gauge", name);
          return {};
        },
        getToZero: async ({ name }) => put({ ...find(name), spec: { lan: "", limit: 0 } }),
      },
      { authorize },
    ),
  );
}
