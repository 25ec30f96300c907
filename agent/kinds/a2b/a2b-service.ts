import { invalidArgument } from "../../../lib/errors.js";
import type { Handlers } from "../../../lib/grpc/service.js";
import type { RequestIds } from "../../../lib/idempotency.js";
import { listPage } from "../../../lib/list/list.js";
import { parseId } from "../../../lib/names.js";
import { A2bServiceService as methods } from "../../../proto/gen/zor/v1/a2b_service.js";
import type { A2bManager } from "./a2b-manager.js";
import type { HostScope } from "../../kit/host-scope.js";
import { once } from "../../kit/mutation.js";

/** What the a2b service works with. */
export interface A2bServiceOptions {
  readonly scope: HostScope;
  readonly a2bs: A2bManager;
  readonly requests: RequestIds;
}

/** The in-line boxes of this host. */
export function a2bService({ scope, a2bs, requests }: A2bServiceOptions): Handlers<typeof methods> {
  return {
    createA2B: (request, context) =>
      once(requests, methods.createA2B, { request, context }, async () => {
        scope.parseSelf("parent", request.parent);
        const { a2b, validateOnly } = request;
        const wanted = { id: parseId("a2b_id", request.a2bId), labels: a2b?.labels ?? {}, spec: a2b?.spec };
        return { a2b: await a2bs.create(wanted, { validateOnly, caller: context.caller.identity }) };
      }),
    getA2B: async ({ name }) => ({ a2b: a2bs.get(scope.parseA2b("name", name)) }),
    listA2Bs: async (request) => {
      scope.parseListParent("parent", request.parent);
      const page = listPage(a2bs.list(), request, "zor.v1.A2b");
      return { a2bs: page.items, nextPageToken: page.nextPageToken, totalSize: page.totalSize, unreachable: [] };
    },
    updateA2B: (request, context) =>
      once(requests, methods.updateA2B, { request, context }, async () => {
        const { a2b, validateOnly } = request;
        if (a2b === undefined) throw invalidArgument("a2b", "must be given");
        const wanted = { id: scope.parseA2b("a2b.name", a2b.name), labels: a2b.labels, spec: a2b.spec };
        return { a2b: await a2bs.update(wanted, { validateOnly, caller: context.caller.identity }) };
      }),
    deleteA2B: (request, context) =>
      once(requests, methods.deleteA2B, { request, context }, async () => {
        const { name, validateOnly } = request;
        await a2bs.delete(scope.parseA2b("name", name), { validateOnly, caller: context.caller.identity });
        return {};
      }),
  };
}
