import { randomUUID } from "node:crypto";
import { status } from "@grpc/grpc-js";
import {
  alreadyExists,
  failedPrecondition,
  invalidArgument,
  invalidFields,
  notFound,
  ZorError,
  unimplemented,
} from "../../lib/errors.js";
import type { Handlers } from "../../lib/grpc/service.js";
import { checkLabels } from "../../lib/labels.js";
import { parseId, parseLink, parseOnHost } from "../../lib/names.js";
import { Link, LinkEncryption, LinkSpec, LinkTransport } from "../../proto/gen/zor/v1/link.js";
import { LanServiceService } from "../../proto/gen/zor/v1/lan_service.js";
import { LinkServiceService } from "../../proto/gen/zor/v1/link_service.js";
import type { LinkOperations } from "../c2c/link-operations.js";
import type { Links } from "../c2c/links.js";
import type { Fleet } from "../hosts/fleet.js";
import { findObstacle } from "../reconcile/plan.js";
import type { Inventory } from "../state/inventory.js";
import type { StoredRequests } from "../state/requests.js";
import type { Store } from "../store/store.js";
import type { Lister } from "./lister.js";
import { mutate } from "./mutate.js";

/** What the link service works with. */
export interface LinkServiceOptions {
  readonly fleet: Fleet;
  readonly links: Links;
  readonly linkOperations: LinkOperations;
  readonly inventory: Inventory;
  readonly lister: Lister;
  readonly store: Store;
  readonly requests: StoredRequests;
}

const service = LinkServiceService;

/** Declares, lists and deletes links. */
export function linkHandlers(options: LinkServiceOptions): Handlers<typeof LinkServiceService> {
  const { store, links, linkOperations, inventory, lister, requests } = options;
  return {
    createLink: async (request, context) =>
      mutate({ store, requests, method: service.createLink, request, context }, async (commit) => {
        const name = `links/${parseId("link_id", request.linkId)}`;
        const link = await checkLink(options, name, request.link ?? Link.fromPartial({}));
        if (request.validateOnly) return { operation: undefined };
        const { requestId } = request;
        const requester = { requestId, caller: context.caller.identity };
        return linkOperations.create(link, requester, (changes, operation) => commit(changes, { operation }));
      }),

    getLink: async (request) => {
      parseLink("name", request.name);
      const link = links.view(request.name);
      if (link === undefined) throw linkNotFound(request.name);
      return { link };
    },

    listLinks: async (request) => {
      const { items, ...page } = lister.page(inventory.log.list("link"), "-", request, {
        toJson: (item) => Link.toJSON(item),
      });
      return { ...page, links: items };
    },

    updateLink: async (request) => {
      throw unimplemented("links cannot be changed yet; delete the link and create it anew", request.link?.name ?? "");
    },

    diagnoseLink: async function* (request) {
      parseLink("name", request.name);
      throw unimplemented("links cannot be diagnosed yet; see the link's state and reason", request.name);
    },

    deleteLink: async (request, context) =>
      mutate({ store, requests, method: service.deleteLink, request, context }, async (commit) => {
        parseLink("name", request.name);
        if (links.find(request.name) === undefined) throw linkNotFound(request.name);
        if (request.validateOnly) return { operation: undefined };
        const { requestId } = request;
        const requester = { requestId, caller: context.caller.identity };
        return linkOperations.delete(request.name, requester, (changes, operation) => commit(changes, { operation }));
      }),
  };
}

/** Checks everything that can be known before an end is prepared. */
async function checkLink(options: LinkServiceOptions, name: string, wanted: Link): Promise<Link> {
  const spec: LinkSpec = wanted.spec ?? LinkSpec.fromPartial({});
  const labelFaults = checkLabels("link.labels", wanted.labels);
  if (labelFaults.length > 0) throw invalidFields(labelFaults, name);
  const a = parseOnHost("link.spec.a", spec.a, "lans");
  const b = parseOnHost("link.spec.b", spec.b, "lans");
  checkTransport(spec);
  if (spec.a === spec.b)
    throw invalidArgument("link.spec.b", "is the same lan as link.spec.a: a link joins two lans", name);
  if (a.host === b.host) {
    throw invalidArgument(
      "link.spec.b",
      `is on the same host as link.spec.a: a link joins lans of two hosts; attach both machines to one lan of hosts/${a.host} instead`,
      name,
    );
  }
  checkDuplicates(options.links, name, spec);
  for (const { host, lan } of [
    { host: a.host, lan: spec.a },
    { host: b.host, lan: spec.b },
  ]) {
    const agent = options.fleet.agent(host);
    if (options.inventory.log.find("lan", lan) !== undefined) continue;
    // A lan made a moment ago may not have come through the watch yet: its host decides.
    await agent.connection.unary(LanServiceService.getLan, { name: lan }, { signal: agent.signal, timeoutMs: 5000 });
  }
  checkReachable(options.fleet, name, a.host, b.host);
  return Link.fromPartial({ name, uid: randomUUID(), labels: wanted.labels, spec, createTime: new Date() });
}

function checkTransport({ transport, encryption }: LinkSpec): void {
  if (transport !== LinkTransport.LINK_TRANSPORT_UNSPECIFIED && transport !== LinkTransport.LINK_TRANSPORT_TCP) {
    throw notInThisVersion("link.spec.transport", "only TCP is there in this version; leave it unset");
  }
  if (encryption !== LinkEncryption.LINK_ENCRYPTION_UNSPECIFIED && encryption !== LinkEncryption.LINK_ENCRYPTION_TLS) {
    throw notInThisVersion("link.spec.encryption", "only TLS is there in this version; leave it unset");
  }
}

function checkDuplicates(links: Links, name: string, spec: LinkSpec): void {
  const same = links.find(name);
  if (same !== undefined) {
    throw alreadyExists(name, same.deleting ? "it is being deleted: try again when it is gone" : "use another link_id");
  }
  const twin = links.list().find(({ link, deleting }) => {
    const ends = [link.spec?.a, link.spec?.b];
    return !deleting && ends.includes(spec.a) && ends.includes(spec.b);
  });
  if (twin === undefined) return;
  throw failedPrecondition(
    "LINK_LOOP",
    name,
    `${twin.link.name} joins these two lans already: a second cable between them would be a loop`,
  );
}

function checkReachable(fleet: Fleet, name: string, a: string, b: string): void {
  const hosts = new Map(
    [a, b].flatMap((id) => {
      const facts = fleet.findCableFacts(id);
      return facts === undefined ? [] : [[id, { ...facts, ends: new Map(), endsCurrent: false }] as const];
    }),
  );
  for (const id of [a, b]) {
    if (hosts.get(id)?.cableKeySha256 !== undefined) continue;
    throw failedPrecondition(
      "NO_CABLE_ENGINE",
      `hosts/${id}`,
      `hosts/${id} has no cable engine: look at its agent's log, or run "zor doctor" there`,
    );
  }
  const obstacle = findObstacle({ a: { host: a, lan: "" }, b: { host: b, lan: "" } }, hosts);
  if (obstacle !== undefined) throw failedPrecondition("NO_PATH", name, obstacle);
}

function notInThisVersion(field: string, description: string): ZorError {
  return new ZorError({
    reason: "NOT_IN_THIS_VERSION",
    code: status.UNIMPLEMENTED,
    message: `${field}: ${description}`,
    violations: [{ field, description }],
  });
}

function linkNotFound(name: string): ZorError {
  return notFound(name, 'list the links with "zor get links"');
}
