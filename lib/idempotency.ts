import { createHash } from "node:crypto";
import { status } from "@grpc/grpc-js";
import { invalidArgument, ZorError } from "./errors.js";
import { nothingToTell } from "./events/call-trail.js";

/** What is remembered of a request that changed something. */
export interface RequestRecord {
  /** SHA-256 of caller, method and body. */
  readonly digest: string;
  /** Serialised response. */
  readonly response: Uint8Array;
  /** When the request was answered, in milliseconds since the epoch. */
  readonly timeMs: number;
}

/** Where request records are kept. `put` is durable when it resolves. */
export interface RequestStore {
  find(id: string): Promise<RequestRecord | undefined>;
  put(id: string, record: RequestRecord): Promise<void>;
}

/** An answer as it is remembered, for work that stores it in one step with what it changes. */
export interface SealedAnswer {
  /** Key of the record in the {@link RequestStore}. */
  readonly key: string;
  readonly record: RequestRecord;
}

/** Seals the answer that the work is about to give; undefined when the request has no id. Whoever calls it stores the record. */
export type Seal<Response> = (response: Response) => SealedAnswer | undefined;

/** Serialisers of a method, as ts-proto defines them. */
export interface SerializableMethod<Request, Response> {
  readonly path: string;
  readonly requestSerialize: (value: Request) => Buffer;
  readonly responseSerialize: (value: Response) => Buffer;
  readonly responseDeserialize: (value: Buffer) => Response;
}

const idPattern = /^[\x21-\x7e]{1,64}$/;

/** Checks a request_id, which may be empty. @throws {ZorError} INVALID_ARGUMENT */
export function checkRequestId(id: string): void {
  if (id !== "" && !idPattern.test(id)) throw invalidArgument("request_id", "use 1 to 64 printable ASCII characters");
}

/** Makes mutations safe to retry: the same request_id with the same body gives the first answer and changes nothing. */
export class RequestIds {
  readonly #store: RequestStore;
  readonly #running = new Map<string, { readonly digest: string; readonly answer: Promise<unknown> }>();

  constructor(store: RequestStore) {
    this.#store = store;
  }

  /**
   * Runs `work` unless this request was answered before. Failed requests are not remembered: they changed nothing.
   * An empty id always runs. The answer is put into the store afterwards, unless the work has sealed it. @throws {ZorError} INVALID_ARGUMENT (REQUEST_ID_REUSED) for the same id with another body.
   */
  async once<Request extends { readonly requestId: string }, Response>(
    method: SerializableMethod<Request, Response>,
    request: Request,
    identity: string,
    work: (seal: Seal<Response>) => Promise<Response>,
  ): Promise<Response> {
    const id = request.requestId;
    if (id === "") return work(() => undefined);
    checkRequestId(id);
    const digest = createHash("sha256")
      .update(`${identity}\0${method.path}\0`)
      .update(method.requestSerialize(request))
      .digest("hex");
    // Ids are the caller's own: another caller's equal id is another request.
    const key = `${identity} ${id}`;
    const running = this.#running.get(key);
    if (running !== undefined) {
      if (running.digest !== digest) throw reused(id);
      nothingToTell();
      // The digest covers the method, so the answer is of its response type.
      return running.answer as Promise<Response>;
    }
    const answer = this.#answer(method, { id, key, digest }, work);
    this.#running.set(key, { digest, answer });
    try {
      return await answer;
    } finally {
      this.#running.delete(key);
    }
  }

  async #answer<Request, Response>(
    method: SerializableMethod<Request, Response>,
    { id, key, digest }: { readonly id: string; readonly key: string; readonly digest: string },
    work: (seal: Seal<Response>) => Promise<Response>,
  ): Promise<Response> {
    const record = await this.#store.find(key);
    if (record !== undefined) {
      if (record.digest !== digest) throw reused(id);
      nothingToTell();
      return method.responseDeserialize(Buffer.from(record.response));
    }
    const toRecord = (response: Response): RequestRecord => ({
      digest,
      response: method.responseSerialize(response),
      timeMs: Date.now(),
    });
    let sealed = false;
    const response = await work((answer) => {
      sealed = true;
      return { key, record: toRecord(answer) };
    });
    if (!sealed) await this.#store.put(key, toRecord(response));
    return response;
  }
}

function reused(id: string): ZorError {
  const description = `${JSON.stringify(id)} was used for another request; use a new one`;
  return new ZorError({
    reason: "REQUEST_ID_REUSED",
    code: status.INVALID_ARGUMENT,
    message: `request_id ${description}`,
    violations: [{ field: "request_id", description }],
  });
}
