import type { CallContext } from "../../lib/grpc/service.js";
import { checkRequestId, type RequestIds, type SerializableMethod } from "../../lib/idempotency.js";

/** A request that changes something. */
interface MutationRequest {
  readonly requestId: string;
  readonly validateOnly: boolean;
}

/** Runs a mutation once per request_id. A request that is only checked changes nothing, so nothing of it is remembered. */
export async function once<Request extends MutationRequest, Response>(
  requests: RequestIds,
  method: SerializableMethod<Request, Response>,
  call: { readonly request: Request; readonly context: CallContext },
  work: () => Promise<Response>,
): Promise<Response> {
  const { request, context } = call;
  checkRequestId(request.requestId);
  return request.validateOnly ? work() : requests.once(method, request, context.caller.identity, work);
}
