import { status } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { ZorError } from "../../../../lib/errors.js";
import { Host, HostState } from "../../../../proto/gen/zor/v1/host.js";
import { waitUntilReady } from "../../../../tui/cli/install/fleet-side.js";
import type { Session } from "../../../../tui/cli/session.js";

/** A session whose hub answers so, one after the other. */
function sessionOf(...answers: readonly (Host | ZorError)[]): {
  readonly session: Session;
  readonly asked: () => number;
} {
  let at = 0;
  const call = async () => {
    const answer = answers[at++];
    if (answer instanceof ZorError) throw answer;
    return { host: answer };
  };
  // All of a session that is used here.
  const session = { call, io: { signal: new AbortController().signal } } as unknown as Session;
  return { session, asked: () => at };
}
const silent = (code: status) => new ZorError({ reason: "X", code, message: "10.0.0.5:7440 did not answer" });
const host = (state: HostState, agentPid = 7n) => Host.fromPartial({ name: "hosts/alpha", state, agentPid });
const ready = HostState.HOST_STATE_READY;

test("a hub that does not answer is asked again, and so is one that has not the new agent yet", async () => {
  const { session, asked } = sessionOf(
    silent(status.DEADLINE_EXCEEDED),
    silent(status.UNAVAILABLE),
    host(ready, 6n),
    host(HostState.HOST_STATE_UNREACHABLE),
    host(ready),
  );
  expect(await waitUntilReady(session, "hosts/alpha", 7n)).toMatchObject({ name: "hosts/alpha", agentPid: 7n });
  expect(asked()).toBe(5);
});

test("what the hub refuses is not asked again", async () => {
  const { session, asked } = sessionOf(silent(status.PERMISSION_DENIED), host(ready));
  await expect(waitUntilReady(session, "hosts/alpha", undefined)).rejects.toThrow("did not answer");
  expect(asked()).toBe(1);
});
