import type { CallOptions, Connection } from "../../lib/grpc/connection.js";
import type { AnyResource } from "../../lib/kinds/resource.js";
import type { A2b } from "../../proto/gen/zor/v1/a2b.js";
import { A2bServiceService } from "../../proto/gen/zor/v1/a2b_service.js";
import type { Host } from "../../proto/gen/zor/v1/host.js";
import { HostServiceService } from "../../proto/gen/zor/v1/host_service.js";
import type { Instance } from "../../proto/gen/zor/v1/instance.js";
import { InstanceServiceService } from "../../proto/gen/zor/v1/instance_service.js";
import type { Lan } from "../../proto/gen/zor/v1/lan.js";
import { LanServiceService } from "../../proto/gen/zor/v1/lan_service.js";
import type { Link } from "../../proto/gen/zor/v1/link.js";
import { LinkServiceService } from "../../proto/gen/zor/v1/link_service.js";
import type { Operation } from "../../proto/gen/zor/v1/operation.js";
import { OperationServiceService } from "../../proto/gen/zor/v1/operation_service.js";
import type { Unreachable } from "../../proto/gen/zor/v1/unreachable.js";
import type { ResponseMethod } from "./output/proto-json.js";

/** Kinds of resources zor lists. */
export type KindName = "host" | "instance" | "lan" | "link" | "a2b" | "operation";

/** Which resources of a kind are wanted. */
export interface ListQuery {
  /** Only those on this host; kinds that live on hosts only. */
  readonly host?: string | undefined;
  readonly filter: string;
  readonly orderBy: string;
}

/** All pages of a list as one. */
export interface Listing {
  readonly resources: readonly AnyResource[];
  readonly unreachable: readonly Unreachable[];
  /** The API's response, as if it had come in one page, for JSON. */
  json(): Promise<unknown>;
}

/** A kind of resource on the command line. */
export interface Kind {
  readonly name: KindName;
  readonly plural: string;
  /** Collection segment on a host ("hosts/{host}/instances/..."); absent: it lives on the hub only. */
  readonly onHost?: "instances" | "lans" | "a2bs" | "operations";
  list(connection: Connection, query: ListQuery, options: CallOptions): Promise<Listing>;
  get(connection: Connection, name: string, options: CallOptions): Promise<AnyResource | undefined>;
  /** Resources of this kind as the response of a list that holds just them, for JSON. */
  listJson(resources: readonly AnyResource[], unreachable: readonly Unreachable[]): Promise<unknown>;
}

interface Page {
  readonly nextPageToken: string;
  readonly unreachable: readonly Unreachable[];
}

interface KindCalls<Resource, ListRequest, ListResponse extends Page, GetResponse> {
  readonly wrap: (resource: Resource) => AnyResource;
  readonly listMethod: ResponseMethod<ListRequest, ListResponse>;
  readonly listRequest: (query: ListQuery, page: { pageSize: number; pageToken: string }) => ListRequest;
  readonly itemsOf: (response: ListResponse) => readonly Resource[];
  readonly withItems: (response: ListResponse, items: Resource[]) => ListResponse;
  readonly getMethod: ResponseMethod<{ name: string }, GetResponse>;
  readonly itemOf: (response: GetResponse) => Resource | undefined;
}

/** Items asked for at once; a server may give fewer. */
const pageSize = 1000;

function kind<Resource, ListRequest, ListResponse extends Page, GetResponse>(
  head: Pick<Kind, "name" | "plural" | "onHost">,
  calls: KindCalls<Resource, ListRequest, ListResponse, GetResponse>,
): Kind {
  return {
    ...head,
    list: async (connection, query, options) => {
      const items: Resource[] = [];
      let pageToken = "";
      for (;;) {
        const request = calls.listRequest(query, { pageSize, pageToken });
        const response = await connection.unary(calls.listMethod, request, options);
        items.push(...calls.itemsOf(response));
        pageToken = response.nextPageToken;
        if (pageToken !== "") continue;
        return {
          resources: items.map(calls.wrap),
          unreachable: response.unreachable,
          json: async () => {
            const { responseJson } = await import("./output/proto-json.js");
            return responseJson(calls.listMethod, calls.withItems(response, items));
          },
        };
      }
    },
    get: async (connection, name, options) => {
      const response = await connection.unary(calls.getMethod, { name }, options);
      const item = calls.itemOf(response);
      return item === undefined ? undefined : calls.wrap(item);
    },
    listJson: async (resources, unreachable) => {
      const { responseJson } = await import("./output/proto-json.js");
      // Only what wrap has wrapped comes back.
      const items = resources.map(({ value }) => value as Resource);
      const empty = { nextPageToken: "", totalSize: items.length, unreachable: [...unreachable] };
      return responseJson(calls.listMethod, calls.withItems(empty as unknown as ListResponse, items));
    },
  };
}

