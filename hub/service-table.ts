import type { Server } from "@grpc/grpc-js";
import { addHealth, type Health } from "../lib/grpc/health.js";
import { addReflection } from "../lib/grpc/reflection.js";
import { implementService, type ServiceOptions } from "../lib/grpc/service.js";
import type { Operations } from "../lib/operations.js";
import { sharedWatchService } from "../lib/watch/encode-once.js";
import { A2bServiceService } from "../proto/gen/zor/v1/a2b_service.js";
import { ConsoleServiceService } from "../proto/gen/zor/v1/console_service.js";
import { ExecServiceService } from "../proto/gen/zor/v1/exec_service.js";
import { HostServiceService } from "../proto/gen/zor/v1/host_service.js";
import { InstanceServiceService } from "../proto/gen/zor/v1/instance_service.js";
import { RenewServiceService } from "../proto/gen/zor/v1/join_service.js";
import { LanServiceService } from "../proto/gen/zor/v1/lan_service.js";
import { LinkServiceService } from "../proto/gen/zor/v1/link_service.js";
import { OperationServiceService } from "../proto/gen/zor/v1/operation_service.js";
import { TokenServiceService } from "../proto/gen/zor/v1/token_service.js";
import type { Fleet } from "./fleet/fleet.js";
import { a2bHandlers } from "./kinds/a2b/a2b-service.js";
import { hostHandlers } from "./kinds/host/host-service.js";
import { lanHandlers } from "./kinds/lan/lan-service.js";
import type { LinkOperations } from "./kinds/link/link-operations.js";
import { linkHandlers } from "./kinds/link/link-service.js";
import type { Links } from "./kinds/link/links.js";
import { operationHandlers } from "./kinds/operation/operation-service.js";
import { tokenHandlers } from "./kinds/token/token-service.js";
import type { Inventory } from "./kit/inventory.js";
import { Lister } from "./kit/lister.js";
import type { StoredRequests } from "./kit/requests.js";
import { Router } from "./kit/router.js";
import type { Certificates } from "./pki/certificates.js";
import { renewHandlers } from "./pki/renew-service.js";
import type { RelayHandle } from "./relay/relay-handle.js";
import type { RelayTickets } from "./relay/relay-tickets.js";
import { instanceHandlers } from "./services/instance-service.js";
import { consoleHandlers, execHandlers } from "./services/stream-services.js";
import type { Store } from "./store/store.js";

/** What the services of a hub work with. */
export interface HubParts {
  readonly fleet: Fleet;
  readonly inventory: Inventory;
  readonly links: Links;
  readonly linkOperations: LinkOperations;
  readonly operations: Operations;
  readonly relay: RelayHandle;
  readonly relayTickets: RelayTickets;
  /** Looks at links and hosts again. */
  readonly reconcile: () => void;
  readonly store: Store;
  readonly certificates: Certificates;
  readonly requests: StoredRequests;
  /** Calls of CreateHost. */
  readonly hostRequests: StoredRequests;
  /** Calls of CreateToken. */
  readonly tokenRequests: StoredRequests;
  readonly formatToken: (secret: Buffer) => string;
}

const publicServices = [
  "zor.v1.A2bService",
  "zor.v1.ConsoleService",
  "zor.v1.ExecService",
  "zor.v1.HostService",
  "zor.v1.InstanceService",
  "zor.v1.LanService",
  "zor.v1.LinkService",
  "zor.v1.OperationService",
  "zor.v1.RenewService",
  "zor.v1.TokenService",
  "zor.v1.WatchService",
];

/** Adds everything the main listener serves. */
export function addMainServices(server: Server, parts: HubParts, options: ServiceOptions): Health {
  const router = new Router(parts.fleet);
  const lister = new Lister(parts.fleet);
  const { inventory, operations, certificates } = parts;
  server.addService(HostServiceService, implementService(HostServiceService, hostHandlers(parts), options));
  server.addService(
    InstanceServiceService,
    implementService(InstanceServiceService, instanceHandlers(router, lister, inventory), options),
  );
  server.addService(
    LanServiceService,
    implementService(LanServiceService, lanHandlers(router, lister, inventory), options),
  );
  server.addService(
    A2bServiceService,
    implementService(A2bServiceService, a2bHandlers(router, lister, parts), options),
  );
  server.addService(ConsoleServiceService, implementService(ConsoleServiceService, consoleHandlers(router), options));
  server.addService(ExecServiceService, implementService(ExecServiceService, execHandlers(router), options));
  server.addService(
    LinkServiceService,
    implementService(LinkServiceService, linkHandlers({ ...parts, lister }), options),
  );
  server.addService(
    OperationServiceService,
    implementService(
      OperationServiceService,
      operationHandlers({ router, lister, inventory, operations, requests: parts.requests }),
      options,
    ),
  );
  server.addService(
    sharedWatchService,
    implementService(
      sharedWatchService,
      { watch: (request, context) => inventory.log.watch(request, context.signal) },
      options,
    ),
  );
  server.addService(TokenServiceService, implementService(TokenServiceService, tokenHandlers(parts), options));
  server.addService(RenewServiceService, implementService(RenewServiceService, renewHandlers(certificates), options));
  addReflection(server, [...publicServices, "grpc.health.v1.Health"], options);
  return addHealth(server, publicServices, options);
}
