import { randomBytes } from "node:crypto";
import { status } from "@grpc/grpc-js";
import type { Caller } from "../../lib/auth/caller.js";
import { ZorError } from "../../lib/errors.js";
import { Session } from "../../proto/gen/zor/v1/session.js";
import type { Publisher } from "./publisher.js";

/** What is told of somebody at a terminal. */
export type SessionFacts = Pick<Session, "type" | "target" | "writable"> &
  Partial<Pick<Session, "port" | "program" | "user">>;

/** Who it is, and from where. */
export interface SessionOwner {
  readonly caller: Pick<Caller, "identity" | "serial">;
  /** Socket address; through a hub the one that it tells. */
  readonly peer: string;
}

/** A session that somebody else may end. */
export interface EnteredSession {
  readonly session: Session;
  /** Aborts when somebody ends it; the reason, a ZorError, is what its caller is told. */
  readonly signal: AbortSignal;
  /** It has ended. Idempotent. */
  leave(): void;
}

/** Who is at which terminal of this host. Kinds say who enters and leaves; another one shows it and ends what is to end. */
export class Sessions {
  readonly #host: string;
  readonly #publisher: Pick<Publisher, "publish" | "removed">;
  readonly #now: () => Date;
  readonly #entered = new Map<string, { readonly session: Session; readonly ending: AbortController }>();

  constructor(options: {
    readonly host: string;
    readonly publisher: Pick<Publisher, "publish" | "removed">;
    readonly now: () => Date;
  }) {
    this.#host = options.host;
    this.#publisher = options.publisher;
    this.#now = options.now;
  }

  /** Somebody begins. */
  enter(facts: SessionFacts, { caller, peer }: SessionOwner): EnteredSession {
    const session = Session.fromPartial({
      ...facts,
      name: `hosts/${this.#host}/sessions/${randomBytes(5).toString("hex")}`,
      caller: caller.identity,
      // Whom a hub names has shown this agent no certificate.
      origin: caller.serial === undefined ? `${peer}, through the hub` : peer,
      createTime: this.#now(),
    });
    const ending = new AbortController();
    this.#entered.set(session.name, { session, ending });
    this.#publisher.publish("session", session);
    const leave = (): void => {
      if (this.#entered.delete(session.name)) this.#publisher.removed("session", session.name);
    };
    return { session, signal: ending.signal, leave };
  }

  /** All there are. */
  list(): readonly Session[] {
    return [...this.#entered.values()].map(({ session }) => session);
  }

  find(name: string): Session | undefined {
    return this.#entered.get(name)?.session;
  }

  /** Ends one; it is left by whoever entered it. @param by identity of who ends it. */
  end(name: string, by: string): void {
    const ended = new ZorError({
      reason: "SESSION_ENDED",
      code: status.ABORTED,
      message: `${by} ended this session`,
      resource: name,
    });
    this.#entered.get(name)?.ending.abort(ended);
  }
}
