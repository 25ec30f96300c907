import { mkdtemp, rm } from "node:fs/promises";
import { connect as connectTcp, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { status } from "@grpc/grpc-js";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { authorize } from "../../../lib/auth/policy.js";
import { Connection } from "../../../lib/grpc/connection.js";
import { GuardedCall } from "../../../lib/grpc/guarded-call.js";
import { mainLimits, type ServerLimits } from "../../../lib/grpc/limits.js";
import { createGrpcServer, createServerTls, listen } from "../../../lib/grpc/server.js";
import { implementService } from "../../../lib/grpc/service.js";
import type { Identity } from "../../../lib/tls/identity.js";
import { hubServerName } from "../../../lib/tls/join.js";
import { WatchLog } from "../../../lib/watch/watch-log.js";
import { Lan } from "../../../proto/gen/zor/v1/lan.js";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import { WatchRequest, type WatchResponse, WatchServiceService } from "../../../proto/gen/zor/v1/watch_service.js";
import { frame } from "../../fakes/flood.js";
import { frameKind, RawHttp2 } from "../../fakes/raw-http2.js";
import { TestPki } from "../../helpers/pki.js";

const watchPath = "/zor.v1.WatchService/Watch";
const request = WatchRequest.encode(WatchRequest.fromPartial({})).finish();
const impatient = { messageMs: 300, bytesPerSecond: 1024 * 1024, interactiveMs: 60_000, endMs: 300 };

let directory: string;
let pki: TestPki;
let hub: Identity;
let ana: Identity;
let eve: Identity;
const cleanups: (() => void)[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "zt-limits-"));
  pki = await TestPki.create(directory);
  hub = await pki.hub();
  ana = await pki.user("ana", Role.ROLE_VIEWER);
  eve = await pki.user("eve", Role.ROLE_VIEWER);
});

afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

afterAll(async () => {
  await rm(directory, { recursive: true });
});

async function serve(limits: Partial<ServerLimits>): Promise<{ readonly address: string; readonly log: WatchLog }> {
  const log = new WatchLog();
  const server = createGrpcServer({ ...mainLimits, ...limits });
  cleanups.push(() => server.forceShutdown());
  const watches = {
    watch: (asked: WatchRequest, context: { readonly signal: AbortSignal }) => log.watch(asked, context.signal),
  };
  server.addService(WatchServiceService, implementService(WatchServiceService, watches, { authorize }));
  const port = await listen(server, "127.0.0.1:0", createServerTls(hub, "required").credentials);
  return { address: `127.0.0.1:${port}`, log };
}

function connectAs(identity: Identity, address: string): Connection {
  const connection = new Connection({ address, identity, serverName: hubServerName });
  cleanups.push(() => connection.close());
  return connection;
}

async function raw(identity: Identity, address: string, window?: number): Promise<RawHttp2> {
  const client = await RawHttp2.connect(address, identity, window);
  cleanups.push(() => client.close());
  return client;
}

/** Watches until the snapshot is over; resolves to how to stop. */
async function watch(connection: Connection): Promise<() => void> {
  const abort = new AbortController();
  cleanups.push(() => abort.abort());
  const steps = connection.stream(WatchServiceService.watch, WatchRequest.fromPartial({}), { signal: abort.signal });
  const iterator = steps[Symbol.asyncIterator]();
  await iterator.next();
  // What comes after that ends with the watch.
  void (async () => {
    for (let step = await iterator.next(); step.done !== true; ) step = await iterator.next();
  })().catch(() => undefined);
  return () => abort.abort();
}

const fill = (log: WatchLog, count: number, bytes: number): void => {
  for (let index = 0; index < count; index += 1) {
    const labels = { text: "x".repeat(bytes) };
    log.upsert({ kind: "lan", value: Lan.fromPartial({ name: `hosts/h/lans/l${index}`, labels }) });
  }
};

/** How many calls the server, which is of this process, has given up since. */
function givenUp(): () => number {
  const evict = vi.spyOn(GuardedCall.prototype, "evict");
  cleanups.push(() => evict.mockRestore());
  return () => evict.mock.calls.length;
}