function parentOf({ host }: ListQuery): string {
  return `hosts/${host ?? "-"}`;
}

/** All kinds. */
export const kinds: Readonly<Record<KindName, Kind>> = {
  host: kind(
    { name: "host", plural: "hosts" },
    {
      wrap: (value: Host) => ({ kind: "host", value }),
      listMethod: HostServiceService.listHosts,
      listRequest: ({ filter, orderBy }, page) => ({ filter, orderBy, ...page }),
      itemsOf: ({ hosts }) => hosts,
      withItems: (response, hosts) => ({ ...response, hosts }),
      getMethod: HostServiceService.getHost,
      itemOf: ({ host }) => host,
    },
  ),
  instance: kind(
    { name: "instance", plural: "instances", onHost: "instances" },
    {
      wrap: (value: Instance) => ({ kind: "instance", value }),
      listMethod: InstanceServiceService.listInstances,
      listRequest: (query, page) => ({
        parent: parentOf(query),
        filter: query.filter,
        orderBy: query.orderBy,
        ...page,
      }),
      itemsOf: ({ instances }) => instances,
      withItems: (response, instances) => ({ ...response, instances }),
      getMethod: InstanceServiceService.getInstance,
      itemOf: ({ instance }) => instance,
    },
  ),
  lan: kind(
    { name: "lan", plural: "lans", onHost: "lans" },
    {
      wrap: (value: Lan) => ({ kind: "lan", value }),
      listMethod: LanServiceService.listLans,
      listRequest: (query, page) => ({
        parent: parentOf(query),
        filter: query.filter,
        orderBy: query.orderBy,
        ...page,
      }),
      itemsOf: ({ lans }) => lans,
      withItems: (response, lans) => ({ ...response, lans }),
      getMethod: LanServiceService.getLan,
      itemOf: ({ lan }) => lan,
    },
  ),
  link: kind(
    { name: "link", plural: "links" },
    {
      wrap: (value: Link) => ({ kind: "link", value }),
      listMethod: LinkServiceService.listLinks,
      listRequest: ({ filter, orderBy }, page) => ({ filter, orderBy, ...page }),
      itemsOf: ({ links }) => links,
      withItems: (response, links) => ({ ...response, links }),
      getMethod: LinkServiceService.getLink,
      itemOf: ({ link }) => link,
    },
  ),
  a2b: kind(
    { name: "a2b", plural: "a2bs", onHost: "a2bs" },
    {
      wrap: (value: A2b) => ({ kind: "a2b", value }),
      listMethod: A2bServiceService.listA2Bs,
      listRequest: (query, page) => ({
        parent: parentOf(query),
        filter: query.filter,
        orderBy: query.orderBy,
        ...page,
      }),
      itemsOf: ({ a2bs }) => a2bs,
      withItems: (response, a2bs) => ({ ...response, a2bs }),
      getMethod: A2bServiceService.getA2B,
      itemOf: ({ a2b }) => a2b,
    },
  ),
  operation: kind(
    { name: "operation", plural: "operations", onHost: "operations" },
    {
      wrap: (value: Operation) => ({ kind: "operation", value }),
      listMethod: OperationServiceService.listOperations,
      listRequest: (query, page) => ({
        parent: query.host === undefined ? "" : parentOf(query),
        filter: query.filter,
        orderBy: query.orderBy,
        ...page,
      }),
      itemsOf: ({ operations }) => operations,
      withItems: (response, operations) => ({ ...response, operations }),
      getMethod: OperationServiceService.getOperation,
      itemOf: ({ operation }) => operation,
    },
  ),
};

/** The kind of a word such as "instances", "instance" or "vm"; undefined when there is none. */
export function findKind(word: string): Kind | undefined {
  const alias = Object.hasOwn(aliases, word) ? aliases[word] : undefined;
  if (alias !== undefined) return kinds[alias];
  return Object.values(kinds).find(({ name, plural }) => name === word || plural === word);
}

const aliases: Readonly<Record<string, KindName>> = {
  ho: "host",
  in: "instance",
  vm: "instance",
  vms: "instance",
  la: "lan",
  li: "link",
  op: "operation",
  ops: "operation",
};
