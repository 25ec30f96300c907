import { createConnection } from "node:net";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import { status } from "@grpc/grpc-js";
import { describe, expect, test } from "vitest";
import { Connection } from "../../../lib/grpc/connection.js";
import { createCsr } from "../../../lib/tls/csr.js";
import { certificateFacts, createKeyPem, derToPem, type Identity, loadIdentity } from "../../../lib/tls/identity.js";
import { hubServerName, join } from "../../../lib/tls/join.js";
import { formatToken, parseToken } from "../../../lib/tls/token.js";
import { HostState } from "../../../proto/gen/zor/v1/host.js";
import { CreateHostRequest, HostServiceService, ListHostsRequest } from "../../../proto/gen/zor/v1/host_service.js";
import { JoinRequest, JoinServiceService, RenewServiceService } from "../../../proto/gen/zor/v1/join_service.js";
import { CreateTokenRequest, Role, TokenServiceService } from "../../../proto/gen/zor/v1/token_service.js";
import { WatchRequest, WatchServiceService } from "../../../proto/gen/zor/v1/watch_service.js";
import { TcpProxy } from "../../fakes/tcp-proxy.js";
import { HubFixture } from "./fixture.js";

type TokenFields = Parameters<typeof CreateTokenRequest.fromPartial>[0];

async function createToken(fixture: HubFixture, fields: TokenFields = {}): Promise<string> {
  const request = CreateTokenRequest.fromPartial({
    subject: { $case: "userId", value: "ana" },
    role: Role.ROLE_VIEWER,
    ...fields,
  });
  return (await fixture.admin.unary(TokenServiceService.createToken, request)).token;
}

/** Sends a token to a hub's join listener as it is, whatever hub it names. */
async function sendToken(fixture: HubFixture, token: string): Promise<unknown> {
  const { caPem } = await loadIdentity(fixture.hub.adminDirectory);
  const [address = ""] = fixture.hub.addresses.join;
  const identity = { caPem, keyPem: "", certificatePem: "" };
  const connection = new Connection({ address, serverName: hubServerName, identity });
  try {
    const csr = await createCsr(createKeyPem());
    return await connection.unary(JoinServiceService.join, JoinRequest.fromPartial({ token, csr }));
  } finally {
    connection.close();
  }
}

const listHosts = (connection: Connection) =>
  connection.unary(HostServiceService.listHosts, ListHostsRequest.fromPartial({}));

/** What a listener says to a TLS handshake: "accepted", or the error. With TLS 1.3 a refused client learns it after its handshake. */
function handshake(address: string, options: ConnectionOptions): Promise<string> {
  const [host = "", port = ""] = address.split(":");
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket: TLSSocket = connectTls({
    host,
    port: Number(port),
    servername: hubServerName,
    rejectUnauthorized: false,
    ALPNProtocols: ["h2"],
    ...options,
  });
  socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  socket.on("close", () => resolve("closed"));
  // An HTTP/2 server speaks first.
  socket.on("data", () => resolve("accepted"));
  return promise.finally(() => socket.destroy());
}

