import type { Method } from "../../lib/grpc/connection.js";
import type { CallContext, Handlers } from "../../lib/grpc/service.js";
import { parseHost, parseHostParent, parseOnHost } from "../../lib/names.js";
import { InstanceServiceService } from "../../proto/gen/zor/v1/instance_service.js";
import type { Inventory } from "../kit/inventory.js";
import type { Lister } from "../kit/lister.js";
import type { Router } from "../kit/router.js";

const service = InstanceServiceService;

/** Instances: verbs are routed to their host, lists are served from the inventory. */
export function instanceHandlers(
  router: Router,
  lister: Lister,
  inventory: Inventory,
): Handlers<typeof InstanceServiceService> {
  const byName =
    <Request extends { readonly name: string }, Response>(method: Method<Request, Response>) =>
    async (request: Request, context: CallContext): Promise<Response> =>
      router.unary(method, parseOnHost("name", request.name, "instances").host, request, context);
  return {
    createInstance: async (request, context) =>
      router.unary(service.createInstance, parseHost("parent", request.parent), request, context),
    getInstance: async (request, context) => {
      const { host } = parseOnHost("name", request.name, "instances");
      if (router.isReady(host)) return router.unary(service.getInstance, host, request, context);
      const instance = inventory.log.find("instance", request.name);
      if (instance !== undefined) return { instance };
      // Tells why the host cannot be asked, or that there is none.
      return router.unary(service.getInstance, host, request, context);
    },
    listInstances: async (request) => {
      const host = parseHostParent("parent", request.parent, true);
      const { items, ...page } = lister.page(inventory.log.list("instance"), host, request, {
        type: "zor.v1.Instance",
      });
      return { ...page, instances: items };
    },
    updateInstance: async (request, context) =>
      router.unary(
        service.updateInstance,
        parseOnHost("instance.name", request.instance?.name ?? "", "instances").host,
        request,
        context,
      ),
    startInstance: byName(service.startInstance),
    stopInstance: byName(service.stopInstance),
    pauseInstance: byName(service.pauseInstance),
    resumeInstance: byName(service.resumeInstance),
    resetInstance: byName(service.resetInstance),
    shutdownInstance: byName(service.shutdownInstance),
    deleteInstance: byName(service.deleteInstance),
  };
}
