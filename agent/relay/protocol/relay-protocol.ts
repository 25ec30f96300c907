import type { FlowExportFormat } from "../../../proto/gen/zor/v1/lan_outlet.js";

/** What both sides speak; a relay that speaks another one ends, and a new one is started. */
export const relayProtocol = 1;
/** The relay's socket, in its directory. */
export const relaySocket = "relay.sock";
/** Longest line of either side. */
export const maxLineBytes: number = 4 * 1024 * 1024;

/** What one format of one lan is to be sent on as. */
export interface WantedExport {
  /** Of the lan and the format, for as long as it lives. */
  readonly id: string;
  readonly format: FlowExportFormat;
  /** Loopback port in the lans' namespace at which it was received before; 0: any. */
  readonly port: number;
  /** "ip:port". */
  readonly collectors: readonly string[];
  /** What sFlow gives as its own address; "": the one that the collector is reached from. */
  readonly agentAddress: string;
  /** What tells the lan from others. */
  readonly domain: number;
}

/** Files of PEM text for TLS towards a controller. */
export interface RelayKeys {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

/** One controller of one lan. */
export interface WantedController {
  readonly id: string;
  /** Path of the socket at which the switch finds it. */
  readonly socket: string;
  /** "tcp:ip:port", "ssl:ip:port", "unix:path". */
  readonly target: string;
  /** For ssl. */
  readonly keys?: RelayKeys | undefined;
}

/** All that the relay is to do. */
export interface RelayWanted {
  readonly exports: readonly WantedExport[];
  readonly controllers: readonly WantedController[];
  /** It may not be all: what the relay does besides goes on. */
  readonly isPartial: boolean;
}

/** A line of the agent. Without `wanted` it only asks. */
export interface RelayRequest {
  readonly protocol: number;
  readonly wanted?: RelayWanted;
}

/** What became of the datagrams to one collector. */
export interface CollectorState {
  readonly collector: string;
  readonly datagrams: number;
  readonly bytes: number;
  readonly failed: number;
  readonly lastError: string;
}

/** How one format of one lan is sent on. */
export interface ExportState {
  readonly id: string;
  /** Loopback port in the lans' namespace; 0: it could not be had. */
  readonly port: number;
  /** Why it could not. */
  readonly fault: string;
  readonly collectors: readonly CollectorState[];
}

/** How the way to one controller is. */
export interface ControllerState {
  readonly id: string;
  /** Why it could not be reached, or was lost last; "": it is connected. */
  readonly lastError: string;
}

/** The relay's line in answer. */
export interface RelayState {
  readonly protocol: number;
  readonly exports: readonly ExportState[];
  readonly controllers: readonly ControllerState[];
}
