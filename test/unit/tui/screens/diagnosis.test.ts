import { status } from "@grpc/grpc-js";
import { describe, expect, it, vi } from "vitest";
import { ZorError } from "../../../../lib/errors.js";
import { type DiagnosedHop, type DiagnoseLinkResponse, HopVerdict } from "../../../../proto/gen/zor/v1/link_service.js";
import { DiagnosisScreen } from "../../../../tui/screens/diagnosis/diagnosis-screen.js";
import { eventually } from "../../../helpers/eventually.js";
import { makeProgram, type TestProgram } from "../program.js";
import { feedFleet } from "../steps.js";

function hop(value: DiagnosedHop): DiagnoseLinkResponse {
  return { message: { $case: "hop", value } };
}

const ok = hop({
  host: "hosts/alpha",
  hop: "lan",
  verdict: HopVerdict.HOP_VERDICT_OK,
  detail: "lan1 is there",
  remedy: "",
});
const broken = hop({
  host: "hosts/beta",
  hop: "engine",
  verdict: HopVerdict.HOP_VERDICT_BROKEN,
  detail: "no answer",
  remedy: "restart the agent of beta",
});
const conclusion: DiagnoseLinkResponse = {
  message: {
    $case: "diagnosis",
    value: { healthy: false, summary: "the engine of beta does not run", remedy: "restart the agent of beta" },
  },
};

function onLinks(session: Parameters<typeof makeProgram>[0] = {}): TestProgram {
  const program = makeProgram(session);
  feedFleet(program.model, { hosts: 2, instancesPerHost: 1, nowMs: program.model.nowMs });
  program.press("4");
  return program;
}

function shown({ model }: TestProgram): string {
  if (!(model.screen instanceof DiagnosisScreen))
    throw new Error(`a diagnosis was expected, not ${model.screen.title()}`);
  const { lines } = model.screen.draw(80, 100);
  return lines.map(({ line }) => line.map((segment) => segment.text).join("")).join("\n");
}

/** A step of a stream that waits until it is let go. */
function gate(): { readonly step: () => Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { step: () => promise, open: resolve };
}

describe("the diagnosis of a link", () => {
  it("shows each hop as it comes, then the conclusion with what to do", async () => {
    const program = onLinks();
    const rest = gate();
    program.gateway.diagnosis = [ok, rest.step, broken, conclusion];
    program.press("D");
    await eventually(() => expect(shown(program)).toMatch(/● alpha lan +lan1 is there/));
    expect(shown(program)).toMatch(/conclusion +◐ not yet/);
    expect(shown(program)).toContain("testing the next hop");
    rest.open();
    await eventually(() => expect(shown(program)).toMatch(/conclusion +✗ the engine of beta does not run/));
    expect(shown(program)).toMatch(/✗ beta engine +BROKEN: no answer\n +→ restart the agent of beta/);
    expect(shown(program)).not.toContain("testing the next hop");
    expect(program.gateway.calls).toEqual(["diagnose links/link1"]);
  });

  it("has what is wrong before what works when it is done: the cause needs no scrolling", async () => {
    const program = onLinks();
    const rest = gate();
    const works = Array.from({ length: 20 }, () => ok);
    program.gateway.diagnosis = [...works, broken, rest.step, conclusion];
    program.press("D");
    // In the order of the cable while it goes on: nothing that is read jumps.
    await eventually(() => expect(shown(program)).toMatch(/Hops \(21\)\n +● alpha lan[\s\S]*✗ beta engine/));
    rest.open();
    await eventually(() =>
      expect(shown(program)).toMatch(/Wrong \(1\)\n +✗ beta engine[\s\S]*Works \(20\)\n +● alpha/),
    );
    const { model } = program;
    const seen = model.screen.draw(80, 18).lines;
    expect(JSON.stringify(seen)).toContain("✗ beta engine");
  });

  it("is made anew with the same key, and not twice at a time", async () => {
    const program = onLinks();
    const rest = gate();
    program.gateway.diagnosis = [rest.step, conclusion];
    program.press("D", "D");
    expect(program.model.notice?.text).toContain("still testing");
    rest.open();
    await eventually(() => expect(shown(program)).toContain("✗ the engine"));
    program.press("D");
    expect(program.gateway.calls).toEqual(["diagnose links/link1", "diagnose links/link1"]);
    expect(program.model.screens).toHaveLength(2);
  });

  it("ends when its screen is left", async () => {
    const program = onLinks();
    const rest = gate();
    const asked = vi.spyOn(program.gateway, "diagnose");
    program.gateway.diagnosis = [rest.step, conclusion];
    program.press("D");
    const signal = asked.mock.calls[0]?.[1];
    expect(signal?.aborted).toBe(false);
    program.press("esc");
    expect(signal?.aborted).toBe(true);
    rest.open();
  });

  it("says why it could not be made", async () => {
    const program = onLinks({ readOnly: true });
    program.gateway.failure = new ZorError({ reason: "X", code: status.UNIMPLEMENTED, message: "no", resource: "" });
    program.press("D");
    await eventually(() => expect(shown(program)).toMatch(/failed +✗ this hub cannot test links/));
  });

  it("is not taken for complete when the stream ends without a conclusion", async () => {
    const program = onLinks();
    program.gateway.diagnosis = [ok];
    program.press("D");
    await eventually(() => expect(shown(program)).toContain("ended it without a conclusion"));
  });
});
