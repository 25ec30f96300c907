import { randomBytes, randomUUID } from "node:crypto";
import { appendFile, mkdtemp, readdir, rm, truncate } from "node:fs/promises";
import { connect, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { CableIdentity } from "../../../agent/engine/protocol/cable-identity.js";
import { type DialOptions, dial, type ReadyConnection } from "../../../agent/engine/handshake/dial.js";
import { frameType, headerBytes, writeHeader } from "../../../agent/engine/frames/frame.js";
import { RecordSealer, sealedBytes } from "../../../agent/engine/frames/tls-record.js";
import { ensureCableIdentity } from "../../../agent/cable/ensure-cable-identity.js";
import { close, NativeMemory } from "../../../lib/libc.js";
import { eventually } from "../../helpers/eventually.js";
import { LoopbackHost } from "./loopback-host.js";
import { endSpec, type EndWords } from "../../helpers/engine-words.js";
import { killed } from "../../helpers/killed.js";

let host: LoopbackHost;
let peer: CableIdentity;
let directory: string;

beforeEach(async () => {
  host = await LoopbackHost.make();
  directory = await mkdtemp(join(tmpdir(), "zt-c2c-"));
  peer = await ensureCableIdentity(directory, () => undefined);
});

afterEach(async () => {
  await host[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

/** Makes a listener end for the test's own identity. */
async function listen(ticket: Buffer, options: Partial<EndWords> = {}): Promise<EndWords> {
  const spec: EndWords = {
    link: "links/demo",
    linkUid: randomUUID(),
    lan: "lan1",
    role: "listener",
    peerAddresses: [],
    peerKeySha256: peer.keySha256.toString("hex"),
    ticket: ticket.toString("hex"),
    ticketTtlSeconds: 60,
    ...options,
  };
  await host.cables.ensureEnd(endSpec(spec));
  await eventually(() => {
    expect(host.cables.list().find(({ status }) => status.link === spec.link)?.port.ready).toBe(true);
  });
  return spec;
}

/** Dials the engine as a peer would; the pairing secret is kept in `pairings`. */
function dialWith(
  spec: EndWords,
  secret: Buffer,
  options: Partial<DialOptions> & { pairings?: Buffer[] } = {},
): Promise<ReadyConnection> {
  return dial({
    address: host.address,
    identity: peer,
    peerKeySha256: host.cables.identity().keySha256,
    linkUid: spec.linkUid,
    credential: { by: "ticket", secret },
    offload: "tso",
    encryption: "tls",
    engine: "",
    storePairing: async (pairing) => {
      options.pairings?.push(pairing);
    },
    signal: new AbortController().signal,
    ...options,
  });
}

function hangUp(connection: ReadyConnection): void {
  close(connection.established.fd);
}

/** The engine lives and takes a good peer. */
async function expectHealthy(): Promise<void> {
  const pid = host.cables.enginePid;
  const ticket = randomBytes(32);
  hangUp(await dialWith(await listen(ticket), ticket));
  expect(host.cables.enginePid).toBe(pid);
}

test("a ticket is good for one connection, the pairing for all later ones", async () => {
  const [ticket, pairings] = [randomBytes(32), [] as Buffer[]];
  const spec = await listen(ticket);
  hangUp(await dialWith(spec, ticket, { pairings }));
  await eventually(() => expect(host.end().paired).toBe(true));
  await expect(dialWith(spec, ticket)).rejects.toMatchObject({
    kind: "ticket",
    message: expect.stringContaining("was used before"),
  });
  const [secret] = pairings;
  if (secret === undefined) throw new Error("no pairing was agreed on");
  for (let round = 0; round < 2; round += 1) {
    hangUp(await dialWith(spec, secret, { credential: { by: "pairing", secret } }));
  }
});

test("a ticket that was not yet confirmed can be used again", async () => {
  const ticket = randomBytes(32);
  const spec = await listen(ticket);
  const storePairing = (): Promise<void> => Promise.reject(new Error("disk full"));
  await expect(dialWith(spec, ticket, { storePairing })).rejects.toThrow("disk full");
  hangUp(await dialWith(spec, ticket));
});

test("an expired ticket is refused with its own reason", async () => {
  const ticket = randomBytes(32);
  const spec = await listen(ticket, { ticketTtlSeconds: 1 });
  const expiry = Date.now() + 1_000;
  await eventually(() => expect(Date.now()).toBeGreaterThan(expiry));
  await expect(dialWith(spec, ticket)).rejects.toMatchObject({
    kind: "ticket",
    message: expect.stringContaining("has expired"),
  });
  await eventually(() => expect(host.end().needsTicket).toBe(true));
});

test("the ticket of another link, and a guessed pairing, are refused with their own reasons", async () => {
  const other = randomBytes(32);
  await listen(other, { link: "links/other" });
  const spec = await listen(randomBytes(32));
  await expect(dialWith(spec, other)).rejects.toMatchObject({
    kind: "ticket",
    message: expect.stringContaining("not one of this link"),
  });
  const secret = randomBytes(32);
  await expect(dialWith(spec, secret, { credential: { by: "pairing", secret } })).rejects.toMatchObject({
    kind: "unpaired",
  });
});

test("a foreign certificate is refused, whatever it knows, and learns nothing of links", async () => {
  const ticket = randomBytes(32);
  const spec = await listen(ticket);
  const foreign = await ensureCableIdentity(join(directory, "foreign"), () => undefined);
  const refused = { kind: "unknown-link", message: expect.stringContaining("no listener end of this link") };
  await expect(dialWith(spec, ticket, { identity: foreign })).rejects.toMatchObject(refused);
  await expect(dialWith({ ...spec, linkUid: "no-such-link" }, ticket)).rejects.toMatchObject(refused);
  hangUp(await dialWith(spec, ticket));
});

test("a dialer gives nothing to a host whose certificate is not the pinned one", async () => {
  const ticket = randomBytes(32);
  const spec = await listen(ticket);
  await expect(dialWith(spec, ticket, { peerKeySha256: randomBytes(32) })).rejects.toMatchObject({
    kind: "certificate",
  });
  hangUp(await dialWith(spec, ticket));
});

test.each([
  ["plain text", Buffer.from("GET / HTTP/1.1\r\n\r\n")],
  ["random bytes", randomBytes(70_000)],
  ["a TLS record that announces more than a record may hold", Buffer.from([22, 3, 1, 255, 255, 1])],
  ["endless handshake records", Buffer.concat(Array.from({ length: 20 }, () => oversizedHello()))],
])("a peer that sends %s is disconnected and the engine lives", async (_what, bytes) => {
  const socket = connect({ host: "127.0.0.1", port: host.cables.identity().port });
  const closing = closed(socket);
  socket.write(bytes);
  await closing;
  await expectHealthy();
});

function oversizedHello(): Buffer {
  return Buffer.concat([Buffer.from([22, 3, 1, 0x40, 0]), Buffer.alloc(0x4000, 1)]);
}

test("a peer that says nothing is disconnected after a bounded time", async () => {
  const socket = connect({ host: "127.0.0.1", port: host.cables.identity().port });
  await closed(socket);
  await expectHealthy();
});

test.each([
  ["no certificate", {}],
  ["only TLS 1.2", { maxVersion: "TLSv1.2" as const, minVersion: "TLSv1.2" as const }],
])("a TLS client with %s is disconnected and the engine lives", async (_what, options) => {
  const { port } = host.cables.identity();
  const socket = connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false, ...options });
  await closed(socket);
  await expectHealthy();
});

test.each([
  ["a frame of length 0", header(frameType.data, 0)],
  ["a frame of length 4 GiB", header(frameType.data, 0xffff_ffff)],
  ["a frame of unknown type", header(99, 64)],
  ["a handshake in the middle of frames", Buffer.concat([header(frameType.handshake, 2), Buffer.from("{}")])],
  ["an echo of nothing it was sent", Buffer.concat([header(frameType.echo, 3), Buffer.alloc(3)])],
])("an authenticated peer that sends %s loses the connection, with the reason", async (_what, bytes) => {
  const ticket = randomBytes(32);
  const connection = await dialWith(await listen(ticket), ticket);
  await closed(openSealed(connection, bytes));
  await eventually(() => expect(host.end()).toMatchObject({ phase: "down" }));
  expect(host.end().reason).toContain("the peer sent");
  await expectHealthy();
});

test("an authenticated peer that sends records its key did not seal loses the connection", async () => {
  const ticket = randomBytes(32);
  const { established } = await dialWith(await listen(ticket), ticket);
  const socket = new Socket({ fd: established.fd });
  const closing = closed(socket);
  socket.write(Buffer.concat([Buffer.from([23, 3, 3, 0, 64]), randomBytes(64)]));
  await closing;
  await eventually(() => expect(host.end().reason).toContain("did not seal"));
  await expectHealthy();
});

test("without encryption both ends leave TLS after the handshake and frames are in clear", async () => {
  const ticket = randomBytes(32);
  const spec = await listen(ticket, { encryption: "none" });
  const { established } = await dialWith(spec, ticket, { encryption: "none" });
  expect(established.tls).toBeUndefined();
  const socket = new Socket({ fd: established.fd });
  const payload = randomBytes(40);
  const received: Buffer[] = [Buffer.from(established.leftover)];
  socket.on("data", (chunk: Buffer) => received.push(chunk));
  socket.write(Buffer.concat([header(frameType.probe, payload.length), payload]));
  const echo = Buffer.concat([header(frameType.echo, payload.length), payload]);
  await eventually(() => expect(Buffer.concat(received).includes(echo)).toBe(true));
  await eventually(() => expect(host.end().protection).toBe("none"));
  socket.destroy();
});

test.each(["tls", "none"] as const)(
  "a listener that is to have %s takes no dialer that wants the other",
  async (encryption) => {
    const ticket = randomBytes(32);
    const spec = await listen(ticket, { encryption });
    const other = encryption === "tls" ? "none" : "tls";
    await expect(dialWith(spec, ticket, { encryption: other })).rejects.toMatchObject({ kind: "policy" });
    hangUp(await dialWith(spec, ticket, { encryption }));
  },
);

test("data frames with nonsense in them are dropped and counted, and the cable stays", async () => {
  const ticket = randomBytes(32);
  const connection = await dialWith(await listen(ticket), ticket);
  const frame = Buffer.concat([header(frameType.data, 12 + 60), Buffer.alloc(12 + 60, 255)]);
  const socket = openSealed(connection, Buffer.concat([frame, frame]));
  await eventually(() => expect(host.end().droppedPortFrames).toBe(2));
  expect(host.end().phase).toBe("probing");
  socket.destroy();
});

test.each([
  ["truncated", (file: string) => truncate(file, 10)],
  ["no JSON", (file: string) => appendFile(file, "}")],
])("an ends.json that is %s is set aside and told, and the engine works without it", async (_what, damage) => {
  await listen(randomBytes(32));
  const { enginePid } = host.cables;
  const cable = join(host.stateDirectory, "cable");
  await damage(join(cable, "ends.json"));
  await killed(enginePid);
  await eventually(() => expect(host.cables.enginePid).not.toBe(enginePid));
  await eventually(() => expect(host.cables.list()).toEqual([]));
  expect((await readdir(cable)).filter((name) => name.startsWith("ends.json.corrupt-"))).toHaveLength(1);
  await eventually(() => expect(host.warnings.join()).toContain("ends.json was damaged"));
  await expectHealthy();
});

function header(type: number, length: number): Buffer {
  const bytes = Buffer.alloc(headerBytes);
  writeHeader(bytes, 0, type, length);
  return bytes;
}

/** Sends bytes as the peer of an established connection. The connection is the socket's from then on. */
function openSealed(connection: ReadyConnection, bytes: Buffer): Socket {
  const { tls, fd } = connection.established;
  if (tls === undefined) throw new Error("the connection is not encrypted");
  const plain = new NativeMemory(bytes.length + 1);
  plain.buffer.set(bytes);
  const sealed = new NativeMemory(sealedBytes(bytes.length));
  const length = new RecordSealer(tls.send).seal(plain, 0, bytes.length, sealed);
  const socket = new Socket({ fd });
  socket.write(sealed.buffer.subarray(0, length));
  return socket;
}

/** Waits until the engine has closed the connection. How it did, in good order or not, is all the same. */
function closed(socket: Socket): Promise<void> {
  socket.on("error", () => undefined);
  socket.resume();
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

test("a crowd of silent peers does not keep a good one out for long", async () => {
  const { port } = host.cables.identity();
  const crowd = Array.from({ length: 100 }, () => connect({ host: "127.0.0.1", port, localAddress: "127.0.0.9" }));
  const gone = Promise.all(crowd.map((socket) => closed(socket)));
  await expectHealthy();
  await gone;
  await expectHealthy();
});
