import { toMs } from "../../../lib/duration.js";
import { invalidArgument, notFound } from "../../../lib/errors.js";
import { parseHostParent, parseName, quote } from "../../../lib/names.js";
import { EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import {
  type GetOperationResponse,
  OperationServiceService as service,
} from "../../../proto/gen/zor/v1/operation_service.js";
import { WaveServiceService } from "../../../proto/gen/zor/v1/wave_service.js";
import { handlersOf } from "../../kit/handlers.js";
import { getFromHost } from "../../kit/host-services.js";
import type { HubKind } from "../../kit/hub-kind.js";
import { inPlace } from "../../kit/kept-items.js";
import { Waves } from "../../kit/waves/waves.js";
import { waveHandlers } from "./wave-service.js";

const defaultWaitMs = 30_000;
const maxWaitMs = 5 * 60_000;

/** Operations of the hub itself and of the agents. */
export const operationKind: HubKind = {
  kind: "operation",
  create: (parts) => {
    const { router, lister, inventory, operations, requests } = parts;
    const waves = new Waves({
      ...parts,
      isRevoked: (serial) => parts.certificates.isRevoked(serial),
      operation: (name) => inventory.log.find("operation", name),
      cancel: (name) => void operations.cancel(name),
      paused: ({ name, verb, caller }, why) => {
        const severity = EventSeverity.EVENT_SEVERITY_WARNING;
        const message = `${verb} waits until it is resumed: ${why}`;
        inventory.log.recordEvent("events", { severity, type: "operation.paused", resource: name, message, caller });
      },
    });
    operations.addWork("wave", waves);
    return {
      load: () => waves.load(),
      handlers: {
        ...handlersOf(WaveServiceService, waveHandlers(parts, waves)),
        ...handlersOf(service, {
          getOperation: async (request, context) => {
            const host = findHost(request.name);
            const known = inventory.log.find("operation", request.name);
            const wrap = (operation: Operation): GetOperationResponse => ({ operation });
            if (host !== undefined) {
              return getFromHost(service.getOperation, { host, request, known, wrap }, { router, context });
            }
            if (known === undefined) throw unknown(request.name);
            return { operation: known };
          },
          listOperations: async (request, context) => {
            const ofHost = parseHostParent("parent", request.parent, true);
            // "hosts/-" is every host, an empty parent also the hub itself.
            const host = request.parent === "" ? "" : ofHost;
            const caller = context.caller.identity;
            const asked = { kind: "operation", host, request, caller, defaultOrder: "create_time desc" };
            const { items, ...page } = await lister.kept(asked);
            return { ...page, operations: inPlace(items) };
          },
          cancelOperation: async (request, context) => {
            const host = findHost(request.name);
            if (host !== undefined) return router.unary(service.cancelOperation, { host, request }, context);
            return requests.ids.once(service.cancelOperation, request, context.caller.identity, async () => {
              await waves.cancel(request.name);
              return { operation: operations.cancel(request.name) };
            });
          },
          waitOperation: async (request, context) => {
            const host = findHost(request.name);
            if (host !== undefined) return router.unary(service.waitOperation, { host, request }, context);
            const timeoutMs = waitMs(request.timeout);
            const known = inventory.log.find("operation", request.name);
            // An operation that ended before the hub was restarted is only remembered.
            if (operations.find(request.name) === undefined && known !== undefined) return { operation: known };
            return { operation: await operations.wait(request.name, timeoutMs, context.signal) };
          },
        }),
      },
    };
  },
};

function findHost(name: string): string | undefined {
  const parsed = parseName("name", name);
  if (parsed.kind === "onHost" && parsed.collection === "operations") return parsed.host;
  if (parsed.kind === "hub" && parsed.collection === "operations") return undefined;
  throw invalidArgument("name", `${quote(name)} is not the name of an operation`);
}

function waitMs(timeout: { readonly seconds: bigint; readonly nanos: number } | undefined): number {
  if (timeout === undefined) return defaultWaitMs;
  const ms = toMs(timeout);
  if (ms < 0 || ms > maxWaitMs) throw invalidArgument("timeout", "must be between 0 and 5 minutes");
  return ms;
}

function unknown(name: string): ReturnType<typeof notFound> {
  return notFound(name, "operations are kept for an hour after they end");
}
