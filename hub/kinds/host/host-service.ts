import { alreadyExists, failedPrecondition, invalidArgument, invalidFields } from "../../../lib/errors.js";
import type { Handlers } from "../../../lib/grpc/service.js";
import { newEtag } from "../../../lib/kinds/change.js";
import { kindNamed } from "../../../lib/kinds/kinds.js";
import { checkAnnotations, checkLabels } from "../../../lib/labels.js";
import { parseHost, parseId } from "../../../lib/names.js";
import { addressForm, isDialAddress } from "../../../lib/socket-address.js";
import { agreeing, counted, listed } from "../../../lib/words.js";
import { CaptureServiceService } from "../../../proto/gen/zor/v1/capture_service.js";
import { Host } from "../../../proto/gen/zor/v1/host.js";
import { CreateHostResponse, HostServiceService } from "../../../proto/gen/zor/v1/host_service.js";
import { OvsServiceService } from "../../../proto/gen/zor/v1/ovs_service.js";
import { ShellServiceService } from "../../../proto/gen/zor/v1/shell_service.js";
import { HostLogServiceService } from "../../../proto/gen/zor/v1/log_service.js";
import { Role } from "../../../proto/gen/zor/v1/token_service.js";
import { type HostRecord, hostNotFound, neverJoined, putHost, viewHost } from "../../fleet/host-record.js";
import type { SshWays } from "../../fleet/ssh-ways.js";
import { checkAddresses, checkUnderlayAddresses } from "../../join/addresses.js";
import { mintToken, parseTtlMs, planTokenRemoval } from "../../join/tokens.js";
import { readFirst } from "../../kit/first-message.js";
import { handlersOf, type KindHandlers } from "../../kit/handlers.js";
import type { HubParts } from "../../kit/hub-kind.js";
import { type HubRecord, type HubResources, hubHandlers } from "../../kit/hub-resources.js";
import { mutate } from "../../kit/mutate.js";
import { recordChange } from "../../kit/record-change.js";
import { StoredRequests } from "../../kit/requests.js";
import { figureHandlers } from "./figures/index.js";

const service = HostServiceService;

/** Registers, changes, lists and forgets hosts. */
export function hostHandlers(parts: HubParts): KindHandlers {
  return {
    ...hubHandlers(parts, hostResources(parts)),
    ...handlersOf(service, comingAndGoing(parts)),
    ...logHandlers(parts),
    ...captureHandlers(parts),
    ...ovsHandlers(parts),
    ...shellHandlers(parts),
    ...figureHandlers(parts),
  };
}

/** Agents have their logs. */
function logHandlers({ router }: HubParts): KindHandlers {
  const method = HostLogServiceService.readHostLog;
  return handlersOf(HostLogServiceService, {
    readHostLog: (request, context) =>
      router.stream(method, { host: parseHost("name", request.name), request }, context),
  });
}

/** Agents have their switches. */
function ovsHandlers({ router }: HubParts): KindHandlers {
  const { queryOvs, runOvs } = OvsServiceService;
  const hostOf = (name: string) => parseHost("name", name);
  return handlersOf(OvsServiceService, {
    queryOvs: (request, context) => router.unary(queryOvs, { host: hostOf(request.name), request }, context),
    runOvs: (request, context) => router.unary(runOvs, { host: hostOf(request.name), request }, context),
  });
}

/** Agents give shells, or do not. */
function shellHandlers({ router }: HubParts): KindHandlers {
  const { openShell } = ShellServiceService;
  return handlersOf(ShellServiceService, {
    openShell: async function* (requests, context) {
      const { first, all } = await readFirst(requests);
      const open = first?.message?.$case === "open" ? first.message.value : undefined;
      if (open === undefined) throw invalidArgument("open", "must be the first message");
      yield* router.bidi(openShell, { host: parseHost("open.name", open.name), request: all }, context);
    },
  });
}

