import { expect, test } from "vitest";
import { OperationServiceService } from "../../../proto/gen/zor/v1/operation_service.js";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import { WaveServiceService as service } from "../../../proto/gen/zor/v1/wave_service.js";
import { WaveRig } from "./wave-rig.js";

const sum = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((all, each) => all + each, 0);

test("a hub that is killed again and again in the middle of a wave has each asked for once, but for what it had no answer of", async () => {
  const rig = await WaveRig.start(3, 12);
  rig.hold();
  const name = await rig.begin({ maxParallel: 4 });
  const kills = 4;
  let asked = 4;
  for (let kill = 0; kill < kills; kill += 1) {
    await rig.untilAsked(asked);
    await rig.kill();
    // Agents do what they were asked for while nobody listens.
    rig.release();
    await expect.poll(() => sum(rig.done)).toBe(4 * (kill + 1));
    rig.hold();
    await rig.back();
    // The four that it had no answer of are asked for again and recognised; four others begin and are held.
    asked += 8;
  }
  await rig.untilAsked(asked);
  rig.release();
  expect(await rig.ended(name)).toEqual({ state: "SUCCEEDED", why: "" });
  expect(await rig.states(name)).toEqual({ SUCCEEDED: 36 });
  // Each was done once; what was asked for twice was asked for with the same request id.
  expect([...rig.done.values()]).toEqual(Array(36).fill(1));
  expect(rig.requestIds).toBe(36);
  expect([...rig.asked.values()].filter((each) => each === 2)).toHaveLength(4 * kills);
  expect(sum(rig.asked)).toBe(36 + 4 * kills);
});

test("a wave that was cancelled stays so over a crash: what was under way ends, nothing else begins", async () => {
  const rig = await WaveRig.start(2, 10);
  rig.hold();
  const name = await rig.begin({ maxParallel: 4 });
  await rig.untilAsked(4);
  await rig.admin.unary(OperationServiceService.cancelOperation, { name, requestId: "" });
  await rig.kill();
  rig.release();
  await rig.back();
  expect((await rig.ended(name)).state).toBe("CANCELLED");
  expect(await rig.states(name)).toEqual({ SUCCEEDED: 4, SKIPPED: 16 });
  expect([rig.done.size, rig.asked.size]).toEqual([4, 4]);
  // Cancelled once more, it does not wait for what a host never tells the end of.
  rig.hold();
  const other = await rig.begin({ names: rig.names.filter((each) => !rig.asked.has(each)), maxParallel: 2 });
  await rig.untilAsked(4 + 4 + 2);
  for (let time = 0; time < 2; time += 1)
    await rig.admin.unary(OperationServiceService.cancelOperation, { name: other, requestId: "" });
  expect((await rig.ended(other)).state).toBe("CANCELLED");
  expect(await rig.states(other)).toEqual({ UNCONFIRMED: 2, SKIPPED: 14 });
  rig.release();
  // Also the crash after its end changes nothing.
  await rig.kill();
  await rig.back();
  expect(await rig.states(name)).toEqual({ SUCCEEDED: 4, SKIPPED: 16 });
  expect(rig.asked.size).toBe(6);
});

test("a wave of somebody whose identity is revoked begins nothing more, not even what a killed hub had no answer of", async () => {
  const rig = await WaveRig.start(2, 10);
  const ana = await rig.person("ana", Role.ROLE_OPERATOR);
  rig.hold();
  const name = await rig.begin({ maxParallel: 3 }, ana);
  await rig.untilAsked(3);
  await rig.revoke("ana");
  rig.release();
  expect(await rig.ended(name)).toMatchObject({
    state: "FAILED",
    why: expect.stringMatching(/zor:\/\/user\/ana.*was revoked/),
  });
  expect(await rig.states(name)).toEqual({ SUCCEEDED: 3, SKIPPED: 17 });
  await expect(ana.unary(service.getWave, { name })).rejects.toThrow();
  // Nobody takes a wave over that has ended.
  await expect(rig.admin.unary(service.resumeWave, { name, requestId: "" })).rejects.toMatchObject({
    reason: "OPERATION_ENDED",
  });

  const bob = await rig.person("bob", Role.ROLE_OPERATOR);
  rig.hold();
  const rest = rig.names.filter((each) => !rig.asked.has(each));
  const other = await rig.begin({ names: rest, maxParallel: 3 }, bob);
  await rig.untilAsked(6);
  await rig.revoke("bob");
  await rig.kill();
  rig.release();
  await rig.back();
  expect(await rig.ended(other)).toMatchObject({ state: "FAILED", why: expect.stringMatching(/zor:\/\/user\/bob/) });
  expect(await rig.states(other)).toEqual({ UNCONFIRMED: 3, SKIPPED: 14 });
  expect(sum(rig.asked)).toBe(6);
});
