import { status } from "@grpc/grpc-js";
import { expect, it } from "vitest";
import type { ReadyAgent } from "../../../../hub/fleet/session.js";
import { ofHost } from "../../../../hub/kit/of-host.js";
import { ZorError } from "../../../../lib/errors.js";

const address = "10.0.0.7:7443";
// Only the address of the connection is looked at.
const agent = { connection: { address } } as unknown as ReadyAgent;

const error = (code: status, resource: string): ZorError =>
  new ZorError({ reason: "NO_CONNECTION", code, message: `${address} is not there`, resource });

it.each([
  ["went away", status.UNAVAILABLE, /^the agent of hosts\/alpha went away during the call \(.*\): it may have been/],
  ["is silent", status.DEADLINE_EXCEEDED, /^the agent of hosts\/alpha did not answer in time \(.*\); a change that/],
  ["is old", status.UNIMPLEMENTED, /^the agent of hosts\/alpha does not know this call: it is of an older version/],
])("an agent that %s is told as its host", (_, code, message) => {
  const told = ofHost(error(code, address), agent, "alpha");
  expect(told).toMatchObject({ code, resource: "hosts/alpha", message: expect.stringMatching(message) });
});

it.each([
  ["what the agent says itself", error(status.UNAVAILABLE, "hosts/alpha/instances/vm1")],
  ["what is not about the connection", error(status.INVALID_ARGUMENT, address)],
  ["what is no error of ours", new Error("x")],
])("%s stays as it is", (_, original) => {
  expect(ofHost(original, agent, "alpha")).toBe(original);
});
