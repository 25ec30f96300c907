import { createHash } from "node:crypto";
import { join } from "node:path";
import type { LanSpec } from "../../../proto/gen/zor/v1/lan.js";
import {
  ControllerFailMode,
  ControllerRole,
  type ControllerStatus,
  FlowExportFormat,
} from "../../../proto/gen/zor/v1/lan_outlet.js";
import { toldOf } from "../../host/told.js";
import type { RelayState, WantedController, WantedExport } from "../../relay/protocol/relay-protocol.js";
import type { OvsdbRow } from "../ovs/ovsdb-values.js";
import type { ControllerSight } from "./controller-sights.js";
import { findAllowedController, mayTell, type OutletPolicy } from "./outlet-policy.js";
import { controllerRow, type ExportColumn, ipfixRow, netflowRow, sflowRow, type WantedOutlets } from "./outlet-rows.js";

/** A lan with what leaves its switch. */
export interface OutletLan extends Pick<LanSpec, "controller" | "flowExport"> {
  /** Last segment of the resource name. */
  readonly id: string;
  readonly uid: string;
}

const {
  FLOW_EXPORT_FORMAT_NETFLOW: netflow,
  FLOW_EXPORT_FORMAT_SFLOW: sflow,
  FLOW_EXPORT_FORMAT_IPFIX: ipfix,
} = FlowExportFormat;

/** All collectors of a lan with the format they are told in, as in its specification; pure. */
export function collectorsOf({ flowExport }: OutletLan): readonly (readonly [FlowExportFormat, string])[] {
  const of = (format: FlowExportFormat, collectors: readonly string[] = []) =>
    collectors.map((each) => [format, each] as const);
  return [
    ...of(netflow, flowExport?.netflow?.collectors),
    ...of(sflow, flowExport?.sflow?.collectors),
    ...of(ipfix, flowExport?.ipfix?.collectors),
  ];
}

/** What the relay is to do for lans; what the agent's settings do not allow is left out; pure. @param directory of the switch's sockets. */
export function relayWanted(
  lans: readonly OutletLan[],
  {
    policy,
    directory,
    portOf,
  }: { readonly policy: OutletPolicy; readonly directory: string; readonly portOf: (id: string) => number },
): { readonly exports: readonly WantedExport[]; readonly controllers: readonly WantedController[] } {
  const exports = lans.flatMap((lan): readonly WantedExport[] =>
    [netflow, sflow, ipfix].flatMap((format) => {
      const collectors = collectorsOf(lan).flatMap(([of, each]) =>
        of === format && mayTell(policy, each) ? [each] : [],
      );
      if (collectors.length === 0) return [];
      const id = exportId(lan, format);
      const agentAddress = lan.flowExport?.sflow?.agentAddress ?? "";
      return [{ id, format, port: portOf(id), collectors, agentAddress, domain: domainOf(lan) }];
    }),
  );
  const controllers = lans.flatMap((lan) =>
    (lan.controller?.targets ?? []).flatMap((target): readonly WantedController[] => {
      const allowed = findAllowedController(policy, target);
      const id = `${lan.uid}/${target}`;
      const socket = join(directory, socketName(lan.uid, target));
      return allowed === undefined
        ? []
        : [{ id, socket, target, ...(allowed.keys === undefined ? {} : { keys: allowed.keys }) }];
    }),
  );
  return { exports, controllers };
}

/** The rows that a lan's bridge is to refer to; pure. */
export function wantedRows(
  lan: OutletLan,
  { directory, state }: { readonly directory: string; readonly state: RelayState | undefined },
): WantedOutlets {
  const exports = new Map<ExportColumn, OvsdbRow>();
  const put = (column: ExportColumn, format: FlowExportFormat, rowOf: (target: string) => OvsdbRow): void => {
    const port = state?.exports.find(({ id }) => id === exportId(lan, format))?.port ?? 0;
    if (port > 0) exports.set(column, rowOf(`127.0.0.1:${port}`));
  };
  const domain = domainOf(lan);
  const wanted = lan.flowExport;
  if (wanted?.netflow !== undefined) {
    const told = wanted.netflow;
    put("netflow", netflow, (target) => netflowRow(told, target, domain));
  }
  if (wanted?.sflow !== undefined) {
    const told = wanted.sflow;
    put("sflow", sflow, (target) => sflowRow(told, target));
  }
  if (wanted?.ipfix !== undefined) {
    const told = wanted.ipfix;
    put("ipfix", ipfix, (target) => ipfixRow(told, target, domain));
  }
  const { targets = [], failMode, probeSeconds = 0 } = lan.controller ?? {};
  // One that is allowed no more stays the lan's: that it is not reached is no reason to forward without it.
  const controllers = new Map(
    targets.map((target) => [target, controllerRow(join(directory, socketName(lan.uid, target)), probeSeconds)]),
  );
  const isSecure = failMode === ControllerFailMode.CONTROLLER_FAIL_MODE_SECURE;
  return { exports, controllers, failMode: isSecure ? "secure" : "standalone" };
}

/** The controllers of a lan as they are seen; pure. */
export function controllersOf(
  lan: OutletLan,
  {
    policy,
    state,
    sightOf,
  }: {
    readonly policy: OutletPolicy;
    readonly state: RelayState | undefined;
    readonly sightOf: (target: string) => ControllerSight | undefined;
  },
): ControllerStatus[] {
  return (lan.controller?.targets ?? []).map((target) => {
    const sight = sightOf(target);
    const connected = sight?.connected ?? false;
    const relayed = state?.controllers.find(({ id }) => id === `${lan.uid}/${target}`);
    const isAllowed = findAllowedController(policy, target) !== undefined;
    const refused = "the agent's setting controllers does not allow it";
    const away = isAllowed ? toldOf(relayed?.lastError || (sight?.lastError ?? "")) : refused;
    return {
      ...{ target, connected },
      role: sight?.role ?? ControllerRole.CONTROLLER_ROLE_UNSPECIFIED,
      since: sight?.since,
      lastError: connected ? (sight?.lastError ?? "") : away,
    };
  });
}

function exportId({ uid }: OutletLan, format: FlowExportFormat): string {
  return `${uid}/${format}`;
}

/** Within the switch's directory, from which alone it takes sockets. */
function socketName(uid: string, target: string): string {
  return `ctl-${createHash("sha256").update(`${uid}\0${target}`).digest("hex").slice(0, 12)}`;
}

/** What tells a lan from others: as its specification says, or made of its uid. */
function domainOf({ uid, flowExport }: OutletLan): number {
  const told = flowExport?.observationDomain ?? 0;
  return told === 0 ? createHash("sha256").update(uid).digest().readUInt32BE(0) : told;
}
