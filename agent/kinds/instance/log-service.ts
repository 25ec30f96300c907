import { invalidArgument, permissionDenied } from "../../../lib/errors.js";
import type { CallContext, Handlers } from "../../../lib/grpc/service.js";
import { checkQuery, streamLog } from "../../../lib/logs/stream-log.js";
import {
  type InstanceLogServiceService,
  LogSource,
  type ReadInstanceLogRequest,
  type ReadInstanceLogResponse,
} from "../../../proto/gen/zor/v1/log_service.js";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import type { LogSource as DriverLogSource } from "../../drivers/abilities/logs.js";
import type { HostScope } from "../../kit/host-scope.js";
import type { InstanceManager } from "./manager.js";

/** What the log service works with. */
export interface LogServiceOptions {
  readonly scope: HostScope;
  readonly manager: InstanceManager;
}

const maxPort = 3;

/** The service that reads logs of instances. */
export function logService(options: LogServiceOptions): Handlers<typeof InstanceLogServiceService> {
  return { readInstanceLog: (request, context) => readLog(options, request, context) };
}

async function* readLog(
  { scope, manager }: LogServiceOptions,
  request: ReadInstanceLogRequest,
  { caller, signal }: CallContext,
): AsyncGenerator<ReadInstanceLogResponse> {
  const id = scope.parse("instance", "name", request.name);
  const query = checkQuery(request.query);
  const { port } = request;
  if (!Number.isInteger(port) || port < 0 || port > maxPort) {
    throw invalidArgument("port", `${port} is not between 0 and ${maxPort}`);
  }
  const source = toSource(request.source);
  // They may name what is on the host, which is nobody's business who only looks.
  if (source === "runtime" && caller.role < Role.ROLE_OPERATOR) {
    throw permissionDenied(`${caller.identity} may read consoles; what runs instances speaks to operators`);
  }
  const { follow, resume } = query;
  const log = await manager.reach(id).openLog({ source, port, follow, resume, signal });
  for await (const piece of streamLog(log, query, signal)) yield { piece };
}

function toSource(source: LogSource): DriverLogSource {
  switch (source) {
    case LogSource.LOG_SOURCE_UNSPECIFIED:
    case LogSource.LOG_SOURCE_CONSOLE:
      return "console";
    case LogSource.LOG_SOURCE_RUNTIME:
      return "runtime";
    default:
      throw invalidArgument("source", `${source} is no log source`);
  }
}