describe("one caller", () => {
  it("has its watches counted over all its connections, and others are served", async () => {
    const { address } = await serve({ watches: { identity: 3, address: 100, all: 100 } });
    const stops = [await watch(connectAs(eve, address)), await watch(connectAs(eve, address))];
    const third = connectAs(eve, address);
    await watch(third);
    await expect(watch(third)).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED, reason: "TOO_MANY" });
    await watch(connectAs(ana, address));
    stops[0]?.();
    await expect
      .poll(() =>
        watch(third).then(
          () => "watches",
          () => "refused",
        ),
      )
      .toBe("watches");
  });

  it("has no more connections than it may, whatever it does with them", async () => {
    const { address } = await serve({ connections: { identity: 2, address: 100, all: 100 } });
    const [first, second, third] = [await raw(eve, address), await raw(eve, address), await raw(eve, address)];
    await expect.poll(() => [first, second, third].map(({ closed }) => closed)).toEqual([false, false, true]);
    // Whoever asks for something there hears why.
    const told = {
      code: status.RESOURCE_EXHAUSTED,
      reason: "TOO_MANY",
      message: expect.stringContaining("connections"),
    };
    await expect(watch(connectAs(eve, address))).rejects.toMatchObject(told);
    await watch(connectAs(ana, address));
  });

  it("may come anew again and again: a connection's own settings are part of it", async () => {
    const { address } = await serve({ conduct: { ...mainLimits.conduct, control: { perSecond: 0.001, burst: 9 } } });
    for (let connected = 0; connected < 4; connected += 1) {
      const connection = connectAs(eve, address);
      await watch(connection);
      connection.close();
    }
  });

  it.each([
    ["PINGs", frame(frameKind.ping, 0, 0, Buffer.alloc(8))],
    ["SETTINGS", frame(frameKind.settings, 0, 0)],
    ["frames that nobody knows", frame(0xbe, 0, 0, Buffer.alloc(16_000))],
    ["bytes of no call", frame(frameKind.window, 0, 0, Buffer.from([0, 0, 0, 1]))],
  ])("is out for a while with all its connections after too many %s, and others are served", async (_what, bytes) => {
    const { address } = await serve({
      conduct: {
        ...mainLimits.conduct,
        control: { perSecond: 1, burst: 100 },
        overhead: { perSecond: 1, burst: 40_000 },
      },
    });
    const [bad, idle] = [await raw(eve, address), await raw(eve, address)];
    const good = connectAs(ana, address);
    await watch(good);
    for (let sent = 0; sent < 4000; sent += 1) bad.send(bytes);
    await expect.poll(() => [bad.closed, idle.closed]).toEqual([true, true]);
    const later = await raw(eve, address);
    await expect.poll(() => later.closed).toBe(true);
    const told = { code: status.RESOURCE_EXHAUSTED, reason: "OUT_FOR_NOW" };
    await expect(watch(connectAs(eve, address))).rejects.toMatchObject(told);
    await watch(good);
  });
});

describe("a message", () => {
  it("has a time to arrive: a byte now and then does not keep a call open", async () => {
    const { address } = await serve({ times: { ...impatient, messageMs: 1000 } });
    const client = await raw(eve, address);
    const stream = client.begin(watchPath);
    const whole = connectAs(ana, address);
    const bytes = Buffer.concat([Buffer.from([0, 0, 0, 0, 200]), Buffer.alloc(200)]);
    let at = 0;
    const dripping = setInterval(() => client.data(stream, bytes.subarray(at, ++at)), 50);
    cleanups.push(() => clearInterval(dripping));
    await watch(whole);
    await expect.poll(() => client.endOf(stream)).toBe("trailers");
    expect(at).toBeLessThan(bytes.length);
  });

  it("that never begins is waited for as long", async () => {
    const { address } = await serve({ times: impatient });
    const client = await raw(eve, address);
    const stream = client.begin(watchPath);
    await expect.poll(() => client.endOf(stream)).toBe("trailers");
  });
});

