import { CaptureServiceService } from "../../../proto/gen/zor/v1/capture_service.js";
import type { KindModule } from "../../kit/context.js";
import { serve } from "../../kit/serve.js";
import type { AgentContext } from "../../parts.js";
import { Captures } from "./captures.js";

/** Captures, for the list of kinds; they are no resources. */
export const captureKind: KindModule<AgentContext> = {
  kind: "capture",
  open: async (context) => {
    const { scope, parts, publisher } = context;
    const captures = new Captures(context);
    const follow = (): void => captures.follow();
    const stop = parts.network.onChange(follow);
    for (const kind of ["instance", "lan", "wire", "a2b"]) publisher.listen(kind, follow);
    return {
      methods: [
        serve(CaptureServiceService, {
          capture: async function* (request, call) {
            scope.parseSelf("name", request.name);
            yield* captures.capture(request, call);
          },
          stopCapture: async ({ name, captureId }, { caller }) => {
            scope.parseSelf("name", name);
            await captures.stop(captureId, caller.identity);
            return {};
          },
          readClock: async ({ name }) => {
            const receiveNanos = captures.nowNs();
            scope.parseSelf("name", name);
            return { receiveNanos, sendNanos: captures.nowNs() };
          },
        }),
      ],
      close: async () => {
        stop();
        await captures.close();
      },
    };
  },
};
