import { describe, expect, it } from "vitest";
import { AsyncQueue } from "../../../lib/async-queue.js";
import { effectiveCaller, findCaller } from "../../../lib/auth/caller.js";
import { authorize } from "../../../lib/auth/policy.js";
import { Backoff } from "../../../lib/backoff.js";
import { invalidFields } from "../../../lib/errors.js";
import { fromStatus, toStatus } from "../../../lib/grpc/status-codec.js";
import { KeyedQueue } from "../../../lib/keyed-queue.js";
import { formatToken, parseToken } from "../../../lib/tls/token.js";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";

describe("a keyed queue", () => {
  it("runs one piece of work at a time for a key, in order, also after a failure", async () => {
    const queue = new KeyedQueue();
    const log: string[] = [];
    const work = (name: string) => async () => {
      log.push(`${name} begins`);
      await Promise.resolve();
      log.push(`${name} ends`);
      if (name === "a") throw new Error("a failed");
    };
    const first = queue.run("k", work("a"));
    const second = queue.run("k", work("b"));
    await expect(first).rejects.toThrow("a failed");
    await second;
    expect(log).toEqual(["a begins", "a ends", "b begins", "b ends"]);
  });

  it("refuses more than it may hold, for that key only", async () => {
    const queue = new KeyedQueue(2);
    const { promise, resolve } = Promise.withResolvers<void>();
    const held = [queue.run("k", () => promise), queue.run("k", () => promise)];
    expect(() => queue.run("k", () => promise)).toThrow(/wait already/);
    await queue.run("other", async () => undefined);
    resolve();
    await Promise.all(held);
    await queue.run("k", async () => undefined);
  });
});

describe("an async queue", () => {
  it("gives what was queued before it ended or failed", async () => {
    const queue = new AsyncQueue<number>(2);
    expect([queue.push(1), queue.push(2), queue.push(3)]).toEqual([true, true, false]);
    queue.fail(new Error("cut"));
    const seen: number[] = [];
    const reading = (async () => {
      for await (const item of queue) seen.push(item);
    })();
    await expect(reading).rejects.toThrow("cut");
    expect(seen).toEqual([1, 2]);
  });
});

describe("a back-off", () => {
  it("grows to its longest wait, with jitter, and begins again after a success", () => {
    const backoff = new Backoff({ minMs: 100, maxMs: 1000 });
    const waits = Array.from({ length: 50 }, () => backoff.nextMs());
    expect(waits[0]).toBeLessThanOrEqual(100);
    expect(Math.max(...waits)).toBeLessThanOrEqual(1000);
    expect(Math.min(...waits.slice(10))).toBeGreaterThanOrEqual(500);
    expect(new Set(waits.slice(10)).size).toBeGreaterThan(1);
    backoff.reset();
    expect(backoff.nextMs()).toBeLessThanOrEqual(100);
  });
});

describe("callers", () => {
  it.each([
    [["zor://user/ana", "zor://role/operator"], { kind: "user", id: "ana", role: Role.ROLE_OPERATOR }],
    [["zor://host/h1", "zor://role/admin"], { kind: "host", id: "h1", role: Role.ROLE_UNSPECIFIED }],
    [["zor://user/ana"], { kind: "user", role: Role.ROLE_UNSPECIFIED }],
    [["zor://user/ana", "zor://role/toString"], { role: Role.ROLE_UNSPECIFIED }],
  ])("are read from %j", (uris, expected) => {
    expect(findCaller(uris)).toMatchObject(expected);
  });

  it.each([[[]], [["zor://user/a", "zor://user/b"]], [["zor://root/a"]], [["zor://user/-a"]], [["https://user/a"]]])(
    "are not read from %j",
    (uris: string[]) => {
      expect(findCaller(uris)).toBeUndefined();
    },
  );

  it("a hub cannot be forwarded as caller", () => {
    const hub = { identity: "zor://hub/h", kind: "hub", id: "h", role: Role.ROLE_ADMIN } as const;
    expect(() => effectiveCaller(hub, "zor://hub/other")).toThrow(/may not call/);
  });

  it.each([
    [Role.ROLE_VIEWER, "/zor.v1.InstanceService/ListInstances", true],
    [Role.ROLE_VIEWER, "/zor.v1.InstanceService/DeleteInstance", false],
    [Role.ROLE_OPERATOR, "/zor.v1.InstanceService/DeleteInstance", true],
    [Role.ROLE_OPERATOR, "/zor.v1.HostService/DeleteHost", false],
    [Role.ROLE_OPERATOR, "/zor.v1.TokenService/CreateToken", false],
    [Role.ROLE_ADMIN, "/zor.v1.TokenService/CreateToken", true],
    [Role.ROLE_ADMIN, "/zor.agent.v1.CableService/EnsureEnd", false],
    [Role.ROLE_OPERATOR, "/unknown.Service/Get", false],
    [Role.ROLE_UNSPECIFIED, "/zor.v1.InstanceService/ListInstances", false],
    [Role.ROLE_UNSPECIFIED, "/zor.v1.RenewService/Renew", true],
  ])("with role %s calling %s: %s", (role, method, allowed) => {
    const call = (): void => authorize({ identity: "zor://user/u", kind: "user", id: "u", role }, method);
    if (allowed) expect(call).not.toThrow();
    else expect(call).toThrow();
  });
});

describe("errors on the wire", () => {
  it("keep reason, resource, metadata and fields", () => {
    const error = invalidFields([{ field: "a.b", description: "no" }], "hosts/h");
    expect(fromStatus(toStatus(error))).toMatchObject({
      code: 3,
      reason: "INVALID_FIELD",
      resource: "hosts/h",
      violations: error.violations,
    });
  });

  it("tell what failed, not what failed while that was undone", () => {
    const first = invalidFields([{ field: "a.b", description: "no" }]);
    expect(toStatus(new SuppressedError(new Error("undoing"), first))).toMatchObject({ code: 3, message: "a.b: no" });
  });
});

describe("join tokens", () => {
  const token = { addresses: ["192.0.2.1:7441"], caSha256: Buffer.alloc(32, 1), secret: Buffer.alloc(32, 2) };

  it("survive copy and paste", () => {
    expect(parseToken(` ${formatToken(token)}\n`)).toEqual(token);
  });

  it.each(["", "zor1.", "zor2.abc", formatToken(token).slice(0, -8), `zor1.${"A".repeat(5000)}`])(
    "%j are refused without being repeated",
    (text) => {
      expect(() => parseToken(text)).toThrow(/^token: is not a join token/);
    },
  );
});