describe("joining", () => {
  test("goes on when handshakes are dropped, before and after the hub has shown itself", async () => {
    await using fixture = await HubFixture.start();
    const proxy = await TcpProxy.start(() => fixture.hub.addresses.join[0] ?? "");
    fixture.defer(() => proxy.close());
    proxy.drop([1, 2, 4]);
    const token = parseToken(await createToken(fixture));
    const { response } = await join(formatToken({ ...token, addresses: [proxy.address] }));
    expect(response.identity).toBe("zor://user/ana");
    expect(proxy.connections).toBe(5);
  });

  test("a person's token gives a certificate with the identity and role the admin chose, and works once", async () => {
    await using fixture = await HubFixture.start();
    const token = await createToken(fixture, { role: Role.ROLE_OPERATOR });
    const { identity, response } = await join(token);
    expect(response.identity).toBe("zor://user/ana");
    expect(certificateFacts(identity.certificatePem).uris).toEqual(["zor://user/ana", "zor://role/operator"]);
    expect(response.hubAddresses).toEqual(fixture.hub.addresses.listen);
    expect((await listHosts(fixture.connectAs(identity))).hosts).toEqual([]);
    await expect(join(token)).rejects.toMatchObject({ reason: "TOKEN_USED", code: status.ALREADY_EXISTS });
  });

  test("of many who use one token at once exactly one gets in", async () => {
    await using fixture = await HubFixture.start();
    const token = await createToken(fixture);
    const results = await Promise.allSettled(Array.from({ length: 6 }, () => join(token)));
    expect(results.filter(({ status: outcome }) => outcome === "fulfilled")).toHaveLength(1);
  });

  test("an expired token is refused", async () => {
    await using fixture = await HubFixture.start();
    const token = await createToken(fixture, { ttl: { seconds: 0n, nanos: 1_000_000 } });
    await expect(join(token)).rejects.toMatchObject({ reason: "TOKEN_EXPIRED", code: status.FAILED_PRECONDITION });
  });

  test("a joiner sends nothing to a hub that is not the token's", async () => {
    await using fixture = await HubFixture.start();
    await using other = await HubFixture.start();
    const { caSha256, secret } = parseToken(await createToken(other));
    const misled = formatToken({ addresses: fixture.hub.addresses.join, caSha256, secret });
    await expect(join(misled)).rejects.toMatchObject({ reason: "WRONG_HUB", code: status.PERMISSION_DENIED });
  });

  test("a hub refuses another hub's token, one it never made, and what is no token", async () => {
    await using fixture = await HubFixture.start();
    await using other = await HubFixture.start();
    await expect(sendToken(fixture, await createToken(other))).rejects.toMatchObject({ reason: "TOKEN_FOREIGN" });
    const { addresses, caSha256 } = parseToken(await createToken(fixture));
    const invented = formatToken({ addresses, caSha256, secret: Buffer.alloc(32, 7) });
    await expect(join(invented)).rejects.toMatchObject({ reason: "TOKEN_UNKNOWN", code: status.UNAUTHENTICATED });
    await expect(sendToken(fixture, "zor1.nonsense")).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  });

  test("a token of a host that was deleted is refused, and none is made for one that never was", async () => {
    await using fixture = await HubFixture.start();
    const { joinToken } = await fixture.admin.unary(
      HostServiceService.createHost,
      CreateHostRequest.fromPartial({ hostId: "alpha" }),
    );
    await fixture.admin.unary(HostServiceService.deleteHost, {
      name: "hosts/alpha",
      requestId: "",
      validateOnly: false,
      force: false,
    });
    await expect(join(joinToken)).rejects.toMatchObject({ reason: "TOKEN_UNKNOWN" });
    const subject = { $case: "hostId", value: "nope" } as const;
    await expect(createToken(fixture, { subject })).rejects.toMatchObject({ code: status.NOT_FOUND });
  });

  test("a person's token does not let a host in, nor a host's a person", async () => {
    await using fixture = await HubFixture.start();
    const host = { addresses: [], underlayAddresses: [], undialable: false, uid: "u1" };
    await expect(join(await createToken(fixture), { host })).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    const { joinToken } = await fixture.admin.unary(
      HostServiceService.createHost,
      CreateHostRequest.fromPartial({ hostId: "alpha" }),
    );
    await expect(join(joinToken)).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    // Neither token was used up by the refusal.
    expect((await join(joinToken, { host })).response.identity).toBe("zor://host/alpha");
  });

  test("somebody who guesses is slowed down", async () => {
    await using fixture = await HubFixture.start();
    const { addresses, caSha256 } = parseToken(await createToken(fixture));
    const reasons: unknown[] = [];
    for (let guess = 0; guess < 12; guess += 1) {
      const token = formatToken({ addresses, caSha256, secret: Buffer.alloc(32, guess) });
      reasons.push(await sendToken(fixture, token).catch((error: { reason: unknown }) => error.reason));
    }
    expect(reasons.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => "TOKEN_UNKNOWN"));
    expect(reasons.at(-1)).toBe("TOO_MANY_FAILURES");
  });

  test("a certificate is renewed for the caller's own identity and a new key", async () => {
    await using fixture = await HubFixture.start();
    const { identity } = await join(await createToken(fixture));
    const keyPem = createKeyPem();
    const { certificate, expireTime } = await fixture
      .connectAs(identity)
      .unary(RenewServiceService.renew, { csr: await createCsr(keyPem) });
    const renewed: Identity = { ...identity, keyPem, certificatePem: derToPem(certificate) };
    expect(certificateFacts(renewed.certificatePem).uris).toEqual(["zor://user/ana", "zor://role/viewer"]);
    expect(expireTime?.getTime()).toBeGreaterThan(Date.now());
    expect((await listHosts(fixture.connectAs(renewed))).hosts).toEqual([]);
  });

  test.each([
    ["no request at all", Buffer.alloc(0)],
    ["noise", Buffer.from("not a request")],
  ])("a renewal with %s is refused", async (_what, csr) => {
    await using fixture = await HubFixture.start();
    const call = fixture.admin.unary(RenewServiceService.renew, { csr });
    await expect(call).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  });
});

