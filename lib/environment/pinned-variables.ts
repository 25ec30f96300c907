/**
 * Variables that the Node runtime or OpenSSL reads before any code of a program runs: only whoever starts it can keep them away.
 * The launcher, `zor`, unsets exactly these.
 */
export const startVariables: readonly string[] = [
  // Options, preloaded code, where modules and certificates come from, what is printed beside the program's own words.
  "NODE_OPTIONS",
  "NODE_PATH",
  "NODE_EXTRA_CA_CERTS",
  "NODE_USE_SYSTEM_CA",
  "NODE_USE_ENV_PROXY",
  "NODE_TLS_REJECT_UNAUTHORIZED",
  "NODE_DEBUG",
  "NODE_DEBUG_NATIVE",
  "NODE_PENDING_DEPRECATION",
  "NODE_REDIRECT_WARNINGS",
  "NODE_NO_WARNINGS",
  "NODE_V8_COVERAGE",
  "NODE_COMPILE_CACHE",
  "NODE_ICU_DATA",
  "NODE_PRESERVE_SYMLINKS",
  "NODE_PRESERVE_SYMLINKS_MAIN",
  "NODE_CHANNEL_FD",
  "NODE_CHANNEL_SERIALIZATION_MODE",
  "NODE_UNIQUE_ID",
  "OPENSSL_CONF",
  "OPENSSL_CONF_INCLUDE",
  "OPENSSL_ENGINES",
  "OPENSSL_MODULES",
  "SSL_CERT_DIR",
  "SSL_CERT_FILE",
  "SSLKEYLOGFILE",
  "UV_THREADPOOL_SIZE",
  "UV_USE_IO_URING",
];

const pinned: readonly RegExp[] = [
  // grpc-js: proxies (either case), tracing, cipher suites, root certificates, another resolver, errors with stacks.
  /^(?:https?|grpc|all|no|no_grpc)_proxy$/i,
  /^GRPC_/,
  /^(?:NODE|OPENSSL|SSL|UV)_/,
  /^SSLKEYLOGFILE$/,
  // The C library's resolver: which names are looked up where.
  /^(?:RES_OPTIONS|LOCALDOMAIN|HOSTALIASES|RESOLV_HOST_CONF|RESOLV_MULTI)$/,
  // @bufbuild/protobuf, yaml, Ink.
  /^BUF_BIGINT_DISABLE$/,
  /^LOG_(?:TOKENS|STREAM)$/,
  /^(?:INK_|DEV$)/,
];

/** Whether a library reads this variable behind the program's back, so that it is taken away. */
export function isPinned(name: string): boolean {
  return pinned.some((pattern) => pattern.test(name));
}