describe("a watcher that answers PINGs and never reads", () => {
  it("is ended, and what it was to get is freed", async () => {
    const { address, log } = await serve({ times: impatient });
    fill(log, 50, 1000);
    const client = await raw(eve, address, 0);
    const stream = client.call(watchPath, request);
    await expect.poll(() => client.endOf(stream)).toBe("reset");
    expect(client.frames.filter(({ kind }) => kind === frameKind.data)).toEqual([]);
    // Others on the same connection go on.
    expect(client.closed).toBe(false);
  });

  it("is told from where to resume when it reads again in time", async () => {
    const { address, log } = await serve({ times: { ...impatient, endMs: 20_000 } });
    const client = await raw(eve, address, 1000);
    const evicted = givenUp();
    const stream = client.call(watchPath, request);
    fill(log, 50, 1000);
    const received = (): Buffer =>
      Buffer.concat(
        client.frames
          .filter((each) => each.stream === stream && each.kind === frameKind.data)
          .map(({ payload }) => payload),
      );
    await expect.poll(() => received().length).toBe(1000);
    // The time is over: nothing more comes, however much is allowed, but what waited and the end.
    await expect.poll(evicted, { timeout: 20_000 }).toBe(1);
    client.allow(stream, 1_000_000);
    await expect.poll(() => client.endOf(stream)).toBe("trailers");
    expect(received().length).toBeLessThan(30_000);
  });

  it("gets its last position with the end", async () => {
    const { address, log } = await serve({ times: { ...impatient, endMs: 20_000 } });
    const connection = connectAs(ana, address);
    const steps = connection.stream(WatchServiceService.watch, WatchRequest.fromPartial({}));
    const iterator = steps[Symbol.asyncIterator]();
    const seen: WatchResponse[] = [];
    for (let step = await iterator.next(); step.done !== true; step = await iterator.next()) {
      seen.push(step.value);
      if (step.value.step?.$case === "snapshotEnd") break;
    }
    const before = log.revision;
    const evicted = givenUp();
    // More than the buffers between here and there hold.
    fill(log, 400, 8000);
    await expect.poll(evicted, { timeout: 20_000 }).toBe(1);
    const rest = async (): Promise<void> => {
      for (let step = await iterator.next(); step.done !== true; step = await iterator.next()) seen.push(step.value);
    };
    const error = await rest().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ reason: "WATCH_TOO_SLOW", metadata: { epoch: log.epoch } });
    const position = seen.at(-1)?.position;
    expect(position?.revision).toBeGreaterThan(before);
    expect(position?.revision).toBeLessThan(log.revision);
    const resumed = connectAs(ana, address).stream(WatchServiceService.watch, WatchRequest.fromPartial({ position }));
    for await (const { position: next, step } of resumed) {
      expect([step?.$case, next?.revision]).toEqual(["upsert", (position?.revision ?? 0n) + 1n]);
      break;
    }
  });
});

describe("connections that say nothing", () => {
  it("are bounded, oldest first, and do not keep the honest out", async () => {
    const { address } = await serve({ door: { ...mainLimits.door, unproven: 20, unprovenPerAddress: 10 } });
    const at = address.lastIndexOf(":");
    const open: Socket[] = [];
    for (let index = 0; index < 40; index += 1) {
      const socket = connectTcp({ host: address.slice(0, at), port: Number(address.slice(at + 1)) });
      socket.on("error", () => undefined);
      cleanups.push(() => socket.destroy());
      open.push(socket);
    }
    await expect.poll(() => open.filter(({ closed }) => !closed).length).toBe(10);
    await watch(connectAs(ana, address));
    expect(open.filter(({ closed }) => !closed).length).toBeLessThanOrEqual(10);
  });

  it("have a time to say who they are", async () => {
    const { address } = await serve({ door: { ...mainLimits.door, provenWithinMs: 300 } });
    const at = address.lastIndexOf(":");
    const socket = connectTcp({ host: address.slice(0, at), port: Number(address.slice(at + 1)) });
    cleanups.push(() => socket.destroy());
    socket.on("error", () => undefined);
    await expect.poll(() => socket.closed).toBe(true);
  });
});
