import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "../../../agent/host/exec.js";
import type { CableIdentity } from "../../../agent/engine/protocol/cable-identity.js";
import { frameType } from "../../../agent/engine/frames/frame.js";
import { ensureCableIdentity } from "../../../agent/cable/ensure-cable-identity.js";
import { eventually } from "../../helpers/eventually.js";
import { BadPeer, header } from "./bad-peer.js";
import { endOf, LoopbackPair } from "./loopback-pair.js";

const goodLink = "links/good";

let pair: LoopbackPair;
let directory: string;
let identity: CableIdentity;
let enginePid: number;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "zt-peer-"));
  identity = await ensureCableIdentity(directory, () => undefined);
  pair = await LoopbackPair.make();
  await pair.addLink(goodLink);
  await pair.active(goodLink);
  await pair.address(goodLink, 1);
  enginePid = pair.a.cables.enginePid;
});

afterAll(async () => {
  await pair[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

/** The other cable of the host has noticed nothing. */
async function expectUnharmed(): Promise<void> {
  await pair.ping(1);
  expect(endOf(pair.a, goodLink)).toMatchObject({ phase: "active", connects: 1 });
  expect(pair.a.cables.enginePid).toBe(enginePid);
}

const truncated = Buffer.concat([header(frameType.data, 1_000), Buffer.alloc(500, 1)]);

test.for([
  ["a frame of length 0", header(frameType.data, 0), /the peer sent/],
  ["a frame of length 4 GiB", header(frameType.data, 0xffff_ffff), /the peer sent/],
  ["random bytes", randomBytes(100_000), /the peer sent/],
  ["half a frame, and ends", truncated, /closed|truncated|ended/],
] as const)("an authenticated peer that sends %s loses its own cable only", async ([what, bytes, reason]) => {
  const link = `links/bad-${what.replaceAll(/\W/g, "-")}`;
  const peer = await BadPeer.connect(pair.a, identity, link);
  await eventually(() => expect(endOf(pair.a, link).phase).toBe("probing"));
  peer.read();
  peer.send(bytes);
  if (bytes === truncated) peer.end();
  await eventually(() => expect(endOf(pair.a, link).phase).toBe("down"));
  expect(endOf(pair.a, link).reason).toMatch(reason);
  await peer.closed;
  peer.destroy();
  await expectUnharmed();
});

test("a peer that sends but stops reading costs its host no more than bounded buffers, and is given up", async () => {
  const link = "links/deaf";
  const peer = await BadPeer.connect(pair.a, identity, link);
  const { tap } = endOf(pair.a, link);
  const before = await residentMib();
  // Never silent: what is sent to it only ever waits.
  const talking = setInterval(() => peer.send(Buffer.concat([header(frameType.data, 72), Buffer.alloc(72)])), 250);
  try {
    await floodTap(tap.name);
    await eventually(() => expect(endOf(pair.a, link).droppedQueueFrames).toBeGreaterThan(0));
    expect(endOf(pair.a, link).phase).not.toBe("down");
    await expectUnharmed();
    expect((await residentMib()) - before).toBeLessThan(64);
    await eventually(() => expect(endOf(pair.a, link)).toMatchObject({ phase: "down" }));
    expect(endOf(pair.a, link).reason).not.toBe("");
  } finally {
    clearInterval(talking);
    peer.destroy();
  }
  await expectUnharmed();
});

/** Sends far more into a tap than all buffers of a cable hold. */
async function floodTap(tap: string): Promise<void> {
  const { lan } = pair.a;
  await lan.ip("address", "add", "10.203.9.1/24", "dev", tap);
  await lan.ip("neighbour", "replace", "10.203.9.2", "lladdr", "02:00:00:00:00:09", "dev", tap, "nud", "permanent");
  const size = ["-s", "60000", "-l", "2000", "-c", "2000"];
  await run("ping", ["-n", "-q", ...size, "-W", "1", "10.203.9.2"], {
    netns: lan.name,
    acceptedExitCodes: [1],
  });
}

/** Memory of the engine that takes the bad peers. */
async function residentMib(): Promise<number> {
  const status = await readFile(`/proc/${enginePid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}
