import type { EngineHello } from "../../../proto/gen/zor/agent/v1/engine.js";
import type { Ends } from "../ends/ends.js";
import { type EndCalls, endProtocol, type EndsEvent } from "../protocol/end-protocol.js";
import type { ControlService } from "./control-server.js";

/** The control protocol of an engine's ends. */
export function endControl(options: {
  readonly ends: Ends;
  readonly hello: () => EngineHello;
  readonly onShutdown: () => void;
}): ControlService<EndCalls, EndsEvent> {
  const { ends, hello, onShutdown } = options;
  return {
    protocol: endProtocol,
    watch: (send) => ends.watch(send),
    onAnswered: (method) => {
      if (method === "shutdown") onShutdown();
    },
    handlers: {
      hello,
      ensureEnd: ({ end }) => ends.ensureEnd(end),
      deleteEnd: async ({ link, linkUid }) => {
        await ends.deleteEnd(link, linkUid);
        return {};
      },
      setPort: ({ uid, generation, fault }) => {
        ends.setPort(uid, generation, fault);
        return {};
      },
      diagnose: ({ linkUid }) => ends.diagnose(linkUid),
      // Once it is answered.
      shutdown: () => ({}),
    },
  };
}
