import type { ChannelOptions } from "@grpc/grpc-js";
import { takeLibraryLog } from "./library-log.js";

// Every channel and server is made with these limits: whoever makes one has the library silent, until there is a log.
takeLibraryLog();

/** Largest message in bytes, either way. Console and exec data come in far smaller pieces; lists are paged. */
const maxMessageBytes = 8 * 1024 * 1024;

/** Options of every server: bounded streams, messages and session memory, and keepalive that finds dead peers within 15 s. */
export const serverOptions: ChannelOptions = {
  "grpc.max_concurrent_streams": 1000,
  "grpc.max_receive_message_length": maxMessageBytes,
  "grpc.max_send_message_length": maxMessageBytes,
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 5_000,
  "grpc.keepalive_permit_without_calls": 1,
  "grpc-node.max_session_memory": 64,
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
  // Always direct: a proxy of the environment is for the web, and knows neither hub nor agents.
  "grpc.enable_http_proxy": 0,
  // No TXT records of a name change how it is called.
  "grpc.service_config_disable_resolution": 1,
};

/** More options of servers that anybody may call: nobody needs them for long. */
export const openServerOptions: ChannelOptions = {
  "grpc.max_concurrent_streams": 10,
  "grpc.max_receive_message_length": 64 * 1024,
  "grpc.max_connection_age_ms": 30_000,
  "grpc.max_connection_age_grace_ms": 10_000,
};