/** Agents capture. */
function captureHandlers({ router }: HubParts): KindHandlers {
  const { capture, stopCapture, readClock } = CaptureServiceService;
  const hostOf = ({ name }: { readonly name: string }): string => parseHost("name", name);
  return handlersOf(CaptureServiceService, {
    capture: (request, context) => router.stream(capture, { host: hostOf(request), request }, context),
    stopCapture: (request, context) => router.unary(stopCapture, { host: hostOf(request), request }, context),
    readClock: (request, context) => router.unary(readClock, { host: hostOf(request), request }, context),
  });
}

interface HostToStore extends HubRecord<Host> {
  readonly record: HostRecord;
}

function hostResources({ fleet, store, ways }: HubParts): HubResources<Host, HostToStore> {
  const wrap = (record: HostRecord): HostToStore => ({ value: record.host, changedBy: record.changedBy, record });
  const find = (name: string): HostRecord | undefined => fleet.find(idOf(name));
  return {
    kind: "host",
    changeable: ["labels", "annotations", "addresses", "underlay_addresses", "undialable", "via"],
    remedy: hostRemedy,
    find: (name) => {
      const record = find(name);
      return record === undefined ? undefined : wrap(record);
    },
    view: (name) => (find(name) === undefined ? undefined : fleet.get(idOf(name), new Date())),
    list: () => fleet.list(new Date()),
    check: (wanted, name, before) => {
      checkHost(name, wanted, { ways, before });
      const { underlayAddresses } = wanted;
      const isSet = before?.underlaySet === true || isChanged(before, underlayAddresses);
      return { value: { ...wanted, underlaySet: underlayAddresses.length > 0 && isSet } };
    },
    toRecord: (host, changedBy, before) =>
      wrap({ id: idOf(host.name), host, changedBy, revision: before?.record.revision ?? 0n }),
    preview: ({ value }) => ({ ...fleet.get(idOf(value.name), new Date()), ...declared(value) }),
    planPut: ({ record }) => [putHost(record, record.revision)],
    put: async ({ record }) => {
      const before = fleet.find(record.id);
      const stored = await store.get("hosts", record.id);
      const kept = { ...record, revision: stored?.revision ?? 0n };
      // Only another way to its agent needs another session.
      if (before !== undefined && wayTo(before.host) === wayTo(record.host)) fleet.amend(kept);
      else fleet.put(kept);
    },
    // Hosts are forgotten by a handler of their own.
    planRemoval: () => [],
    removed: () => undefined,
  };
}

/** Registering and forgetting: both deal with tokens and certificates too. */
function comingAndGoing({
  fleet,
  store,
  certificates,
  requests,
  references,
  inventory,
  formatToken,
  ways,
}: HubParts): Pick<Handlers<typeof service>, "createHost" | "deleteHost"> {
  /** Of CreateHost, whose answer holds a token. */
  const hostRequests = new StoredRequests(store, withoutToken);
  return {
    createHost: async (request, context) =>
      mutate({ store, requests: hostRequests, method: service.createHost, request, context }, async (commit) => {
        const id = parseId("host_id", request.hostId);
        const ttlMs = parseTtlMs("token_ttl", request.tokenTtl);
        const now = new Date();
        const name = `hosts/${id}`;
        const caller = context.caller.identity;
        const { labels, annotations, addresses, underlayAddresses, undialable, via } =
          request.host ?? Host.fromPartial({});
        const host = Host.fromPartial({
          ...{ name, labels, annotations, addresses, underlayAddresses, undialable, via },
          ...{ etag: newEtag(), createTime: now, updateTime: now },
        });
        checkMeta(host);
        checkHost(name, host, { ways, before: undefined });
        if (fleet.find(id) !== undefined)
          throw alreadyExists(name, `for another token use "zor token create --host ${id}"`);
        const view = viewHost(host, neverJoined(id), { now, relayedBytes: 0n, copy: "" });
        if (request.validateOnly) return { host: view, joinToken: "" };
        const token = mintToken({ kind: "host", id, role: Role.ROLE_UNSPECIFIED }, ttlMs, now);
        const record = { id, host, changedBy: caller };
        const answer = await commit([putHost(record, 0n), token.change], {
          host: view,
          joinToken: formatToken(token.secret),
        });
        const stored = await store.get("hosts", id);
        fleet.put({ ...record, revision: stored?.revision ?? 0n });
        recordChange(inventory.log, { kind: "host", name, what: "created", caller });
        return answer;
      }),

    deleteHost: async (request, context) =>
      mutate({ store, requests, method: service.deleteHost, request, context }, async (commit) => {
        const { name } = request;
        const id = parseHost("name", name);
        if (fleet.find(id) === undefined) throw hostNotFound(name);
        const ended = references.dependentsOf(name);
        if (ended.names.length > 0 && !request.force) throw hasDependents(name, ended);
        if (request.validateOnly) return {};
        const { serials, changes } = await certificates.planRevocation(`zor://host/${id}`);
        const tokens = await planTokenRemoval(store, "host", id);
        const answer = await commit(
          [{ type: "delete", collection: "hosts", key: id }, ...ended.changes, ...tokens, ...changes],
          {},
        );
        fleet.remove(id);
        // What they have on other hosts is removed; this host is left as it is.
        ended.removed();
        certificates.revoked(serials);
        recordChange(inventory.log, { kind: "host", name, what: "deleted", caller: context.caller.identity });
        return answer;
      }),
  };
}

