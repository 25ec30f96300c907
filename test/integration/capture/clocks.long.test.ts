import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../../agent/host/exec.js";
import { PacketSocket } from "../../../agent/network/packet-socket.js";
import type { Calls, Connection } from "../../../lib/grpc/connection.js";
import { findDevice } from "../../../lib/net/device.js";
import { openCaptureFile } from "../../../tui/client/captures/capture-file.js";
import { measureClock } from "../../../tui/client/captures/host-clock.js";
import { runCapture } from "../../../tui/client/captures/run-capture.js";
import { eventually } from "../../helpers/eventually.js";
import { readPcapng } from "../../helpers/pcapng-reader.js";
import { freshName } from "../../helpers/run-tag.js";
import { ApiFixture } from "../agent/api-fixture.js";

const tag = freshName();
const devices = [`${tag}a`, `${tag}b`] as const;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "zt-clocks-"));
  await run("ip", ["link", "add", devices[0], "type", "veth", "peer", "name", devices[1]]);
  for (const device of devices) await run("ip", ["link", "set", device, "addrgenmode", "none", "up"]);
});
afterAll(async () => {
  await run("ip", ["link", "delete", devices[0]]);
  await rm(directory, { recursive: true });
});

/** An agent of "h1" under another name, so that there are two. */
function as(name: string, connection: Connection): Calls {
  const own = <T>(request: T): T => ({ ...request, name: `hosts/h1` });
  return {
    address: name,
    peer: name,
    unary: (method, request, options) => connection.unary(method, own(request), options),
    stream: (method, request, options) => connection.stream(method, own(request), options),
    bidi: (method, requests, options) => connection.bidi(method, requests, options),
  };
}

/** Ethernet of a kind of its own, with a byte that tells what it is. */
function frame(kind: number): Buffer {
  return Buffer.concat([Buffer.alloc(6, 0xff), Buffer.alloc(6, 2), Buffer.of(0x88, 0xb5, kind), Buffer.alloc(45)]);
}
const [request, reply] = [1, 2];

/** Which of these frames a file has, in the order of their times; what else there is on any device is not ours. */
async function kindsIn(file: string): Promise<(number | undefined)[]> {
  const { frames } = readPcapng(await readFile(file));
  const own = frames.filter(({ data }) => data.length > 14 && data.readUInt16BE(12) === 0x88b5);
  return own.sort((left, right) => (left.timeNs < right.timeNs ? -1 : 1)).map(({ data }) => data[14]);
}
/** So long whoever answers takes: longer than clocks may seem to differ. */
const answerMs = 400;

describe.each([90_000_000_000n, 20_000_000n])("two hosts, one of whose clocks is %i ns wrong", (clockShiftNs) => {
  it("have requests before replies, and what is said of the clock holds", async () => {
    const alpha = await ApiFixture.start({ captures: { devices: [devices[0]], clockShiftNs: 0n } });
    const beta = await ApiFixture.start({ captures: { devices: [devices[1]], clockShiftNs } });
    const stop = new AbortController();
    const file = join(directory, `${clockShiftNs}.pcapng`);
    try {
      const [right, wrong] = [as("alpha", alpha.operator), as("beta", beta.operator)];
      const clocks = [
        await measureClock(right, "alpha", stop.signal),
        await measureClock(wrong, "beta", stop.signal),
      ] as const;
      const offBy = clocks[1].offsetNs - clocks[0].offsetNs - clockShiftNs;
      const bound = clocks[0].errorNs + clocks[1].errorNs;
      expect(offBy <= bound && offBy >= -bound).toBe(true);

      const hostOf = (host: string, connection: Calls, device: string) => ({
        ...{ host, connection },
        request: { targets: [`hosts/h1/devices/${device}`] },
      });
      const running = runCapture({
        hosts: [hostOf("alpha", right, devices[0]), hostOf("beta", wrong, devices[1])],
        output: { open: () => openCaptureFile(file), remove: async () => undefined, ring: undefined },
        ...{ comment: "", filter: "", snapBytes: 262_144, maxBytes: Number.POSITIVE_INFINITY },
        maxPackets: Number.POSITIVE_INFINITY,
        stop: stop.signal,
        onNotice: () => undefined,
      });
      running.catch(() => undefined);
      await eventually(async () => expect(readPcapng(await readFile(file)).interfaces).toHaveLength(2));
      const sockets = devices.map((device) =>
        PacketSocket.open({ ifindex: findDevice(undefined, device)?.index ?? 0, netns: undefined }, "icmpv6"),
      );
      for (let round = 0; round < 3; round += 1) {
        sockets[0]?.send(frame(request));
        await delay(answerMs);
        sockets[1]?.send(frame(reply));
        await delay(answerMs);
      }
      for (const socket of sockets) socket.close();
      await eventually(async () => expect(await kindsIn(file)).toHaveLength(12));
      stop.abort();
      const result = await running;
      expect(result).toMatchObject({ dropped: 0, unread: 0 });
      expect(await kindsIn(file)).toEqual([1, 1, 2, 2, 1, 1, 2, 2, 1, 1, 2, 2]);
      expect(readPcapng(await readFile(file)).comments[0]).toMatch(/beta \+.* ± .* ms/);
    } finally {
      stop.abort();
      await alpha.close();
      await beta.close();
    }
  });
});