describe("revocation", () => {
  test("ends open streams within seconds and refuses new calls, while a new token lets the person in again", async () => {
    await using fixture = await HubFixture.start();
    const { identity } = await join(await createToken(fixture));
    const old = fixture.connectAs(identity);
    const watching = (async () => {
      for await (const { step } of old.stream(WatchServiceService.watch, WatchRequest.fromPartial({}))) {
        if (step?.$case !== "snapshotEnd") continue;
        const request = { identity: "zor://user/ana", requestId: "" };
        await fixture.admin.unary(TokenServiceService.revokeIdentity, request);
      }
    })();
    await expect(watching).rejects.toMatchObject({ reason: "CERTIFICATE_REVOKED" });
    await expect(listHosts(old)).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
    const again = await join(await createToken(fixture));
    expect((await listHosts(fixture.connectAs(again.identity))).hosts).toEqual([]);
    await fixture.restart();
    await expect(listHosts(fixture.connectAs(identity))).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
  });

  test("a host whose certificate is revoked is UNREACHABLE and says why", async () => {
    await using fixture = await HubFixture.start();
    await fixture.addHost("alpha");
    await fixture.hostState("alpha", HostState.HOST_STATE_READY);
    const request = { identity: "zor://host/alpha", requestId: "" };
    await fixture.admin.unary(TokenServiceService.revokeIdentity, request);
    const host = await fixture.hostState("alpha", HostState.HOST_STATE_UNREACHABLE);
    expect(host.reason).toMatch(/revoked/);
  });
});

