import { X509Certificate } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { status } from "@grpc/grpc-js";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { Authority } from "../../../hub/pki/authority.js";
import { publicKeyOfCsr } from "../../../hub/pki/csr.js";
import { ensureLocalIdentity } from "../../../hub/pki/local-identity.js";
import { profileOf, type Subject } from "../../../hub/pki/profile.js";
import { forwardedCallerKey } from "../../../lib/auth/caller.js";
import { type Calls, Connection } from "../../../lib/grpc/connection.js";
import { DirectConnection } from "../../../lib/grpc/direct-connection.js";
import { createGrpcServer, createServerTls, type GuardedServer, listen } from "../../../lib/grpc/server.js";
import { createCsr } from "../../../lib/tls/csr.js";
import { derToPem, type Identity } from "../../../lib/tls/identity.js";
import { type ExecResponse, ExecServiceService } from "../../../proto/gen/zor/v1/exec_service.js";
import { Instance } from "../../../proto/gen/zor/v1/instance.js";
import { CreateInstanceRequest, InstanceServiceService } from "../../../proto/gen/zor/v1/instance_service.js";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import { WatchRequest, WatchServiceService } from "../../../proto/gen/zor/v1/watch_service.js";
import { addTestServices, type TestServices } from "./test-services.js";

/** Kind of connections that clients make. */
let Client: typeof Connection | typeof DirectConnection = Connection;
let directory: string;
let authority: Authority;
const lifetimes = { hostDays: 1, personDays: 1 };
const open: { close(): void }[] = [];

async function identityOf(subject: Subject, from: Authority = authority): Promise<Identity> {
  const profile = profileOf(subject, lifetimes, ["127.0.0.1"]);
  return ensureLocalIdentity({
    authority: from,
    directory: await mkdtemp(join(directory, "id-")),
    profile,
    issue: (key) => from.issue(key, "test", profile),
    now: new Date(),
  });
}

const hub: Subject = { kind: "hub", id: "test", role: Role.ROLE_ADMIN };
const user = (id: string, role: Role): Subject => ({ kind: "user", id, role });
let server: GuardedServer;
let services: TestServices;
let address: string;
/** Of the server's certificate. */
let serverSerial = "";

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "zt-grpc-"));
  authority = await Authority.open(directory);
  server = createGrpcServer();
  services = addTestServices(server);
  const own = await identityOf(hub);
  serverSerial = new X509Certificate(own.certificatePem).serialNumber;
  const port = await listen(server, "127.0.0.1:0", createServerTls(own, "required").credentials);
  address = `127.0.0.1:${port}`;
});

afterEach(() => {
  for (const each of open.splice(0)) each.close();
  services.seen.length = 0;
});

afterAll(async () => {
  server.forceShutdown();
  await rm(directory, { recursive: true });
});

async function connectAs(
  subject: Subject,
  change: { serverName?: string; serverUri?: string; from?: Authority } = {},
): Promise<Calls> {
  const identity = await identityOf(subject, change.from);
  const connection = new Client({
    address,
    identity: { ...identity, caPem: authority.certificatePem },
    serverName: change.serverName ?? "hub.zor",
    ...(change.serverUri === undefined ? {} : { serverUri: change.serverUri }),
  });
  open.push(connection);
  return connection;
}

const start = (connection: Calls, metadata: Record<string, string> = {}) =>
  connection.unary(
    InstanceServiceService.startInstance,
    { name: "hosts/h/instances/vm", requestId: "", validateOnly: false },
    { metadata, timeoutMs: 60_000 },
  );

const clients = [
  { over: "channels", kind: Connection },
  { over: "direct connections", kind: DirectConnection },
];

