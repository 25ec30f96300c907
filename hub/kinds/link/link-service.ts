import { randomUUID } from "node:crypto";
import { alreadyExists, failedPrecondition, invalidArgument, notFound } from "../../../lib/errors.js";
import type { Handlers } from "../../../lib/grpc/service.js";
import { KeyedQueue } from "../../../lib/keyed-queue.js";
import { newEtag } from "../../../lib/kinds/change.js";
import { parseId, parseLink, parseOnHost } from "../../../lib/names.js";
import type { Lan } from "../../../proto/gen/zor/v1/lan.js";
import { LanServiceService } from "../../../proto/gen/zor/v1/lan_service.js";
import { Link, LinkCause, LinkSpec, LinkTransport, LoopPolicy } from "../../../proto/gen/zor/v1/link.js";
import { LinkServiceService } from "../../../proto/gen/zor/v1/link_service.js";
import type { Fleet } from "../../fleet/fleet.js";
import type { Inventory } from "../../kit/inventory.js";
import type { Lister } from "../../kit/lister.js";
import { mutate } from "../../kit/mutate.js";
import { ofHost } from "../../kit/of-host.js";
import type { StoredRequests } from "../../kit/requests.js";
import { checkLoop } from "../../kit/topology.js";
import type { RelayHandle } from "../../relay/relay-handle.js";
import type { Store } from "../../store/store.js";
import { diagnoseLink } from "./diagnose/diagnose-link.js";
import { checkLinkChange, checkLinkFields } from "./link-check.js";
import type { LinkOperations } from "./link-operations.js";
import { type LinkRecord, putLink } from "./link-record.js";
import type { Links } from "./links.js";
import { findObstacle } from "./reconcile/obstacle.js";
import { freeVxlanId } from "./vxlan-ids.js";

/** What the link service works with. */
export interface LinkServiceOptions {
  readonly fleet: Fleet;
  readonly links: Links;
  readonly linkOperations: LinkOperations;
  readonly inventory: Inventory;
  readonly relay: RelayHandle;
  readonly lister: Lister;
  readonly store: Store;
  readonly requests: StoredRequests;
  /** Told after a change to look at the links again. */
  readonly reconcile: () => void;
}

const service = LinkServiceService;
/** One link is made after the other: only then can none of two close a loop that neither sees. */
const creations = "creations";

/** Declares, changes, lists, diagnoses and deletes links. */
export function linkHandlers(options: LinkServiceOptions): Handlers<typeof LinkServiceService> {
  const { store, links, linkOperations, inventory, lister, requests } = options;
  const queue = new KeyedQueue(1000);
  return {
    createLink: async (request, context) =>
      mutate({ store, requests, method: service.createLink, request, context }, async (commit) => {
        const name = `links/${parseId("link_id", request.linkId)}`;
        const wanted = request.link ?? Link.fromPartial({});
        const spec = checkLinkFields(name, wanted);
        checkName(links, name);
        const lans = await findLans(options, spec);
        checkPath(options, name, spec);
        const { requestId } = request;
        const requester = { requestId, caller: context.caller.identity };
        return queue.run(creations, async () => {
          checkName(links, name);
          const allowRstp = spec.loop === LoopPolicy.LOOP_POLICY_RSTP;
          checkLoop(options, { name, a: spec.a, b: spec.b, allowRstp, fresh: lans });
          if (request.validateOnly) return { operation: undefined };
          const link = Link.fromPartial({
            name,
            uid: randomUUID(),
            etag: newEtag(),
            labels: wanted.labels,
            annotations: wanted.annotations,
            spec,
            createTime: new Date(),
          });
          const isVxlan = spec.transport === LinkTransport.LINK_TRANSPORT_VXLAN;
          const record = { link, deleting: false, vxlanId: isVxlan ? freeVxlanId(links.list()) : 0 };
          return linkOperations.create(record, requester, (changes, operation) => commit(changes, { operation }));
        });
      }),

    getLink: async (request) => {
      parseLink("name", request.name);
      const link = links.view(request.name);
      if (link === undefined) throw linkNotFound(request.name);
      return { link };
    },

    listLinks: async (request) => {
      const { items, ...page } = lister.page(inventory.log.list("link"), "-", request, {
        type: "zor.v1.Link",
      });
      return { ...page, links: items };
    },

    updateLink: async (request, context) =>
      mutate({ store, requests, method: service.updateLink, request, context }, async (commit) => {
        const { link: wanted } = request;
        if (wanted === undefined) throw invalidArgument("link", "must be given");
        parseLink("link.name", wanted.name);
        return queue.run(wanted.name, async () => {
          const record = changeable(links, wanted.name);
          const spec = checkLinkFields(wanted.name, wanted);
          checkLinkChange(wanted.name, record.link.spec ?? LinkSpec.fromPartial({}), spec);
          const changed: LinkRecord = { ...record, link: { ...record.link, labels: wanted.labels, spec } };
          const status = links.view(wanted.name)?.status;
          if (request.validateOnly) return { link: { ...changed.link, status } };
          const answer = await commit([putLink(changed)], { link: { ...changed.link, status } });
          links.put(changed);
          options.reconcile();
          return answer;
        });
      }),

    diagnoseLink: (request, context) => {
      parseLink("name", request.name);
      if (links.find(request.name) === undefined) throw linkNotFound(request.name);
      return diagnoseLink(request.name, options, context.signal);
    },

    deleteLink: async (request, context) =>
      mutate({ store, requests, method: service.deleteLink, request, context }, async (commit) => {
        parseLink("name", request.name);
        return queue.run(request.name, async () => {
          if (links.find(request.name) === undefined) throw linkNotFound(request.name);
          if (request.validateOnly) return { operation: undefined };
          const { requestId } = request;
          const requester = { requestId, caller: context.caller.identity };
          return linkOperations.delete(request.name, requester, (changes, operation) => commit(changes, { operation }));
        });
      }),
  };
}

