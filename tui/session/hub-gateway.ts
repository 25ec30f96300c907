import { status } from "@grpc/grpc-js";
import { ZorError } from "../../lib/errors.js";
import type { Connection } from "../../lib/grpc/connection.js";
import { A2bServiceService } from "../../proto/gen/zor/v1/a2b_service.js";
import { HostServiceService } from "../../proto/gen/zor/v1/host_service.js";
import { InstanceServiceService } from "../../proto/gen/zor/v1/instance_service.js";
import { LanServiceService } from "../../proto/gen/zor/v1/lan_service.js";
import { LinkServiceService } from "../../proto/gen/zor/v1/link_service.js";
import { attachConsole } from "../client/console.js";
import { presentOperation, runOperation } from "../client/operation.js";
import { watchFleet } from "../client/watch.js";
import type { Verb } from "../kit/fleet/pending.js";
import type { Row } from "../kit/row.js";
import type { FleetGateway } from "./gateway.js";

/** Longest time a call may take; starting a machine under emulation is slow. */
const callTimeoutMs = 60_000;

/** The gateway over a connection to a hub or agent. */
export function createHubGateway(connection: Connection): FleetGateway {
  return {
    watch: (onState, signal) => watchFleet(connection, { onState, signal }),
    run: (verb, row, signal) => run(connection, verb, row, signal),
    diagnose: (name, signal) => connection.stream(LinkServiceService.diagnoseLink, { name }, { signal }),
    attachConsole: async (name, terminal, signal) => {
      const end = await attachConsole(connection, name, terminal, { signal });
      return end.kind === "detached" ? "" : end.reason;
    },
  };
}

async function run(connection: Connection, verb: Verb, row: Row, signal: AbortSignal): Promise<void> {
  const request = { name: row.name, requestId: crypto.randomUUID(), validateOnly: false };
  const options = { signal, timeoutMs: callTimeoutMs };
  switch (verb) {
    case "start":
      await connection.unary(InstanceServiceService.startInstance, request, options);
      return;
    case "stop":
      await connection.unary(InstanceServiceService.stopInstance, request, options);
      return;
    case "pause":
      await connection.unary(InstanceServiceService.pauseInstance, request, options);
      return;
    case "resume":
      await connection.unary(InstanceServiceService.resumeInstance, request, options);
      return;
    case "reset":
      await connection.unary(InstanceServiceService.resetInstance, request, options);
      return;
    case "delete":
      await remove(connection, row, request, options);
      return;
  }
}

/** The confirmation has shown that an instance runs and that a host has links: both are deleted all the same. */
async function remove(
  connection: Connection,
  row: Row,
  request: { readonly name: string; readonly requestId: string; readonly validateOnly: boolean },
  options: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<void> {
  switch (row.kind) {
    case "instances":
      await connection.unary(InstanceServiceService.deleteInstance, { ...request, force: true }, options);
      return;
    case "lans":
      await connection.unary(LanServiceService.deleteLan, request, options);
      return;
    case "hosts":
      await connection.unary(HostServiceService.deleteHost, { ...request, force: true }, options);
      return;
    case "links": {
      const { operation } = await connection.unary(LinkServiceService.deleteLink, request, options);
      await runOperation(connection, presentOperation(operation, row.name));
      return;
    }
    case "a2bs":
      await connection.unary(A2bServiceService.deleteA2B, request, options);
      return;
    case "operations":
    case "events":
    case "ports":
      throw new ZorError({
        reason: "CANNOT_DELETE",
        code: status.UNIMPLEMENTED,
        message: `${row.kind} cannot be deleted`,
        resource: row.name,
      });
  }
}
