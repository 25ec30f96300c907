import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { status } from "@grpc/grpc-js";
import { toMs } from "../../lib/duration.js";
import { invalidArgument, ZorError } from "../../lib/errors.js";
import type { Role } from "../../proto/gen/zor/v1/token_service.js";
import type { Change, Store } from "../store/store.js";
import type { KnownToken } from "./join-protocol.js";

/** Bytes of a token's secret: the first 8 find its record, the other 24 are only compared. */
const idBytes = 8;
const secretBytes = 32;
const defaultTtlMs = 15 * 60 * 1000;
const maxTtlMs = 24 * 60 * 60 * 1000;
/** A used or expired token is remembered this long, so that it is told from one that never was. */
const keepMs = 24 * 60 * 60 * 1000;

/** Whom a token lets in. */
export interface TokenSubject {
  readonly kind: "host" | "user" | "service";
  readonly id: string;
  readonly role: Role;
}

interface TokenRecord extends TokenSubject {
  /** SHA-256 of the secret, base64. */
  readonly hash: string;
  readonly expireTime: string;
  readonly used: boolean;
}

/** A minted token, not yet committed. */
export interface MintedToken {
  readonly secret: Buffer;
  readonly expireTime: Date;
  readonly change: Change;
}

/** A token that was found good. */
export interface VerifiedToken {
  readonly subject: TokenSubject;
  /** Marks it used; fails with ABORTED when it has been used meanwhile. */
  readonly consume: Change;
}

/** Checks a request's lifetime for a token, in ms. @throws {ZorError} INVALID_ARGUMENT. */
export function parseTtlMs(
  field: string,
  ttl: { readonly seconds: bigint; readonly nanos: number } | undefined,
): number {
  if (ttl === undefined) return defaultTtlMs;
  const ms = toMs(ttl);
  if (!(ms > 0 && ms <= maxTtlMs)) throw invalidArgument(field, "must be more than 0 and at most 24 hours");
  return ms;
}

/** Makes a token's secret and the change that stores its hash; the secret itself is kept nowhere. */
export function mintToken(subject: TokenSubject, ttlMs: number, now: Date): MintedToken {
  const secret = randomBytes(secretBytes);
  const expireTime = new Date(now.getTime() + ttlMs);
  const record: TokenRecord = {
    ...subject,
    hash: hashOf(secret).toString("base64"),
    expireTime: expireTime.toISOString(),
    used: false,
  };
  return { secret, expireTime, change: put(tokenKeyOf(secret), record, 0n) };
}

/**
 * Finds the token with this secret.
 * @throws {ZorError} UNAUTHENTICATED TOKEN_UNKNOWN, FAILED_PRECONDITION TOKEN_EXPIRED, ALREADY_EXISTS TOKEN_USED.
 */
export async function verifyToken(store: Store, secret: Buffer, now: Date): Promise<VerifiedToken> {
  const stored = await store.get("tokens", tokenKeyOf(secret));
  const record = stored === undefined ? undefined : decode(stored.value);
  // Compared even when there is no record, so that the time taken tells nothing.
  const expected = record === undefined ? Buffer.alloc(32) : Buffer.from(record.hash, "base64");
  const same = timingSafeEqual(hashOf(secret), expected);
  if (stored === undefined || record === undefined || !same) {
    throw unknownToken();
  }
  if (record.used) throw usedToken();
  if (Date.parse(record.expireTime) <= now.getTime()) {
    throw refusal("TOKEN_EXPIRED", status.FAILED_PRECONDITION, `the token expired at ${record.expireTime}`);
  }
  const { kind, id, role } = record;
  return { subject: { kind, id, role }, consume: put(stored.key, { ...record, used: true }, stored.revision) };
}

/** The error of a token that this hub did not make, or has forgotten. */
export function unknownToken(): ZorError {
  return refusal("TOKEN_UNKNOWN", status.UNAUTHENTICATED, "this hub does not know the token");
}

/** The error of a token with the CA of another hub. */
export function foreignToken(): ZorError {
  return new ZorError({
    reason: "TOKEN_FOREIGN",
    code: status.PERMISSION_DENIED,
    message: "the token is of another hub; ask an admin of this one for a token",
  });
}

/** The error of a token that somebody else has used. */
export function usedToken(): ZorError {
  return refusal("TOKEN_USED", status.ALREADY_EXISTS, "the token has been used: a token works once");
}

/** The changes that forget tokens which expired long ago. */
export async function planTokenCleanup(store: Store, now: Date): Promise<Change[]> {
  const records = await store.list("tokens");
  return records
    .filter(({ value }) => Date.parse(decode(value).expireTime) + keepMs < now.getTime())
    .map(({ key }) => ({ type: "delete", collection: "tokens", key }));
}

/** The changes that make every open token of a subject useless. */
export async function planTokenRemoval(store: Store, kind: TokenSubject["kind"], id: string): Promise<Change[]> {
  const records = await store.list("tokens");
  return records
    .filter(({ value }) => {
      const record = decode(value);
      return record.kind === kind && record.id === id;
    })
    .map(({ key }) => ({ type: "delete", collection: "tokens", key }));
}

/** All tokens on record, for those who only tell them from others. */
export async function listKnownTokens(store: Store): Promise<KnownToken[]> {
  return (await store.list("tokens")).map(({ key, value }) => ({ key, hash: decode(value).hash }));
}

/** What a commit has changed of the tokens there are. */
export function knownTokensOf(changes: readonly Change[]): KnownToken[] {
  return changes
    .filter(({ collection }) => collection === "tokens")
    .map((change) => ({ key: change.key, hash: change.type === "put" ? decode(change.value).hash : undefined }));
}

function refusal(reason: string, code: status, message: string): ZorError {
  return new ZorError({
    reason,
    code,
    message: `${message}; ask an admin for a new one ("zor token create" or "zor host add")`,
  });
}

/** Key of the record of the token with this secret. */
export function tokenKeyOf(secret: Buffer): string {
  return secret.subarray(0, idBytes).toString("hex");
}

function hashOf(secret: Buffer): Buffer {
  return createHash("sha256").update(secret).digest();
}

function put(key: string, record: TokenRecord, expect: bigint): Change {
  return { type: "put", collection: "tokens", key, value: Buffer.from(JSON.stringify(record)), expect };
}

function decode(value: Uint8Array): TokenRecord {
  // Only this module writes these records.
  return JSON.parse(Buffer.from(value).toString("utf8")) as TokenRecord;
}
