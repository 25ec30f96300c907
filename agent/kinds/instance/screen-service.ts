import type { CallContext, Handlers } from "../../../lib/grpc/service.js";
import type {
  CaptureScreenRequest,
  CaptureScreenResponse,
  ScreenServiceService,
} from "../../../proto/gen/zor/v1/screen_service.js";
import type { HostScope } from "../../kit/host-scope.js";
import type { InstanceManager } from "./manager.js";

/** What the screen service works with. */
export interface ScreenServiceOptions {
  readonly scope: HostScope;
  readonly manager: InstanceManager;
}

const pieceBytes = 256 * 1024;

/** The screen service of this host. */
export function screenService(options: ScreenServiceOptions): Handlers<typeof ScreenServiceService> {
  return { captureScreen: (request, context) => captureScreen(options, request, context) };
}

async function* captureScreen(
  { scope, manager }: ScreenServiceOptions,
  { name }: CaptureScreenRequest,
  { signal, caller }: CallContext,
): AsyncIterable<CaptureScreenResponse> {
  const reached = manager.reach(scope.parse("instance", "name", name));
  const picture = await reached.captureScreen({ signal });
  reached.tell("viewed", "a picture was taken of the screen", caller.identity);
  for (let at = 0; at < picture.length; at += pieceBytes) {
    yield { png: Buffer.from(picture.subarray(at, at + pieceBytes)) };
  }
}
