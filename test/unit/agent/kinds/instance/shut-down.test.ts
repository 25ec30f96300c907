import { once } from "node:events";
import { expect, it } from "vitest";
import { shutDownGuest } from "../../../../../agent/kinds/instance/shut-down.js";
import { EndKind } from "../../../../../proto/gen/zor/v1/instance.js";

const name = "hosts/h/instances/m";

function shutDown(lastEnd: { kind: EndKind; signal: number; text: string } | undefined, ended = true): Promise<void> {
  return shutDownGuest(name, {
    ask: async () => undefined,
    waitForEnd: async (signal) => {
      if (!ended) await once(signal, "abort");
      return ended;
    },
    giveUp: async () => undefined,
    lastEnd: () => lastEnd,
    timeoutMs: ended ? 60_000 : 10,
    signal: new AbortController().signal,
  });
}

it.each([
  ["was asked to", { kind: EndKind.END_KIND_REQUESTED, signal: 0, text: "" }],
  ["shut down by itself", { kind: EndKind.END_KIND_GUEST_SHUTDOWN, signal: 0, text: "" }],
  ["ended with an exit code", { kind: EndKind.END_KIND_EXIT_CODE, signal: 0, text: "" }],
  ["ended by the signal that asks for it", { kind: EndKind.END_KIND_SIGNAL, signal: 15, text: "" }],
  ["ended as nobody knows how", undefined],
])("is done with one that %s", async (_how, end) => {
  await expect(shutDown(end)).resolves.toBeUndefined();
});

it.each([
  EndKind.END_KIND_SIGNAL,
  EndKind.END_KIND_OUT_OF_MEMORY,
  EndKind.END_KIND_HOST_OUT_OF_MEMORY,
  EndKind.END_KIND_GUEST_PANIC,
  EndKind.END_KIND_WATCHDOG,
  EndKind.END_KIND_RUNTIME_ERROR,
])("tells of an end of kind %i that it is no shutdown, with how it was and what to do", async (kind) => {
  await expect(shutDown({ kind, signal: 9, text: "QEMU was killed" })).rejects.toMatchObject({
    reason: "DID_NOT_SHUT_DOWN",
    message: expect.stringMatching(
      /m ended before it had shut down: QEMU was killed; .* start it again with: zor start/,
    ),
  });
});

it("tells of one that does not end", async () => {
  await expect(shutDown(undefined, false)).rejects.toMatchObject({ reason: "GUEST_DID_NOT_SHUT_DOWN" });
});
