import { unimplemented } from "../../../lib/errors.js";
import type { Handlers } from "../../../lib/grpc/service.js";
import type { RequestIds } from "../../../lib/idempotency.js";
import { listPage } from "../../../lib/list/list.js";
import { parseId } from "../../../lib/names.js";
import { LanServiceService as methods } from "../../../proto/gen/zor/v1/lan_service.js";
import type { InstanceManager } from "../instance/manager.js";
import type { LanManager } from "./lan-manager.js";
import type { HostScope } from "../../kit/host-scope.js";
import { once } from "../../kit/mutation.js";

/** What the lan service works with. */
export interface LanServiceOptions {
  readonly scope: HostScope;
  readonly lans: LanManager;
  readonly manager: InstanceManager;
  readonly requests: RequestIds;
  /** Aborts when the agent ends. */
  readonly signal: AbortSignal;
}

/** The lan service of this host. */
export function lanService({ scope, lans, manager, requests, signal }: LanServiceOptions): Handlers<typeof methods> {
  return {
    createLan: (request, context) =>
      once(requests, methods.createLan, { request, context }, async () => {
        scope.parseSelf("parent", request.parent);
        const id = parseId("lan_id", request.lanId);
        const { lan, validateOnly } = request;
        const wanted = { id, labels: lan?.labels ?? {}, spec: lan?.spec };
        return { lan: await lans.create(wanted, { validateOnly, caller: context.caller.identity }) };
      }),
    getLan: async ({ name }) => ({ lan: lans.get(scope.parseLan("name", name)) }),
    listLans: async (request) => {
      scope.parseListParent("parent", request.parent);
      const page = listPage(lans.list(), request, "zor.v1.Lan");
      return { lans: page.items, nextPageToken: page.nextPageToken, totalSize: page.totalSize, unreachable: [] };
    },
    updateLan: () => Promise.reject(unimplemented("lans cannot be changed yet")),
    deleteLan: (request, context) =>
      once(requests, methods.deleteLan, { request, context }, async () => {
        const { name, validateOnly } = request;
        await lans.delete(scope.parseLan("name", name), { validateOnly, caller: context.caller.identity });
        return {};
      }),
    attachLan: (request, context) =>
      once(requests, methods.attachLan, { request, context }, async () => {
        const lan = scope.parseLan("name", request.name);
        const { instance, nic } = scope.parseNic("endpoint", request.endpoint);
        const { validateOnly } = request;
        lans.get(lan);
        const caller = context.caller.identity;
        return { instance: await manager.attach(instance, { nic, lan, validateOnly, signal, caller }) };
      }),
    detachLan: (request, context) =>
      once(requests, methods.detachLan, { request, context }, async () => {
        const lan = scope.parseLan("name", request.name);
        const { instance, nic } = scope.parseNic("endpoint", request.endpoint);
        const { validateOnly } = request;
        lans.get(lan);
        const caller = context.caller.identity;
        return { instance: await manager.detach(instance, { nic, lan, validateOnly, signal, caller }) };
      }),
  };
}
