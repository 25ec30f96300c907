import type { CallContext } from "../../lib/grpc/service.js";
import { checkRequestId, type SerializableMethod } from "../../lib/idempotency.js";
import type { Change, Store } from "../store/store.js";
import type { StoredRequests } from "./requests.js";

/** A call that changes something, and what recognises its retries. */
export interface Mutation<Request, Response> {
  readonly store: Store;
  readonly requests: StoredRequests;
  readonly method: SerializableMethod<Request, Response>;
  readonly request: Request & { readonly requestId: string; readonly validateOnly?: boolean };
  readonly context: CallContext;
}

/** Makes the changes of a call and its answer durable in one step: a crash leaves both or neither. */
export type CommitAnswer<Response> = (changes: readonly Change[], answer: Response) => Promise<Response>;

/**
 * Runs a change once per request_id. The work commits through what it is given, once. A request that is only checked
 * changes nothing and is not remembered: its work must not commit.
 */
export async function mutate<Request, Response>(
  { store, requests, method, request, context }: Mutation<Request, Response>,
  work: (commit: CommitAnswer<Response>) => Promise<Response>,
): Promise<Response> {
  checkRequestId(request.requestId);
  if (request.validateOnly === true) return work(() => Promise.reject(new Error("a check must not commit")));
  return requests.ids.once(method, request, context.caller.identity, (seal) =>
    work(async (changes, answer) => {
      const sealed = seal(answer);
      await store.commit([...changes, ...requests.remember(sealed)]);
      requests.keep(sealed);
      return answer;
    }),
  );
}
