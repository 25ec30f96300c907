import type { Method } from "../../../lib/grpc/connection.js";
import type { CallContext, Handlers } from "../../../lib/grpc/service.js";
import { parseHost, parseHostParent, parseOnHost } from "../../../lib/names.js";
import { LanServiceService } from "../../../proto/gen/zor/v1/lan_service.js";
import type { Inventory } from "../../kit/inventory.js";
import type { Lister } from "../../kit/lister.js";
import type { Router } from "../../kit/router.js";

const service = LanServiceService;

/** Lans: changes are routed to their host, lists are served from the inventory. */
export function lanHandlers(router: Router, lister: Lister, inventory: Inventory): Handlers<typeof LanServiceService> {
  const byName =
    <Request extends { readonly name: string }, Response>(method: Method<Request, Response>) =>
    async (request: Request, context: CallContext): Promise<Response> =>
      router.unary(method, parseOnHost("name", request.name, "lans").host, request, context);
  return {
    createLan: async (request, context) =>
      router.unary(service.createLan, parseHost("parent", request.parent), request, context),
    getLan: async (request, context) => {
      const { host } = parseOnHost("name", request.name, "lans");
      if (router.isReady(host)) {
        const { lan: told } = await router.unary(service.getLan, host, request, context);
        return { lan: told === undefined ? undefined : inventory.remarked(told) };
      }
      const lan = inventory.log.find("lan", request.name);
      if (lan !== undefined) return { lan };
      // Tells why the host cannot be asked, or that there is none.
      return router.unary(service.getLan, host, request, context);
    },
    listLans: async (request) => {
      const host = parseHostParent("parent", request.parent, true);
      const { items, ...page } = lister.page(inventory.log.list("lan"), host, request, {
        type: "zor.v1.Lan",
      });
      return { ...page, lans: items };
    },
    updateLan: async (request, context) =>
      router.unary(service.updateLan, parseOnHost("lan.name", request.lan?.name ?? "", "lans").host, request, context),
    deleteLan: byName(service.deleteLan),
    attachLan: byName(service.attachLan),
    detachLan: byName(service.detachLan),
  };
}
