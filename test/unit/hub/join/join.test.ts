import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FailureLimiter } from "../../../../hub/join/rate-limit.js";
import {
  mintToken,
  parseTtlMs,
  planTokenCleanup,
  type TokenSubject,
  verifyToken,
} from "../../../../hub/join/tokens.js";
import { SqliteStore } from "../../../../hub/store/sqlite-store.js";
import { isDialAddress } from "../../../../lib/socket-address.js";
import { Role } from "../../../../proto/gen/zor/v1/token_service.js";

const now = new Date("2026-01-01T00:00:00Z");
const later = (ms: number): Date => new Date(now.getTime() + ms);
const ana: TokenSubject = { kind: "user", id: "ana", role: Role.ROLE_VIEWER };

describe("tokens", () => {
  let directory: string;
  let store: SqliteStore;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "zt-tok-"));
    store = SqliteStore.open(join(directory, "hub.db"));
  });
  afterEach(async () => {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });

  const mint = async (ttlMs = 1000): Promise<Buffer> => {
    const token = mintToken(ana, ttlMs, now);
    await store.commit([token.change]);
    return token.secret;
  };

  test("a good token names whom it lets in, as often as it is looked at before it is used", async () => {
    const secret = await mint();
    expect((await verifyToken(store, secret, now)).subject).toEqual(ana);
    expect((await verifyToken(store, secret, later(999))).subject).toEqual(ana);
  });

  test("it is good until, and not at, the end of its life", async () => {
    const secret = await mint();
    await expect(verifyToken(store, secret, later(1000))).rejects.toMatchObject({ reason: "TOKEN_EXPIRED" });
  });

  test("a used one is refused", async () => {
    const secret = await mint();
    await store.commit([(await verifyToken(store, secret, now)).consume]);
    await expect(verifyToken(store, secret, now)).rejects.toMatchObject({ reason: "TOKEN_USED" });
  });

  test("two that were found good at the same time cannot both be used", async () => {
    const secret = await mint();
    const [first, second] = [await verifyToken(store, secret, now), await verifyToken(store, secret, now)];
    await store.commit([first.consume]);
    await expect(store.commit([second.consume])).rejects.toMatchObject({ reason: "STORE_CONFLICT" });
  });

  test("one bit off in any byte is unknown, in the part that finds it and in the part that is compared", async () => {
    const secret = await mint();
    for (let index = 0; index < secret.length; index += 1) {
      const wrong = Buffer.from(secret);
      wrong.writeUInt8(wrong.readUInt8(index) ^ 1, index);
      await expect(verifyToken(store, wrong, now)).rejects.toMatchObject({ reason: "TOKEN_UNKNOWN" });
    }
  });

  test("the store holds nothing from which a token could be made", async () => {
    const secret = await mint();
    const [record] = await store.list("tokens");
    const stored = `${record?.key} ${Buffer.from(record?.value ?? []).toString()}`;
    for (const form of ["hex", "base64", "base64url"] as const) {
      expect(stored).not.toContain(secret.subarray(8).toString(form));
    }
  });

  test("one is forgotten a day after it expired", async () => {
    await mint();
    expect(await planTokenCleanup(store, later(24 * 3600 * 1000))).toEqual([]);
    expect(await planTokenCleanup(store, later(24 * 3600 * 1000 + 1001))).toHaveLength(1);
  });
});

describe("the life of a token", () => {
  test.each([
    [undefined, 900_000],
    [{ seconds: 1n, nanos: 500_000_000 }, 1500],
    [{ seconds: 86_400n, nanos: 0 }, 86_400_000],
  ])("%o is %i ms", (ttl, ms) => {
    expect(parseTtlMs("ttl", ttl)).toBe(ms);
  });
  test.each([
    [{ seconds: 0n, nanos: 0 }],
    [{ seconds: -1n, nanos: 0 }],
    [{ seconds: 86_400n, nanos: 1 }],
    [{ seconds: 9_000_000_000_000n, nanos: 0 }],
  ])("%o is refused", (ttl) => {
    expect(() => parseTtlMs("ttl", ttl)).toThrow(/24 hours/);
  });
});

describe("the limit of failed attempts", () => {
  const limited = (limiter: FailureLimiter, peer: string): boolean => {
    try {
      limiter.check(peer);
      return false;
    } catch {
      return true;
    }
  };

  test("lets a burst through, then one more for every interval, for each peer apart", () => {
    let clock = 0;
    const limiter = new FailureLimiter({ burst: 3, perFailureMs: 1000, peers: 10 }, () => clock);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      expect(limited(limiter, "a")).toBe(false);
      limiter.failed("a");
    }
    expect(limited(limiter, "a")).toBe(true);
    expect(limited(limiter, "b")).toBe(false);
    clock = 1000;
    expect(limited(limiter, "a")).toBe(false);
    limiter.failed("a");
    expect(limited(limiter, "a")).toBe(true);
  });

  test("a flood of peers shares one allowance instead of memory without bound", () => {
    const limiter = new FailureLimiter({ burst: 2, perFailureMs: 1000, peers: 2 }, () => 0);
    for (const peer of ["a", "b", "c", "d"]) limiter.failed(peer);
    expect(limited(limiter, "never seen")).toBe(true);
    expect(limited(limiter, "a")).toBe(false);
  });
});

test.each([
  ["10.0.0.1:7443", true],
  ["[fd00::1]:7443", true],
  ["10.0.0.1", false],
  ["10.0.0.1:0", false],
  ["10.0.0.1:65536", false],
  ["fd00::1:7443", false],
  ["[10.0.0.1]:7443", false],
  ["example.org:7443", true],
  ["h1:7443", true],
  ["-h1:7443", false],
  ["10.0.1:7443", false],
  ["a..b:7443", false],
  ["user@h1:7443", false],
  ["h1/x:7443", false],
  [`${"a".repeat(64)}:7443`, false],
  ["10.0.0.1:7443\n", false],
  ["", false],
])("%j as a socket address: %s", (text, valid) => {
  expect(isDialAddress(text)).toBe(valid);
});