function changeable(links: Links, name: string): LinkRecord {
  const record = links.find(name);
  if (record === undefined) throw linkNotFound(name);
  if (record.deleting)
    throw failedPrecondition("LINK_DELETING", name, `${name} is being deleted and cannot be changed`);
  return record;
}

function checkName(links: Links, name: string): void {
  const same = links.find(name);
  if (same === undefined) return;
  throw alreadyExists(name, same.deleting ? "it is being deleted: try again when it is gone" : "choose another name");
}

/** Both lans, which must be there. @throws {ZorError} NOT_FOUND, or UNAVAILABLE while a host cannot be asked. */
async function findLans({ fleet, inventory }: LinkServiceOptions, spec: LinkSpec): Promise<Lan[]> {
  const lans: Lan[] = [];
  for (const name of [spec.a, spec.b]) {
    const { host } = parseOnHost("link.spec", name, "lans");
    const agent = fleet.agent(host);
    const known = inventory.log.find("lan", name);
    // A lan made a moment ago may not have come through the watch yet: its host decides.
    const asked =
      known === undefined
        ? await agent.connection
            .unary(LanServiceService.getLan, { name }, { signal: agent.signal, timeoutMs: 5000 })
            .catch((error: unknown) => {
              throw ofHost(error, agent, host);
            })
        : { lan: known };
    if (asked.lan !== undefined) lans.push(asked.lan);
  }
  return lans;
}

/** Whether frames can come from one host to the other in the way that is asked for. */
function checkPath({ fleet, relay }: LinkServiceOptions, name: string, spec: LinkSpec): void {
  const [a, b] = [parseOnHost("link.spec.a", spec.a, "lans"), parseOnHost("link.spec.b", spec.b, "lans")];
  const places = [a, b].map(({ host, id }) => ({ host, lan: id }));
  const hosts = new Map(
    places.flatMap(({ host }) => {
      const facts = fleet.findCableFacts(host);
      return facts === undefined ? [] : [[host, { ...facts, ends: new Map(), endsCurrent: false }] as const];
    }),
  );
  for (const { host } of places) {
    if (hosts.get(host)?.cableKeySha256 !== undefined) continue;
    throw failedPrecondition(
      "NO_CABLE_ENGINE",
      `hosts/${host}`,
      `hosts/${host} has no cable engine: look at its agent's log, or run "zor doctor" there`,
    );
  }
  const link = { a: { host: a.host, lan: a.id }, b: { host: b.host, lan: b.id }, spec };
  const obstacle = findObstacle(link, { hosts, relay: relay.input() });
  if (obstacle === undefined) return;
  const reason = obstacle.cause === LinkCause.LINK_CAUSE_POLICY ? "POLICY" : "NO_PATH";
  throw failedPrecondition(reason, name, obstacle.reason);
}

function linkNotFound(name: string): ReturnType<typeof notFound> {
  return notFound(name, 'list the links with "zor get links"');
}
