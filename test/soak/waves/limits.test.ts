import { expect, onTestFinished, test } from "vitest";
import type { Connection } from "../../../lib/grpc/connection.js";
import { CancelOperationRequest, OperationServiceService } from "../../../proto/gen/zor/v1/operation_service.js";
import { CreateHostRequest, HostServiceService } from "../../../proto/gen/zor/v1/host_service.js";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import { ViewServiceService, WatchViewRequest } from "../../../proto/gen/zor/v1/view_service.js";
import { WaveSpec } from "../../../proto/gen/zor/v1/wave.js";
import { StartWaveRequest, WaveServiceService as service } from "../../../proto/gen/zor/v1/wave_service.js";
import { join } from "../../../lib/tls/join.js";
import { WaveRig } from "./wave-rig.js";

/** Watches a wave until the test ends, or it does; resolves with its first word. */
async function watched(connection: Connection, name: string): Promise<void> {
  const ending = new AbortController();
  onTestFinished(() => ending.abort());
  const stream = connection.stream(service.watchWave, { name }, { signal: ending.signal })[Symbol.asyncIterator]();
  await stream.next();
  void (async () => {
    for (let next = await stream.next(); next.done !== true; next = await stream.next());
  })().catch(() => undefined);
}

test("one caller's waves, their calls and their watchers take nobody else's room", async () => {
  const rig = await WaveRig.start(2, 160);
  const [ana, bob, eve] = [
    await rig.person("ana", Role.ROLE_OPERATOR),
    await rig.person("bob", Role.ROLE_OPERATOR),
    await rig.person("eve", Role.ROLE_VIEWER),
  ];
  rig.hold();
  const [own, others] = [rig.names.slice(0, 310), rig.names.slice(310)];
  const begun: string[] = [];
  for (let at = 0; at < 10; at += 1) {
    begun.push(await rig.begin({ names: own.slice(31 * at, 31 * (at + 1)), maxParallel: 31 }, ana));
  }
  await expect(rig.begin({ names: [...own].slice(0, 1) }, ana)).rejects.toMatchObject({
    reason: "TOO_MANY_WAVES",
    message: expect.stringMatching(/10 waves of zor:\/\/user\/ana run already; cancel one/),
  });
  await rig.untilAsked(128);
  // All that she may have under way is; bob's go on.
  const his = await rig.begin({ names: others }, bob);
  await rig.untilAsked(128 + 8);

  // A viewer looks at as many as a caller may watch, and keeps nobody else from it.
  let refusal: unknown;
  for (let at = 0; at < 80 && refusal === undefined; at += 1) {
    await watched(eve, begun[at % 10] ?? "").catch((error: unknown) => {
      refusal = error;
    });
  }
  expect(refusal).toMatchObject({ message: expect.stringMatching(/watches/) });
  await watched(bob, his);

  const [cancelled = ""] = begun;
  await ana.unary(OperationServiceService.cancelOperation, CancelOperationRequest.fromPartial({ name: cancelled }));
  const beganMs = performance.now();
  let told = 0;
  const count = (async () => {
    for await (const _ of rig.admin.stream(service.watchWave, { name: begun[5] ?? "" })) told += 1;
    return performance.now() - beganMs;
  })();
  rig.release();
  for (const name of [...begun.slice(1), his]) expect((await rig.ended(name)).state).toBe("SUCCEEDED");
  expect((await rig.ended(cancelled)).state).toBe("CANCELLED");
  // Four times a second at most, however much changes.
  expect(told).toBeLessThanOrEqual(2 + (await count) / 250);
  expect([...rig.done.values()].every((each) => each === 1)).toBe(true);
  await rig.begin({ names: [...own].slice(0, 1) }, ana);
});

