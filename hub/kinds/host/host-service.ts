import { alreadyExists, failedPrecondition, invalidFields } from "../../../lib/errors.js";
import type { Handlers } from "../../../lib/grpc/service.js";
import { checkLabels } from "../../../lib/labels.js";
import { listPage } from "../../../lib/list/list.js";
import { parseHost, parseId } from "../../../lib/names.js";
import { addressForm, isDialAddress } from "../../../lib/socket-address.js";
import { agreeing, counted, listed } from "../../../lib/words.js";
import { Host } from "../../../proto/gen/zor/v1/host.js";
import { HostServiceService } from "../../../proto/gen/zor/v1/host_service.js";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import type { Fleet } from "../../fleet/fleet.js";
import { findUnreachable, hostNotFound, neverJoined, putHost, viewHost } from "../../fleet/host-record.js";
import { checkAddresses, checkUnderlayAddresses } from "../../join/addresses.js";
import { mintToken, parseTtlMs, planTokenRemoval } from "../../join/tokens.js";
import { mutate } from "../../kit/mutate.js";
import type { StoredRequests } from "../../kit/requests.js";
import type { Certificates } from "../../pki/certificates.js";
import type { Store } from "../../store/store.js";
import type { Links } from "../link/links.js";

/** What the host service works with. */
export interface HostServiceOptions {
  readonly fleet: Fleet;
  readonly links: Links;
  readonly store: Store;
  readonly certificates: Certificates;
  readonly requests: StoredRequests;
  /** Calls of CreateHost, whose answer holds a token. */
  readonly hostRequests: StoredRequests;
  readonly formatToken: (secret: Buffer) => string;
}

const service = HostServiceService;

/** Registers, lists and forgets hosts. */
export function hostHandlers(options: HostServiceOptions): Handlers<typeof HostServiceService> {
  const { fleet, links, store, certificates } = options;
  return {
    createHost: async (request, context) =>
      mutate(
        { store, requests: options.hostRequests, method: service.createHost, request, context },
        async (commit) => {
          const id = parseId("host_id", request.hostId);
          const ttlMs = parseTtlMs("token_ttl", request.tokenTtl);
          const now = new Date();
          const host = toStoredHost(id, request.host ?? Host.fromPartial({}), now);
          if (fleet.find(id) !== undefined)
            throw alreadyExists(host.name, `for another token use "zor token create --host ${id}"`);
          if (request.validateOnly) return { host, joinToken: "" };
          const token = mintToken({ kind: "host", id, role: Role.ROLE_UNSPECIFIED }, ttlMs, now);
          const answer = await commit([putHost(id, host, 0n), token.change], {
            host: viewHost(host, neverJoined(id), { now, relayedBytes: 0n, copy: "" }),
            joinToken: options.formatToken(token.secret),
          });
          const stored = await store.get("hosts", id);
          fleet.put({ id, host, revision: stored?.revision ?? 0n });
          return answer;
        },
      ),

    updateHost: async (request, context) =>
      mutate({ store, requests: options.requests, method: service.updateHost, request, context }, async (commit) => {
        const wanted = request.host ?? Host.fromPartial({});
        const id = parseHost("host.name", wanted.name);
        const record = fleet.find(id);
        if (record === undefined) throw hostNotFound(wanted.name);
        const { labels, addresses, underlayAddresses, undialable } = toStoredHost(id, wanted, new Date());
        const underlaySet = underlayAddresses.length > 0 && isChanged(record.host, underlayAddresses);
        const host = Host.fromPartial({
          ...{ ...record.host, labels, addresses, underlayAddresses, undialable },
          underlaySet: underlayAddresses.length > 0 && (record.host.underlaySet || underlaySet),
        });
        const now = new Date();
        if (request.validateOnly) return { host: viewHost(host, neverJoined(id), { now, relayedBytes: 0n, copy: "" }) };
        const answer = await commit([putHost(id, host, record.revision)], {
          host: {
            ...fleet.get(id, now),
            labels,
            addresses,
            underlayAddresses,
            undialable,
            underlaySet: host.underlaySet,
          },
        });
        const stored = await store.get("hosts", id);
        fleet.put({ id, host, revision: stored?.revision ?? 0n });
        return answer;
      }),

    getHost: async (request) => ({ host: fleet.get(parseHost("name", request.name), new Date()) }),

    listHosts: async (request) => {
      const now = new Date();
      const hosts = fleet.list(now);
      const { items, ...page } = listPage(hosts, request, "zor.v1.Host");
      const unreachable = hosts.map((host) => findUnreachable(host, now)).filter((each) => each !== undefined);
      return { ...page, hosts: items, unreachable };
    },

    deleteHost: async (request, context) =>
      mutate({ store, requests: options.requests, method: service.deleteHost, request, context }, async (commit) => {
        const id = parseHost("name", request.name);
        const record = fleet.find(id);
        if (record === undefined) throw hostNotFound(request.name);
        const ended = links.onHost(id);
        if (ended.length > 0 && !request.force) {
          throw failedPrecondition(
            "HOST_HAS_LINKS",
            request.name,
            `${request.name} has ${counted(ended.length, "link")} (${listed(ended, 5)}): delete ${agreeing(ended.length, "it", "them")} first, or forget ${agreeing(ended.length, "it", "them")} too with force ("--force")`,
          );
        }
        if (request.validateOnly) return {};
        const { serials, changes } = await certificates.planRevocation(`zor://host/${id}`);
        const answer = await commit(
          [
            { type: "delete", collection: "hosts", key: id },
            ...links.planDelete(ended),
            ...(await planTokenRemoval(store, "host", id)),
            ...changes,
          ],
          {},
        );
        fleet.remove(id);
        // Their other ends are removed; this host is left as it is.
        links.markDeleting(ended);
        certificates.revoked(serials);
        return answer;
      }),
  };
}

function isChanged(before: Host, underlayAddresses: readonly string[]): boolean {
  return before.underlayAddresses.join() !== underlayAddresses.join();
}

function toStoredHost(id: string, wanted: Host, now: Date): Host {
  const { labels, addresses, underlayAddresses, undialable } = wanted;
  const violations = [
    ...checkLabels("host.labels", labels),
    ...checkAddresses("host.addresses", addresses, isDialAddress, addressForm),
    ...checkUnderlayAddresses("host.underlay_addresses", underlayAddresses),
  ];
  if (violations.length > 0) throw invalidFields(violations, `hosts/${id}`);
  return Host.fromPartial({ name: `hosts/${id}`, labels, addresses, underlayAddresses, undialable, createTime: now });
}
