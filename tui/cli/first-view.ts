import type { Connection } from "../../lib/grpc/connection.js";
import { ViewServiceService, type WatchViewRequest, WatchViewResponse } from "../../proto/gen/zor/v1/view_service.js";

/** A window as it is now: the first response of a view, which is then left. */
export async function firstView(
  connection: Connection,
  request: WatchViewRequest,
  signal: AbortSignal | undefined,
): Promise<WatchViewResponse> {
  const ending = new AbortController();
  const both = signal === undefined ? ending.signal : AbortSignal.any([signal, ending.signal]);
  try {
    for await (const response of connection.stream(ViewServiceService.watchView, request, { signal: both }))
      return response;
  } finally {
    ending.abort();
  }
  return WatchViewResponse.fromPartial({});
}