describe.each(clients)("a service over $over", ({ kind }) => {
  beforeAll(() => {
    Client = kind;
  });

  it("tells a certificate that expired, or is not valid yet, with both times and whose it is", async () => {
    const good = await identityOf(user("ana", Role.ROLE_ADMIN));
    const dated = async (subject: Subject, lifetimeMs: number): Promise<Identity> => {
      const profile = { ...profileOf(subject, lifetimes, ["127.0.0.1"]), lifetimeMs };
      const key = await publicKeyOfCsr("csr", await createCsr(good.keyPem));
      return { ...good, certificatePem: derToPem((await authority.issue(key, subject.id, profile)).der) };
    };
    const late = createGrpcServer();
    const { credentials } = createServerTls(await dated(hub, -60_000), "required");
    const port = await listen(late, "127.0.0.1:0", credentials);
    open.push({ close: () => late.forceShutdown() });
    const ask = (where: string, identity: Identity) => {
      const connection = new Client({ address: where, identity, serverName: "hub.zor" });
      open.push(connection);
      return connection.unary(
        InstanceServiceService.getInstance,
        { name: "hosts/h/instances/vm" },
        { timeoutMs: 60_000 },
      );
    };
    await expect(ask(`127.0.0.1:${port}`, good)).rejects.toMatchObject({
      reason: "CERTIFICATE_DATES",
      message: expect.stringMatching(
        /: 127\.0\.0\.1:\d+'s certificate \(zor:\/\/hub\/test\) expired at 20.*restart the hub/,
      ),
    });
    await expect(ask(address, await dated(user("ana", Role.ROLE_ADMIN), -60_000))).rejects.toMatchObject({
      reason: "CERTIFICATE_DATES",
      message: expect.stringMatching(/: this side's certificate \(.*\) expired at 20.*zor join TOKEN/),
    });
  });

  it("goes straight to the server whatever proxies the environment names", async () => {
    // Nobody answers there.
    vi.stubEnv("https_proxy", "http://127.0.0.1:9");
    vi.stubEnv("grpc_proxy", "http://127.0.0.1:9");
    try {
      const identity = await identityOf(user("ana", Role.ROLE_ADMIN));
      const connection = new Client({ address, identity, serverName: "hub.zor" });
      open.push(connection);
      await start(connection);
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it("knows its caller from the certificate", async () => {
    await start(await connectAs(user("ana", Role.ROLE_OPERATOR)));
    expect(services.seen[0]?.caller).toMatchObject({
      identity: "zor://user/ana",
      kind: "user",
      id: "ana",
      role: Role.ROLE_OPERATOR,
    });
  });

  it("refuses a role that is too low and says which would do", async () => {
    const viewer = await connectAs(user("eve", Role.ROLE_VIEWER));
    await expect(start(viewer)).rejects.toMatchObject({
      code: status.PERMISSION_DENIED,
      message: expect.stringContaining("needs operator"),
    });
  });

  it("believes a forwarded caller from a hub only", async () => {
    const forwarded = { [forwardedCallerKey]: "zor://user/ana zor://role/viewer" };
    await expect(start(await connectAs(hub), forwarded)).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
    await expect(start(await connectAs(user("eve", Role.ROLE_ADMIN)), forwarded)).rejects.toMatchObject({
      reason: "FORWARDED_CALLER",
    });
  });

  it("gives errors with their reason, resource and fields", async () => {
    const connection = await connectAs(user("ana", Role.ROLE_ADMIN));
    const request = { name: "x", requestId: "", validateOnly: false, force: false };
    await expect(connection.unary(InstanceServiceService.deleteInstance, request)).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
      reason: "INVALID_FIELD",
      resource: "x",
      violations: [{ field: "name", description: "bad: x" }],
    });
  });

  it.each([
    ["a field that ends too early", Buffer.from([0x0a, 0xff])],
    ["a tag of no type", Buffer.from([0x0f])],
    ["a group that never ends", Buffer.from([0x0b])],
    ["random bytes", Buffer.from("ffffffffffffffffffff", "hex")],
  ])("refuses what is not a message as INVALID_ARGUMENT, in calls of every kind: %s", async (_, bytes) => {
    const connection = await connectAs(user("ana", Role.ROLE_ADMIN));
    const raw = (path: string) => ({
      path,
      requestSerialize: () => bytes,
      responseDeserialize: (response: Buffer) => response,
    });
    const refusal = {
      code: status.INVALID_ARGUMENT,
      reason: "INVALID_FIELD",
      message: expect.stringMatching(/^request: is not a message of zor\.v1\.\w+\/\w+: it cannot be decoded$/),
    };
    const [unary, stream, bidi] = [
      InstanceServiceService.startInstance.path,
      WatchServiceService.watch.path,
      ExecServiceService.exec.path,
    ].map(raw);
    if (unary === undefined || stream === undefined || bidi === undefined) throw new Error("three kinds of calls");
    await expect(connection.unary(unary, {}, { timeoutMs: 60_000 })).rejects.toMatchObject(refusal);
    await expect(Array.fromAsync(connection.stream(stream, {}))).rejects.toMatchObject(refusal);
    const one = async function* () {
      yield {};
    };
    await expect(Array.fromAsync(connection.bidi(bidi, one()))).rejects.toMatchObject(refusal);
    expect(services.seen).toEqual([]);
  });

  it.each([2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n + 1n, 253_402_300_800n, -62_135_596_801n])(
    "refuses a time of %s s, which can neither be kept nor handed on, by its field",
    async (seconds) => {
      const connection = await connectAs(user("ana", Role.ROLE_ADMIN));
      const time = new BinaryWriter().tag(1, WireType.Varint).int64(seconds).finish();
      const instance = new BinaryWriter().tag(6, WireType.LengthDelimited).bytes(time).finish();
      const bytes = Buffer.from(new BinaryWriter().tag(3, WireType.LengthDelimited).bytes(instance).finish());
      const method = { ...InstanceServiceService.createInstance, requestSerialize: () => bytes };
      await expect(connection.unary(method, CreateInstanceRequest.create())).rejects.toMatchObject({
        code: status.INVALID_ARGUMENT,
        violations: [{ field: "instance.create_time" }],
      });
    },
  );

  it("begins no call of a request that cannot be written", async () => {
    const connection = await connectAs(user("ana", Role.ROLE_ADMIN));
    const instance = Instance.fromPartial({ createTime: new Date(Number.NaN) });
    const request = CreateInstanceRequest.fromPartial({ instance });
    // Of a call that had begun, the deadline would be a rejection that nobody takes, which ends a program.
    await expect(
      (async () => connection.unary(InstanceServiceService.createInstance, request, { timeoutMs: 1 }))(),
    ).rejects.toThrow();
    await expect(
      connection.unary(InstanceServiceService.startInstance, { name: "x", requestId: "", validateOnly: false }),
    ).resolves.toMatchObject({});
    expect(services.seen).toHaveLength(1);
  });

  it("does not tell clients what an unexpected error says", async () => {
    const connection = await connectAs(user("ana", Role.ROLE_ADMIN));
    const request = { name: "x", requestId: "", validateOnly: false, timeoutSeconds: 0 };
    const failure = connection.unary(InstanceServiceService.shutdownInstance, request);
    await expect(failure).rejects.toMatchObject({
      code: status.INTERNAL,
      message: expect.not.stringContaining("secret"),
    });
  });

  it("tells a handler that its caller has gone", async () => {
    const connection = await connectAs(user("ana", Role.ROLE_ADMIN));
    const abort = new AbortController();
    const call = connection.unary(InstanceServiceService.getInstance, { name: "x" }, { signal: abort.signal });
    await expect.poll(() => services.seen.length).toBe(1);
    abort.abort();
    await expect(call).rejects.toMatchObject({ code: status.CANCELLED });
    await expect.poll(() => services.seen[0]?.signal.aborted).toBe(true);
  });

  it("holds a stream back while its reader does not read, and ends it when the reader leaves", async () => {
    const connection = await connectAs(user("ana", Role.ROLE_VIEWER));
    services.produced = 0;
    let read = 0;
    for await (const _ of connection.stream(WatchServiceService.watch, WatchRequest.fromPartial({}))) {
      read += 1;
      if (read === 1) {
        let before = -1;
        await expect
          .poll(
            () => {
              const still = services.produced === before;
              before = services.produced;
              return still;
            },
            { interval: 200 },
          )
          .toBe(true);
        expect(services.produced).toBeLessThan(5_000);
      }
      if (read === 100) break;
    }
    await expect.poll(() => services.seen[0]?.signal.aborted).toBe(true);
    const atEnd = services.produced;
    await start(await connectAs(user("ana", Role.ROLE_OPERATOR)));
    expect(services.produced).toBe(atEnd);
  });

  it("carries bytes both ways in order and ends when both sides have", async () => {
    const connection = await connectAs(user("ana", Role.ROLE_OPERATOR));
    const sent = Array.from({ length: 500 }, (_, index) => Buffer.alloc(10_000, index % 251));
    const requests = async function* () {
      for (const value of sent) yield { message: { $case: "stdin" as const, value } };
    };
    const received: Buffer[] = [];
    let code = -1;
    for await (const { message } of connection.bidi(
      ExecServiceService.exec,
      requests(),
    ) as AsyncIterable<ExecResponse>) {
      if (message?.$case === "stdout") received.push(message.value);
      if (message?.$case === "exit") code = message.value.code;
    }
    expect(code).toBe(7);
    expect(Buffer.concat(received).equals(Buffer.concat(sent))).toBe(true);
  });
});

describe("a main listener", () => {
  const handshake = (options: object): Promise<string> =>
    new Promise((resolve) => {
      const [host, port] = address.split(":");
      const socket = connectTls({
        host,
        port: Number(port),
        rejectUnauthorized: false,
        ALPNProtocols: ["h2"],
        ...options,
      });
      socket.on("error", (error) => resolve(error.message));
      socket.on("data", () => resolve("answered"));
      socket.on("close", () => resolve("closed"));
      socket.on("secureConnect", () => socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"));
    });

  it("refuses TLS 1.2", async () => {
    expect(await handshake({ maxVersion: "TLSv1.2" })).toMatch(/version|alert/i);
  });

  it("refuses a client without a certificate, or with one of another CA", async () => {
    expect(await handshake({})).toMatch(/certificate|closed/i);
    const stranger = await Authority.open(await mkdtemp(join(directory, "ca-")));
    const { keyPem, certificatePem } = await identityOf(user("ana", Role.ROLE_ADMIN), stranger);
    expect(await handshake({ key: keyPem, cert: certificatePem })).toMatch(/certificate|unknown ca|closed/i);
  });

  it("drops plaintext and goes on serving", async () => {
    const [host, port] = address.split(":");
    const closed = await new Promise<boolean>((resolve) => {
      const socket = connectTcp(Number(port), host ?? "", () => socket.write("GET / HTTP/1.0\r\n\r\n"));
      socket.on("error", () => resolve(true));
      socket.on("close", () => resolve(true));
      socket.resume();
    });
    expect(closed).toBe(true);
    await start(await connectAs(user("ana", Role.ROLE_OPERATOR)));
  });
});

describe.each(clients)("a connection, of $over,", ({ kind }) => {
  beforeAll(() => {
    Client = kind;
  });

  it.each([[{ serverName: "other.host.zor" }], [{ serverUri: "zor://host/alpha" }]])(
    "refuses a server that is not the one it wants: %j",
    async (change) => {
      await expect(start(await connectAs(user("ana", Role.ROLE_ADMIN), change))).rejects.toMatchObject({
        code: status.UNAVAILABLE,
      });
    },
  );

  it("refuses a server whose certificate is revoked, which it knows by the serial number", async () => {
    const identity = await identityOf(user("ana", Role.ROLE_ADMIN));
    const asked: string[] = [];
    const isRevoked = (serial: string): boolean => asked.push(serial) > 0;
    const connection = new Client({ address, identity, serverName: "hub.zor", isRevoked });
    open.push(connection);
    await expect(start(connection)).rejects.toMatchObject({ message: expect.stringContaining("has been revoked") });
    expect(asked[0]).toBe(serverSerial);
  });

  it("says where it could not connect", async () => {
    const identity = await identityOf(user("ana", Role.ROLE_ADMIN));
    const nobody = new Client({ address: "127.0.0.1:1", identity, serverName: "hub.zor" });
    open.push(nobody);
    await expect(start(nobody)).rejects.toMatchObject({
      reason: "NO_CONNECTION",
      message: expect.stringContaining("127.0.0.1:1"),
    });
  });
});
