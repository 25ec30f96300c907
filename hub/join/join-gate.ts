import { createHash, timingSafeEqual } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { resourceExhausted, type ZorError } from "../../lib/errors.js";
import { parseToken } from "../../lib/tls/token.js";
import { TokenBucket } from "../../lib/token-bucket.js";
import type { JoinRequest, JoinResponse } from "../../proto/gen/zor/v1/join_service.js";
import type { KnownToken } from "./join-protocol.js";
import type { FailureLimiter } from "./rate-limit.js";
import { foreignToken, tokenKeyOf, unknownToken } from "./tokens.js";

/** What a gate works with. */
export interface JoinGateOptions {
  readonly caSha256: Uint8Array;
  readonly limiter: FailureLimiter;
  /** Asks the hub, which has the last word. */
  readonly askHub: (request: JoinRequest) => Promise<JoinResponse>;
}

interface Token {
  readonly hash: Buffer;
  /** Attempts with this token that the hub is asked about. */
  readonly attempts: TokenBucket;
}

/** Requests that the hub is asked about at once. */
const maxAsked = 16;
const attempts = { perSecond: 0.5, burst: 6 };

/**
 * Decides which requests to join reach the hub: those with a token that exists. So somebody who guesses is answered here, whatever the
 * number of guesses, and never keeps a good token of the same address out; only failures are slowed down.
 */
export class JoinGate {
  readonly #options: JoinGateOptions;
  readonly #tokens = new Map<string, Token>();
  #asked = 0;

  constructor(options: JoinGateOptions) {
    this.#options = options;
  }

  /** Takes what has changed of the tokens there are. */
  learn(tokens: readonly KnownToken[]): void {
    for (const { key, hash } of tokens) {
      if (hash === undefined) this.#tokens.delete(key);
      // A token that was used has a record still: the hub tells what became of it.
      else this.#tokens.set(key, { hash: Buffer.from(hash, "base64"), attempts: new TokenBucket(attempts) });
    }
  }

  /** @param peer whom failures are counted for. @throws {ZorError} what is wrong with the token, or what the hub says. */
  async join(request: JoinRequest, peer: string): Promise<JoinResponse> {
    const token = this.#parse(request.token, peer);
    if (!token.caSha256.equals(this.#options.caSha256)) throw this.#failure(peer, foreignToken());
    let known = this.#find(token.secret);
    if (known === undefined) {
      // News of a token that was made a moment ago may be waiting to be read.
      await nextTurn();
      known = this.#find(token.secret);
    }
    if (known === undefined) throw this.#failure(peer, unknownToken());
    if (!known.attempts.take()) {
      throw resourceExhausted("TOO_MANY_FAILURES", "too many attempts with this token; try again in a few seconds");
    }
    if (this.#asked >= maxAsked) {
      throw resourceExhausted("JOIN_BUSY", "many join at the same time; try again in a few seconds");
    }
    this.#asked += 1;
    try {
      return await this.#options.askHub(request);
    } finally {
      this.#asked -= 1;
    }
  }

  #parse(text: string, peer: string): ReturnType<typeof parseToken> {
    try {
      return parseToken(text);
    } catch (error) {
      // It throws nothing else.
      throw this.#failure(peer, error as ZorError);
    }
  }

  #find(secret: Buffer): Token | undefined {
    const token = this.#tokens.get(tokenKeyOf(secret));
    const hash = createHash("sha256").update(secret).digest();
    return token !== undefined && timingSafeEqual(hash, token.hash) ? token : undefined;
  }

  #failure(peer: string, error: ZorError): ZorError {
    this.#options.limiter.check(peer);
    this.#options.limiter.failed(peer);
    return error;
  }
}
