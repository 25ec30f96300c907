import { describe, expect, it } from "vitest";
import { headerLines } from "../../../../tui/app/header.js";

import type { Session } from "../../../../tui/kit/model.js";
import { makeProgram } from "../program.js";

/** The first line at a width, of a program that is connected. */
function connection(session: Partial<Session>, width: number): string {
  const { model } = makeProgram(session);
  model.fleet.setConnection({ phase: "live", sinceMs: model.nowMs, retryAtMs: undefined, reason: "" }, model.nowMs);
  const [first = []] = headerLines(model, width);
  return first.map(({ text }) => text).join("");
}

describe("the header past a hub", () => {
  const session = { context: "lab-with-a-long-name-alpha", address: "198.18.35.146:7443", agentOf: "alpha" };

  it("has the agent and its address where there is room", () => {
    expect(connection(session, 120)).toContain("agent of alpha, 198.18.35.146:7443");
  });

  it("has that it is one host's agent where there is none for its address", () => {
    const line = connection(session, 80);
    expect(line).toContain("  agent of alpha ");
    expect(line).not.toContain("198.18");
  });

  it("has the context alone where there is no room for either", () => {
    const line = connection({ ...session, context: "a-context-that-is-forty-characters-long-" }, 80);
    expect(line).not.toContain("agent of");
  });
});
