import { status } from "@grpc/grpc-js";
import { expect, test, vi } from "vitest";
import { callItem, isUnsure } from "../../../../../hub/kit/waves/item-call.js";
import type { InnerCalls } from "../../../../../hub/kit/waves/inner-calls.js";
import { failedPrecondition, ZorError } from "../../../../../lib/errors.js";
import type { AnyMethod } from "../../../../../lib/kinds/codecs.js";
import { InstanceServiceService } from "../../../../../proto/gen/zor/v1/instance_service.js";
import { OperationState } from "../../../../../proto/gen/zor/v1/operation.js";
import { Role } from "../../../../../proto/gen/zor/v1/token_service.js";

// Nothing is waited for: each wait is as long as a test says.
let waitMs = 1_000;
let nowMs = 0;
vi.mock("node:timers/promises", () => ({
  setTimeout: async () => {
    nowMs += waitMs;
  },
}));
vi.spyOn(performance, "now").mockImplementation(() => nowMs);

const method = InstanceServiceService.stopInstance as unknown as AnyMethod;
const running = { name: "operations/o", target: "hosts/a/instances/vm", state: OperationState.OPERATION_STATE_RUNNING };
const done = { ...running, state: OperationState.OPERATION_STATE_SUCCEEDED };
const unavailable = (reason: string): ZorError =>
  new ZorError({ reason, code: status.UNAVAILABLE, message: `${reason} of hosts/a`, resource: "hosts/a" });
const [lost, away] = [unavailable("HOST_LOST"), unavailable("HOST_NOT_READY")];

/** Makes the call of one resource, with these answers, the last again and again; resolves to what was told, and the end. */
async function call(
  answers: readonly unknown[],
  given: { readonly isAskedAgain?: boolean; readonly waitMs?: number } = {},
): Promise<{ readonly told: readonly string[]; readonly end: unknown }> {
  waitMs = given.waitMs ?? 1_000;
  const told: string[] = [];
  const left = [...answers];
  const calls: Pick<InnerCalls, "call"> = {
    call: async () => {
      const answer = left.length > 1 ? left.shift() : left[0];
      if (answer instanceof Error) throw answer;
      return answer;
    },
  };
  const by = {
    ...{ calls: calls as InnerCalls, permit: () => undefined, signal: new AbortController().signal },
    caller: { identity: "zor://user/ana", kind: "user", id: "ana", role: Role.ROLE_OPERATOR } as const,
    isAskedAgain: given.isAskedAgain ?? false,
    waits: (error: ZorError, mayBeDone: boolean) => void told.push(`${error.reason} ${mayBeDone}`),
    answered: () => void told.push("answered"),
  };
  const end = await callItem(method, {}, by, (name) => told.push(name)).catch((error: unknown) => error);
  return { told, end };
}

test("a host that is lost in the middle is asked again, and what it then says counts", async () => {
  expect(await call([lost, away, { operation: done }])).toEqual({
    told: ["HOST_LOST true", "HOST_LOST true", "answered", "operations/o"],
    end: undefined,
  });
  const refused = failedPrecondition("NOT_RUNNING", "hosts/a/instances/vm", "it is stopped");
  expect((await call([lost, refused])).end).toBe(refused);
});

test("one that does not come back leaves open whether it was done, also when it was not there any more in the end", async () => {
  const { told, end } = await call([lost, away], { waitMs: 100_000 });
  expect(told).toEqual(["HOST_LOST true", "HOST_LOST true", "HOST_LOST true", "HOST_LOST true"]);
  expect(isUnsure(end)).toBe(true);
  expect(end).toMatchObject({
    resource: "hosts/a",
    message: expect.stringMatching(/may have been carried out or not/),
  });
});

test("one that was never there has not done anything, and is waited for only as long as an agent takes to start", async () => {
  const { told, end } = await call([away], { waitMs: 40_000 });
  expect(told).toEqual(["HOST_NOT_READY false", "HOST_NOT_READY false"]);
  expect([end, isUnsure(end)]).toEqual([away, false]);
});

test("what an earlier run has asked for may be done, although the host was not there since", async () => {
  const { told, end } = await call([away], { isAskedAgain: true, waitMs: 200_000 });
  expect(told).toEqual(["HOST_LOST true", "HOST_LOST true"]);
  expect(isUnsure(end)).toBe(true);
});

test("an operation that has begun is waited for through a loss of its host, from when it was lost", async () => {
  expect(await call([{ operation: running }, away, { operation: running }, lost, { operation: done }])).toEqual({
    told: ["operations/o", "HOST_LOST true", "answered", "HOST_LOST true", "answered"],
    end: undefined,
  });
  const { end } = await call([{ operation: running }, away], { waitMs: 200_000 });
  expect(isUnsure(end)).toBe(true);
});
