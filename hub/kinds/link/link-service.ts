import { failedPrecondition, notFound } from "../../../lib/errors.js";
import { parseLinkEnd } from "../../../lib/link-end.js";
import { parseLink } from "../../../lib/names.js";
import { type Link, LinkCause, LinkSpec, LinkTransport, LoopPolicy } from "../../../proto/gen/zor/v1/link.js";
import { LinkServiceService } from "../../../proto/gen/zor/v1/link_service.js";
import { handlersOf, type KindHandlers } from "../../kit/handlers.js";
import type { HubParts } from "../../kit/hub-kind.js";
import { type HubRecord, type HubResources, hubHandlers } from "../../kit/hub-resources.js";
import { diagnoseLink } from "./diagnose/diagnose-link.js";
import { findEnds } from "./end-check.js";
import { checkDropFilters } from "./drop-filter-check.js";
import { checkLinkChange, checkLinkFields } from "./link-check.js";
import type { LinkHosts } from "./link-hosts.js";
import { type LinkRecord, putLink } from "./link-record.js";
import type { Links } from "./links.js";
import { findObstacle } from "./reconcile/obstacle.js";
import { freeVxlanId } from "./vxlan-ids.js";

/** What links are served with. */
export interface LinkServiceOptions extends HubParts {
  readonly links: Links;
  readonly hosts: LinkHosts;
}

/** Declares, changes, lists, diagnoses and deletes links. */
export function linkHandlers(options: LinkServiceOptions): KindHandlers {
  const { links } = options;
  return {
    ...hubHandlers(options, linkResources(options)),
    ...handlersOf(LinkServiceService, {
      diagnoseLink: (request, context) => {
        parseLink("name", request.name);
        if (links.find(request.name) === undefined) throw notFound(request.name, remedy);
        return diagnoseLink(request.name, options, context.signal);
      },
    }),
  };
}

const remedy = 'list the links with "zor get links"';

interface LinkToStore extends HubRecord<Link> {
  readonly record: LinkRecord;
}

function linkResources(options: LinkServiceOptions): HubResources<Link, LinkToStore> {
  const { links, inventory, topology } = options;
  const wrap = (record: LinkRecord): LinkToStore => ({ value: record.link, changedBy: record.changedBy, record });
  return {
    kind: "link",
    longWork: true,
    remedy,
    find: (name) => {
      const record = links.find(name);
      return record === undefined ? undefined : wrap(record);
    },
    view: (name) => links.view(name),
    list: () => inventory.log.list("link"),
    check: async (wanted, name, before) => {
      const spec = checkLinkFields(name, wanted);
      const value = { ...wanted, spec };
      if (before !== undefined) {
        checkLinkChange(name, before.spec ?? LinkSpec.fromPartial({}), spec);
        await checkDropFilters(options, spec, before.spec);
        return { value };
      }
      const fresh = await findEnds(options, spec);
      checkPath(options, name, spec);
      await checkDropFilters(options, spec, undefined);
      const { a, b } = spec;
      const allowRstp = spec.loop === LoopPolicy.LOOP_POLICY_RSTP;
      return { value, admit: () => topology.checkLoop({ name, a, b, allowRstp, fresh }) };
    },
    checkChangeable: ({ value: { name }, record }) => {
      if (!record.deleting) return;
      throw failedPrecondition("LINK_DELETING", name, `${name} is being deleted and cannot be changed`);
    },
    whyTaken: ({ record }) =>
      record.deleting ? "it is being deleted: try again when it is gone" : "choose another name",
    toRecord: (link, changedBy, before) => {
      const isVxlan = link.spec?.transport === LinkTransport.LINK_TRANSPORT_VXLAN;
      const vxlanId = before?.record.vxlanId ?? (isVxlan ? freeVxlanId(links.list()) : 0);
      return wrap({ link, deleting: false, vxlanId, changedBy });
    },
    preview: ({ record }) => links.preview(record),
    planPut: ({ record }, before) => [putLink(record, before === undefined ? 0n : undefined)],
    put: ({ record }) => links.put(record),
    planRemoval: (name) => links.planDelete([name]),
    removed: (name) => links.markDeleting([name]),
  };
}

/** Whether frames can come from one host to the other in the way that is asked for. */
function checkPath({ hosts: known, relay }: LinkServiceOptions, name: string, spec: LinkSpec): void {
  const [a, b] = [parseLinkEnd("link.spec.a", spec.a), parseLinkEnd("link.spec.b", spec.b)];
  const places = [a, b];
  const hosts = new Map(
    places.flatMap(({ host }) => {
      const facts = known.find(host);
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
  const link = { a, b, spec };
  const obstacle = findObstacle(link, { hosts, relay: relay.access() });
  if (obstacle === undefined) return;
  const reason = obstacle.cause === LinkCause.LINK_CAUSE_POLICY ? "POLICY" : "NO_PATH";
  throw failedPrecondition(reason, name, obstacle.reason);
}