describe("the listeners", () => {
  test.each(["listen", "join", "reverse"] as const)("TLS 1.2 is refused on %s", async (listener) => {
    await using fixture = await HubFixture.start();
    const [address = ""] = fixture.hub.addresses[listener];
    const admin = await loadIdentity(fixture.hub.adminDirectory);
    const outcome = await handshake(address, {
      maxVersion: "TLSv1.2",
      key: admin.keyPem,
      cert: admin.certificatePem,
    });
    expect(outcome).toMatch(/PROTOCOL_VERSION/);
  });

  test.each(["listen", "reverse"] as const)(
    "%s refuses clients without a certificate, and with a foreign one",
    async (listener) => {
      await using fixture = await HubFixture.start();
      await using other = await HubFixture.start();
      const [address = ""] = fixture.hub.addresses[listener];
      const foreign = await loadIdentity(other.hub.adminDirectory);
      expect(await handshake(address, {})).not.toBe("accepted");
      expect(await handshake(address, { key: foreign.keyPem, cert: foreign.certificatePem })).not.toBe("accepted");
    },
  );

  test("a person's certificate does not open the reverse listener", async () => {
    await using fixture = await HubFixture.start();
    const [address = ""] = fixture.hub.addresses.reverse;
    const admin = await loadIdentity(fixture.hub.adminDirectory);
    expect(await handshake(address, { key: admin.keyPem, cert: admin.certificatePem })).not.toBe("accepted");
  });

  test.each(["listen", "join", "reverse"] as const)(
    "plaintext on %s is closed and the hub goes on",
    async (listener) => {
      await using fixture = await HubFixture.start();
      const [host = "", port = ""] = (fixture.hub.addresses[listener][0] ?? "").split(":");
      const closed = Promise.withResolvers<void>();
      const socket = createConnection({ host, port: Number(port) }, () => socket.write("GET / HTTP/1.1\r\n\r\n"));
      socket.on("error", () => closed.resolve());
      socket.on("close", () => closed.resolve());
      await closed.promise;
      expect((await listHosts(fixture.admin)).hosts).toEqual([]);
    },
  );

  test("the join listener serves joining and nothing else", async () => {
    await using fixture = await HubFixture.start();
    const [address = ""] = fixture.hub.addresses.join;
    const identity = await loadIdentity(fixture.hub.adminDirectory);
    const connection = new Connection({ address, serverName: hubServerName, identity });
    fixture.defer(() => connection.close());
    await expect(listHosts(connection)).rejects.toMatchObject({ code: status.UNIMPLEMENTED });
  });
});

describe("requests that are repeated", () => {
  test("the same request_id with the same body gives the same answer, with another body it is refused", async () => {
    await using fixture = await HubFixture.start();
    const request = CreateHostRequest.fromPartial({ hostId: "alpha", requestId: "r1" });
    const first = await fixture.admin.unary(HostServiceService.createHost, request);
    const again = await fixture.admin.unary(HostServiceService.createHost, request);
    expect(again.joinToken).toBe(first.joinToken);
    await expect(
      fixture.admin.unary(HostServiceService.createHost, { ...request, hostId: "beta" }),
    ).rejects.toMatchObject({ reason: "REQUEST_ID_REUSED", code: status.INVALID_ARGUMENT });
    expect((await listHosts(fixture.admin)).hosts.map(({ name }) => name)).toEqual(["hosts/alpha"]);
  });

  test("a retry after a restart is recognised, and its answer holds no token any more", async () => {
    await using fixture = await HubFixture.start();
    const request = CreateHostRequest.fromPartial({ hostId: "alpha", requestId: "r1" });
    await fixture.admin.unary(HostServiceService.createHost, request);
    await fixture.restart();
    const again = await fixture.admin.unary(HostServiceService.createHost, request);
    expect(again.host?.name).toBe("hosts/alpha");
    expect(again.joinToken).toBe("");
  });

  test("a request that is only checked changes nothing", async () => {
    await using fixture = await HubFixture.start();
    const request = CreateHostRequest.fromPartial({ hostId: "alpha", requestId: "r1", validateOnly: true });
    const checked = await fixture.admin.unary(HostServiceService.createHost, request);
    expect(checked.joinToken).toBe("");
    expect((await listHosts(fixture.admin)).hosts).toEqual([]);
  });

  test.each([
    ["a name that begins with a dash", { hostId: "-foo" }],
    ["a name with a comma", { hostId: "a,b" }],
    ["an empty name", { hostId: "" }],
    ["an address without a port", { hostId: "a", host: { addresses: ["10.0.0.1"] } }],
    ["an address that is neither IP nor name", { hostId: "a", host: { addresses: ["10.0.1:1"] } }],
    ["a token that lives for ever", { hostId: "a", tokenTtl: { seconds: 90_000n, nanos: 0 } }],
    ["a label with a control character", { hostId: "a", host: { labels: { site: "a\u0007" } } }],
  ])("a host with %s is refused", async (_what, fields) => {
    await using fixture = await HubFixture.start();
    const call = fixture.admin.unary(HostServiceService.createHost, CreateHostRequest.fromPartial(fields));
    await expect(call).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    expect((await listHosts(fixture.admin)).hosts).toEqual([]);
  });
});