const hostRemedy = 'list the hosts with "zor get hosts", add one with "zor host add"';

function hasDependents(name: string, { kind, names }: { kind: string; names: readonly string[] }) {
  const { plural } = kindNamed(kind);
  const them = agreeing(names.length, "it", "them");
  return failedPrecondition(
    `HOST_HAS_${plural.toUpperCase()}`,
    name,
    `${name} has ${counted(names.length, kind, plural)} (${listed(names, 5)}): delete ${them} first, or forget ${them} too with force ("--force")`,
  );
}

function idOf(name: string): string {
  return name.slice("hosts/".length);
}

function isChanged(before: Host | undefined, underlayAddresses: readonly string[]): boolean {
  return before !== undefined && before.underlayAddresses.join() !== underlayAddresses.join();
}

/** What people say of a host, and when they did. */
function declared(host: Host): Partial<Host> {
  const { labels, annotations, addresses, underlayAddresses, underlaySet, undialable, via, etag, updateTime } = host;
  return { labels, annotations, addresses, underlayAddresses, underlaySet, undialable, via, etag, updateTime };
}

function checkMeta({ name, labels, annotations }: Host): void {
  const violations = [...checkLabels("host.labels", labels), ...checkAnnotations("host.annotations", annotations)];
  if (violations.length > 0) throw invalidFields(violations, name);
}

/** What decides by which way a host's agent is dialled. */
function wayTo({ addresses, via }: Host): string {
  return [via, ...addresses].join();
}

interface ViaCheck {
  readonly ways: SshWays;
  readonly before: Host | undefined;
}

function checkHost(name: string, { addresses, underlayAddresses, via }: Host, { ways, before }: ViaCheck): void {
  // One that was allowed once stays until it is changed: dialling tells that it no longer is.
  const refusal = via === "" || via === before?.via ? undefined : ways.refusalOf(via);
  const noAddress = via !== "" && addresses.length === 0;
  const violations = [
    ...checkAddresses("host.addresses", addresses, isDialAddress, addressForm),
    ...checkUnderlayAddresses("host.underlay_addresses", underlayAddresses),
    ...(refusal === undefined ? [] : [{ field: "host.via", description: refusal }]),
    ...(noAddress
      ? [
          {
            field: "host.addresses",
            description: "say where the agent listens as the ssh server sees it, such as 127.0.0.1:7443",
          },
        ]
      : []),
  ];
  if (violations.length > 0) throw invalidFields(violations, name);
}

function withoutToken(response: Buffer): Buffer {
  return Buffer.from(CreateHostResponse.encode({ ...CreateHostResponse.decode(response), joinToken: "" }).finish());
}
