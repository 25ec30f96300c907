import { invalidArgument } from "../../../lib/errors.js";
import type { Handlers } from "../../../lib/grpc/service.js";
import { parseHost, parseHostParent, parseId, parseOnHost } from "../../../lib/names.js";
import { A2bServiceService } from "../../../proto/gen/zor/v1/a2b_service.js";
import type { Lister } from "../../kit/lister.js";
import type { Router } from "../../kit/router.js";
import { checkLoop, type TopologyOptions } from "../../kit/topology.js";

const service = A2bServiceService;

/** In-line boxes: changes are routed to their host, lists are served from the inventory. */
export function a2bHandlers(
  router: Router,
  lister: Lister,
  topology: TopologyOptions,
): Handlers<typeof A2bServiceService> {
  const { inventory } = topology;
  return {
    createA2B: async (request, context) => {
      const host = parseHost("parent", request.parent);
      const { lanA = "", lanB = "" } = request.a2b?.spec ?? {};
      const lans = `${request.parent}/lans/`;
      const name = `${request.parent}/a2bs/${parseId("a2b_id", request.a2bId)}`;
      // The host knows only what is on it: a loop may go through others.
      checkLoop(topology, { name, a: `${lans}${lanA}`, b: `${lans}${lanB}`, allowRstp: true });
      return router.unary(service.createA2B, host, request, context);
    },
    getA2B: async (request, context) => {
      const { host } = parseOnHost("name", request.name, "a2bs");
      const a2b = router.isReady(host) ? undefined : inventory.log.find("a2b", request.name);
      if (a2b !== undefined) return { a2b };
      // Tells why the host cannot be asked, or that there is none.
      return router.unary(service.getA2B, host, request, context);
    },
    listA2Bs: async (request) => {
      const host = parseHostParent("parent", request.parent, true);
      const { items, ...page } = lister.page(inventory.log.list("a2b"), host, request, {
        type: "zor.v1.A2b",
      });
      return { ...page, a2bs: items };
    },
    updateA2B: async (request, context) => {
      if (request.a2b === undefined) throw invalidArgument("a2b", "must be given");
      const { host } = parseOnHost("a2b.name", request.a2b.name, "a2bs");
      return router.unary(service.updateA2B, host, request, context);
    },
    deleteA2B: async (request, context) =>
      router.unary(service.deleteA2B, parseOnHost("name", request.name, "a2bs").host, request, context),
  };
}
