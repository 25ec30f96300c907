import type { ControlService } from "./control-server.js";
import { type EngineHello, type EngineRequest, requestSchema } from "../protocol/engine-protocol.js";
import type { Engine } from "../ends/engine.js";

/** The control protocol of an engine's ends. */
export function endControl(options: {
  readonly engine: Engine;
  readonly hello: () => EngineHello;
  readonly onShutdown: () => void;
}): ControlService<EngineRequest> {
  const { engine, hello, onShutdown } = options;
  return {
    schema: requestSchema,
    watch: (send) => engine.watch((event) => send({ event: "ends", ...event })),
    onAnswered: ({ method }) => {
      if (method === "shutdown") onShutdown();
    },
    perform: async (request) => {
      switch (request.method) {
        case "hello":
          return hello();
        case "ensureEnd":
          return { end: await engine.ensureEnd(request.end) };
        case "deleteEnd":
          return engine.deleteEnd(request.link, request.linkUid);
        case "setPort":
          return engine.setPort(request.linkUid, request.generation, request.fault);
        case "diagnose":
          return { diagnosis: await engine.diagnose(request.linkUid) };
        case "watch":
        case "shutdown":
          return undefined;
      }
    },
  };
}
