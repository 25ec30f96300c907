import type { SecureServerOptions } from "node:http2";
import type { ChannelOptions } from "@grpc/grpc-js";
import type { DoorLimits } from "../net/door.js";
import type { ConductLimits } from "./conduct.js";
import type { WorkLimits } from "./fair-queue.js";
import type { CallTimes } from "./guarded-call.js";
import { takeLibraryLog } from "./library-log.js";
import type { QuotaLimits } from "./quota.js";

// Every channel and server is made with these limits: whoever makes one has the library silent, until there is a log.
takeLibraryLog();

/** Largest message in bytes, either way. Console and exec data come in far smaller pieces; lists are paged. */
export const maxMessageBytes = 8 * 1024 * 1024;
const mebibyte = 1024 * 1024;

/** Bounds of a server. Hubs are exempt from those of identities: they call for others, who are counted instead. */
export interface ServerLimits {
  readonly grpc: ChannelOptions;
  readonly http2: SecureServerOptions;
  readonly door: DoorLimits;
  /** Connections, calls, watches among them, and bytes that wait to be read, at once. */
  readonly connections: QuotaLimits;
  readonly streams: QuotaLimits;
  readonly watches: QuotaLimits;
  readonly queuedBytes: QuotaLimits;
  readonly work: WorkLimits;
  readonly times: CallTimes;
  /** Who does more of this is cut off for a while. */
  readonly conduct: ConductLimits;
}

const commonGrpc: ChannelOptions = {
  "grpc.max_receive_message_length": maxMessageBytes,
  "grpc.max_send_message_length": maxMessageBytes,
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 5_000,
  "grpc.keepalive_permit_without_calls": 1,
  "grpc-node.max_session_memory": 16,
  // Statistics of every call, message and socket, which nothing here shows.
  "grpc.enable_channelz": 0,
};

/** A server of those with a certificate: the APIs of hub and agent. */
export const mainLimits: ServerLimits = {
  grpc: commonGrpc,
  http2: {
    settings: { maxConcurrentStreams: 100, maxHeaderListSize: 16_384, enablePush: false },
    maxHeaderListPairs: 64,
    // A client cancels now and then; nghttp2 ends the connection of one that does it all the time (CVE-2023-44487).
    streamResetBurst: 50,
    streamResetRate: 20,
    maxSessionInvalidFrames: 10,
    maxSessionRejectedStreams: 50,
  },
  door: {
    unproven: 256,
    unprovenPerAddress: 192,
    connections: 2048,
    connectionsPerAddress: 512,
    // Each takes milliseconds of the loop: many that come together are spread, so that calls get in between.
    handshakesPerAddress: { perSecond: 40, burst: 4 },
    handshakes: { perSecond: 100, burst: 6 },
    provenWithinMs: 5000,
    oldestGoes: false,
  },
  // A command dials every address of the hub at once: sixty commands of a script make close to two hundred.
  connections: { identity: 256, address: 512, all: 1024 },
  streams: { identity: 256, address: 1024, all: 4096 },
  watches: { identity: 64, address: 256, all: 1024 },
  queuedBytes: { identity: 32 * mebibyte, address: 64 * mebibyte, all: 128 * mebibyte },
  work: {
    alone: { perSecond: 1000, burst: 1000 },
    contended: { perSecond: 200, burst: 200 },
    address: { perSecond: 600, burst: 600 },
    leastMs: 1,
  },
  times: { messageMs: 10_000, bytesPerSecond: 32 * 1024, interactiveMs: 600_000, endMs: 5000 },
  conduct: {
    // One who connects or calls as fast as door and queue let through, from one address, waits there and is not cut off.
    connects: { perSecond: 50, burst: 200 },
    calls: { perSecond: 1000, burst: 1500 },
    control: { perSecond: 50, burst: 500 },
    overhead: { perSecond: 2 * mebibyte, burst: 4 * mebibyte },
    outMs: { first: 5000, most: 60_000 },
  },
};

/** A server that anybody may call, in a process of its own: nobody needs it for long. */
export const openLimits: ServerLimits = {
  grpc: {
    ...commonGrpc,
    "grpc.max_receive_message_length": 64 * 1024,
    "grpc.max_connection_age_ms": 15_000,
    "grpc.max_connection_age_grace_ms": 5_000,
    "grpc-node.max_session_memory": 1,
  },
  http2: {
    settings: { maxConcurrentStreams: 4, maxHeaderListSize: 8192, enablePush: false },
    maxHeaderListPairs: 32,
    streamResetBurst: 4,
    streamResetRate: 1,
    maxSessionInvalidFrames: 2,
    maxSessionRejectedStreams: 4,
  },
  door: {
    unproven: 128,
    unprovenPerAddress: 64,
    connections: 256,
    connectionsPerAddress: 96,
    handshakesPerAddress: { perSecond: 40, burst: 60 },
    handshakes: { perSecond: 100, burst: 120 },
    provenWithinMs: 5000,
    oldestGoes: true,
  },
  connections: { identity: 256, address: 256, all: 256 },
  streams: { identity: 256, address: 256, all: 256 },
  watches: { identity: 0, address: 0, all: 0 },
  queuedBytes: { identity: mebibyte, address: mebibyte, all: 4 * mebibyte },
  work: {
    alone: { perSecond: 500, burst: 100 },
    contended: { perSecond: 200, burst: 100 },
    address: { perSecond: 500, burst: 100 },
    leastMs: 1,
  },
  times: { messageMs: 5000, bytesPerSecond: 16 * 1024, interactiveMs: 5000, endMs: 1000 },
  // Kept out by address only for moments: somebody honest may come from the same one.
  conduct: {
    connects: { perSecond: 200, burst: 400 },
    calls: { perSecond: 200, burst: 400 },
    control: { perSecond: 50, burst: 200 },
    overhead: { perSecond: mebibyte, burst: mebibyte },
    outMs: { first: 100, most: 200 },
  },
};

/** An agent's API: the hub calls for all its people over one connection. */
export const agentLimits: ServerLimits = {
  ...mainLimits,
  // A hub that a busy machine holds up for some seconds is not gone: what it calls for its people goes on.
  grpc: { ...commonGrpc, "grpc.keepalive_timeout_ms": 20_000 },
  http2: {
    ...mainLimits.http2,
    settings: { ...mainLimits.http2.settings, maxConcurrentStreams: 1000 },
    streamResetBurst: 500,
    streamResetRate: 100,
  },
};

/** Options of every channel. */
export const channelOptions: ChannelOptions = {
  "grpc.max_receive_message_length": maxMessageBytes,
  "grpc.max_send_message_length": maxMessageBytes,
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 5_000,
  "grpc.keepalive_permit_without_calls": 1,
  "grpc.initial_reconnect_backoff_ms": 200,
  "grpc.min_reconnect_backoff_ms": 200,
  "grpc.max_reconnect_backoff_ms": 3_000,
  // Subchannels are not shared: closing one connection must not depend on another.
  "grpc.use_local_subchannel_pool": 1,
  "grpc.enable_retries": 0,
  "grpc.enable_channelz": 0,
  // Always direct: a proxy of the environment is for the web, and knows neither hub nor agents.
  "grpc.enable_http_proxy": 0,
  // No TXT records of a name change how it is called.
  "grpc.service_config_disable_resolution": 1,
  // A name is looked up for every attempt to connect: it may mean another machine since.
  "grpc.dns_min_time_between_resolutions_ms": 1000,
};
