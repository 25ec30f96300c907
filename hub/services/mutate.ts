import type { CallContext } from "../../lib/grpc/service.js";
import type { RequestIds, SerializableMethod } from "../../lib/idempotency.js";

/** A call that changes something, and what recognises its retries. */
export interface Mutation<Request, Response> {
  readonly requests: RequestIds;
  readonly method: SerializableMethod<Request, Response>;
  readonly request: Request & { readonly requestId: string; readonly validateOnly?: boolean };
  readonly context: CallContext;
}

/** Runs a change once per request_id. One that is only checked changes nothing and is not remembered. */
export function mutate<Request, Response>(
  { requests, method, request, context }: Mutation<Request, Response>,
  work: () => Promise<Response>,
): Promise<Response> {
  if (request.validateOnly === true) return work();
  return requests.once(method, request, context.caller.identity, work);
}