test("who only looks, and a host of the lab, begin, pause, cancel and learn nothing that is not theirs", async () => {
  const rig = await WaveRig.start(1, 4);
  const eve = await rig.person("eve", Role.ROLE_VIEWER);
  const { joinToken } = await rig.admin.unary(
    HostServiceService.createHost,
    CreateHostRequest.fromPartial({ hostId: "bad" }),
  );
  const facts = { addresses: [], underlayAddresses: [], undialable: true, uid: "bad" };
  const { identity } = await join(joinToken, { host: facts });
  const host = rig.as(identity);
  rig.hold();
  const secret = Buffer.from([24, 1]);
  const name = await rig.begin({ maxParallel: 1, request: secret });
  await rig.untilAsked(1);

  const spec = WaveSpec.fromPartial({ method: "zor.v1.InstanceService/StopInstance", names: [...rig.names] });
  const start = StartWaveRequest.fromPartial({ spec });
  const stop = { name, requestId: "" };
  for (const stranger of [eve, host]) {
    const denied = { reason: "PERMISSION_DENIED" };
    await expect(stranger.unary(service.startWave, start)).rejects.toMatchObject(denied);
    await expect(stranger.unary(service.pauseWave, stop)).rejects.toMatchObject(denied);
    await expect(stranger.unary(service.resumeWave, stop)).rejects.toMatchObject(denied);
    await expect(stranger.unary(OperationServiceService.cancelOperation, stop)).rejects.toMatchObject(denied);
  }
  await expect(host.unary(service.getWave, { name })).rejects.toMatchObject({ reason: "PERMISSION_DENIED" });
  const seen = await eve.unary(service.getWave, { name });
  expect(seen.wave?.spec).toMatchObject({ names: [...rig.names], request: Buffer.alloc(0) });
  for await (const { wave } of eve.stream(service.watchWave, { name })) {
    expect(wave?.spec?.request).toEqual(Buffer.alloc(0));
    break;
  }
  expect((await rig.wave(name)).spec?.request).toEqual(secret);

  // What nothing may be a wave of, whoever asks.
  const names = [...rig.names];
  for (const method of [
    "zor.v1.ShellService/OpenShell",
    "zor.v1.WaveService/StartWave",
    "zor.agent.v1.AgentService/SetRevocations",
    "zor.agent.v1.CableService/EnsureEnd",
    "__proto__/constructor",
  ]) {
    const wanted = WaveSpec.fromPartial({ method, names });
    await expect(
      rig.admin.unary(service.startWave, StartWaveRequest.fromPartial({ spec: wanted })),
      method,
    ).rejects.toMatchObject({
      code: expect.any(Number),
    });
  }
  rig.release();
  expect((await rig.ended(name)).state).toBe("SUCCEEDED");
});

test("queries that are made to be slow, and fields that are made up, keep nobody waiting", async () => {
  const rig = await WaveRig.start(2, 200);
  const eve = await rig.person("eve", Role.ROLE_VIEWER);
  const opened: Promise<unknown>[] = [];
  const view = (connection: Connection, change: Partial<WatchViewRequest>): Promise<unknown> => {
    const ending = new AbortController();
    onTestFinished(() => ending.abort());
    const request = WatchViewRequest.fromPartial({ kinds: ["instance"], ...change });
    return connection
      .stream(ViewServiceService.watchView, request, { signal: ending.signal })
      [Symbol.asyncIterator]()
      .next();
  };
  for (let at = 0; at < 60; at += 1) {
    const columns = Array.from({ length: 32 }, (_, column) => `label.x${at}-${column}`);
    const query = at % 2 === 0 ? `name~"(v+)+(m+)+x${at}$"` : `not name~"(.*a){12}${at}" sort by label.y${at}`;
    opened.push(view(eve, { query, columns }).catch((error: unknown) => error));
  }
  const seen = await view(rig.admin, { query: "host=h1 sort by name", columns: ["label.site", "state", "cpus"] });
  expect(seen).toMatchObject({ done: false, value: { totals: { matched: 200 } } });
  const answers = await Promise.all(opened);
  expect(answers.filter((each) => each instanceof Error).length).toBeGreaterThan(0);
  for (const each of answers) {
    if (each instanceof Error) expect(each).toMatchObject({ reason: expect.stringMatching(/^(TOO_MANY|INVALID)/) });
  }
  // An operator has room, and waves go on.
  const ana = await rig.person("ana", Role.ROLE_OPERATOR);
  expect(await view(ana, { columns: Array.from({ length: 32 }, (_, at) => `label.own${at}`) })).toMatchObject({
    done: false,
  });
  const name = await rig.begin({ names: [...rig.names].slice(0, 100) }, ana);
  expect((await rig.ended(name)).state).toBe("SUCCEEDED");
});
