import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Calls } from "../../../../lib/grpc/connection.js";
import { CaptureResponse } from "../../../../proto/gen/zor/v1/capture_service.js";
import { followCapture, type PassedFrame } from "../../../../tui/client/captures/watch-frames.js";
import { framesAt } from "../../../helpers/packet-blocks.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const second = 1_000_000_000n;

/** A host that says what it is told to, when it is told to. */
function slowHost() {
  const said: CaptureResponse[] = [];
  let wake = (): void => undefined;
  const asked: bigint[] = [];
  async function* answers(): AsyncGenerator<CaptureResponse> {
    for (;;) {
      const next = said.shift();
      if (next !== undefined) {
        yield next;
        if (next.message?.$case === "ended") return;
      } else await new Promise<void>((resolve) => (wake = resolve));
    }
  }
  const connection = {
    stream: (_method: unknown, request: { readonly nextPacket: bigint }) => {
      asked.push(request.nextPacket);
      return answers();
    },
    unary: async () => ({}),
  } as unknown as Calls;
  let first = 0n;
  /** Says these, and waits until they were taken. */
  const say = async (...messages: readonly CaptureResponse["message"][]): Promise<void> => {
    said.push(...messages.map((message) => CaptureResponse.fromPartial({ message })));
    wake();
    await vi.advanceTimersByTimeAsync(0);
  };
  const packets = (sent: Buffer, count: number, completeSeconds: number): CaptureResponse["message"] => {
    const value = { first, count, blocks: sent, completeNanos: BigInt(completeSeconds) * second };
    first += BigInt(count);
    return { $case: "packets", value };
  };
  const started: CaptureResponse["message"] = { $case: "started", value: { captureId: "c1", startTime: undefined } };
  const at = (number: number): CaptureResponse["message"] => {
    const endpoint = `hosts/alpha/instances/vm${number}/nics/eth0`;
    return { $case: "interface", value: { number, target: "hosts/alpha/lans/lan1", endpoint, device: `zp${number}` } };
  };
  const ended: CaptureResponse["message"] = { $case: "ended", value: { reason: "enough", figures: undefined } };
  return { connection, say, packets, started, at, ended, asked };
}

function follow(connection: Calls) {
  const told: string[] = [];
  const frames: PassedFrame[] = [];
  const end = followCapture({ host: "alpha", connection, request: {} }, new AbortController().signal, {
    onRunning: (isRunning) => told.push(isRunning ? "runs" : "away"),
    onInterface: (place) => told.push(place),
    onFrames: (more) => frames.push(...more),
    onLost: () => undefined,
    onNotice: () => undefined,
  });
  const seen = () => frames.map(({ at, timeUs }) => `${timeUs / 1e6}@${at}`);
  return { told, seen, end };
}

it("tells that the host captures when it has said so, and not before", async () => {
  const host = slowHost();
  const { told } = follow(host.connection);
  await vi.advanceTimersByTimeAsync(30_000);
  expect(host.asked).toEqual([0n]);
  expect(told).toEqual([]);
  await host.say(host.started);
  await vi.advanceTimersByTimeAsync(30_000);
  expect(told).toEqual(["runs"]);
  await host.say(host.at(0));
  expect(told).toEqual(["runs", "alpha/vm0/eth0"]);
});

it("tells frames of several ports in the order of their times, though an answer came before its question", async () => {
  const host = slowHost();
  const { seen } = follow(host.connection);
  await host.say(host.started, host.at(0), host.at(1));
  await host.say(host.packets(framesAt(1, 101, 103, 105), 3, 100));
  expect(seen()).toEqual([]);
  await host.say(host.packets(framesAt(0, 100, 102, 104), 3, 104));
  expect(seen()).toEqual(["100@0", "101@1", "102@0", "103@1"]);
  await host.say(host.packets(Buffer.alloc(0), 0, 106));
  expect(seen().slice(4)).toEqual(["104@0", "105@1"]);
});

it("tells those of one port at once, and waits no longer than a moment for a host that says nothing more", async () => {
  const host = slowHost();
  const { seen } = follow(host.connection);
  await host.say(host.started, host.at(0));
  await host.say(host.packets(framesAt(0, 100, 101), 2, 0));
  expect(seen()).toEqual(["100@0", "101@0"]);
  await host.say(host.at(1));
  await host.say(host.packets(framesAt(1, 110), 1, 0));
  await vi.advanceTimersByTimeAsync(499);
  expect(seen()).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(1);
  expect(seen().slice(2)).toEqual(["110@1"]);
  // What comes too late for its place is not lost.
  await host.say(host.packets(framesAt(0, 109), 1, 120));
  expect(seen().slice(3)).toEqual(["109@0"]);
});

it("loses nothing of what waits when the capture ends", async () => {
  const host = slowHost();
  const { seen, end } = follow(host.connection);
  await host.say(host.started, host.at(0), host.at(1));
  await host.say(host.packets(framesAt(1, 101), 1, 0), host.packets(framesAt(0, 100), 1, 0), host.ended);
  expect(await end).toBe("enough");
  expect(seen()).toEqual(["100@0", "101@1"]);
  expect(vi.getTimerCount()).toBe(0);
});
