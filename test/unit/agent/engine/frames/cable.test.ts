import { closeSync } from "node:fs";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { Cable } from "../../../../../agent/engine/frames/cable.js";
import { frameType, headerBytes, probeBytes } from "../../../../../agent/engine/frames/frame.js";
import { counter, createCounters } from "../../../../../agent/engine/impair/counters.js";
import { ChunkPool, maxFrameBytes } from "../../../../../agent/engine/impair/frame-queue.js";
import { noImpairment } from "../../../../../agent/engine/impair/settings.js";
import { send } from "../../../../../lib/net/socket-calls.js";
import { read, write } from "../../../../../agent/engine/native.js";
import { createStats } from "../../../../../agent/engine/frames/stats.js";
import { setTapOffload } from "../../../../../agent/engine/frames/tap.js";
import type { CableReport } from "../../../../../agent/engine/threads/cable-orders.js";
import { NativeMemory, SystemCallError } from "../../../../../lib/libc.js";
import { framed, socketPair } from "./frame-rig.js";

// The tap of these tests is a socket, which has no offloads.
vi.mock(import("../../../../../agent/engine/frames/tap.js"), async (original) => ({
  ...(await original()),
  setTapOffload: vi.fn(),
}));

const EBADFD = 77;

describe("a cable in its worker", () => {
  let cable: Cable;
  let events: CableReport[];
  let lan: number;
  const counters = createCounters();
  const memory = new NativeMemory(256 * 1024);

  beforeEach(() => {
    vi.mocked(setTapOffload).mockReset();
    const [outside, tapFd] = socketPair("frames");
    onTestFinished(() => {
      cable.remove("the test is over");
      for (const fd of [outside, tapFd]) closeSync(fd);
    });
    lan = outside;
    events = [];
    counters.fill(0);
    cable = new Cable({
      ...{ id: 1, tapFd, tapName: "zt", stats: createStats(), counters, pool: new ChunkPool() },
      scratch: new NativeMemory(maxFrameBytes),
      report: (event) => events.push(event),
    });
  });

  /** Attaches a connection; the peer's side of it. */
  function attach(number: number, nowMs: number): number {
    const [fd, peer] = socketPair("stream");
    cable.attach(number, { fd, leftover: new Uint8Array(0), tls: undefined, offload: "tso" }, nowMs);
    return peer;
  }

  function say(peer: number, bytes: Buffer): void {
    memory.buffer.set(bytes);
    expect(send(peer, memory.address, bytes.length, 0)).toBe(bytes.length);
  }

  const ofType = <Type extends CableReport["type"]>(type: Type) =>
    events.filter((event): event is Extract<CableReport, { type: Type }> => event.type === type);

  test("an echo longer than every probe breaks its connection and nothing else", () => {
    const peer = attach(1, 0);
    cable.onTime(0);
    // Sequence 0: that of the first probe.
    say(peer, framed(frameType.echo, Buffer.alloc(probeBytes.max)));
    cable.onReadable(0, 1);
    expect(ofType("closed")).toMatchObject([{ connection: 1, cause: { kind: "protocol" } }]);
    closeSync(peer);
  });

  test("is due only later when a peer does not answer on the connection that is to follow", () => {
    const [first, second] = [attach(1, 0), attach(2, 0)];
    for (let nowMs = 0; nowMs < 4_500; nowMs += 100) expect(cable.onTime(nowMs)).toBeGreaterThan(nowMs);
    expect(ofType("quiet")).toMatchObject([{ connection: 1, quiet: "suspect" }]);
    for (const fd of [first, second]) closeSync(fd);
  });

  test("tells few of a flood of notices, and the last of them", () => {
    const peer = attach(1, performance.now());
    const notices = Array.from({ length: 3_000 }, (_, index) =>
      framed(frameType.notice, Buffer.from(`fault ${index}`)),
    );
    say(peer, Buffer.concat(notices));
    for (let turns = 0; turns < 20; turns += 1) cable.onReadable(0, performance.now());
    cable.onTime(performance.now() + 1_000);
    expect(ofType("notice").length).toBeLessThan(1_000);
    expect(ofType("notice").at(-1)?.text).toBe("fault 2999");
    closeSync(peer);
  });

  test("a single notice is told at once", () => {
    const peer = attach(1, 0);
    say(peer, framed(frameType.notice, Buffer.from("no lan")));
    expect(cable.onReadable(0, 1)).toBe(false);
    expect(ofType("notice")).toMatchObject([{ connection: 1, text: "no lan" }]);
    closeSync(peer);
  });

  test("lives on when its tap is gone at the moment a connection takes the place of another", () => {
    const [first, second] = [attach(1, 0), attach(2, 0)];
    closeSync(first);
    vi.mocked(setTapOffload).mockImplementation(() => {
      throw new SystemCallError("ioctl", EBADFD);
    });
    cable.onReadable(0, 1);
    expect(ofType("closed").map(({ connection }) => connection)).toEqual([1, 2]);
    closeSync(second);
  });

  test("what its impairment held for a connection that broke does not come out of the next one", () => {
    const nowMs = performance.now();
    const peer = attach(1, nowMs);
    cable.impair({ standing: noImpairment, steps: [], seed: 1n, setMs: Date.now() }, nowMs);
    for (let frames = 0; frames < 2_000 && counters[counter.queuedFrames] === 0; frames += 1) {
      write(lan, memory.address, 60_000);
      cable.onTap(nowMs);
    }
    expect(counters[counter.queuedFrames]).toBeGreaterThan(0);
    closeSync(peer);
    cable.onReadable(0, nowMs);
    expect(ofType("closed")).toHaveLength(1);
    for (let turns = 0; turns < 20; turns += 1) cable.onTime(nowMs);
    expect(counters[counter.queuedFrames]).toBe(0);
    const next = attach(2, nowMs);
    write(lan, memory.address, 100);
    cable.onTap(nowMs);
    expect(read(next, memory.address, memory.buffer.length)).toBe(headerBytes + 100);
    closeSync(next);
  });
});
