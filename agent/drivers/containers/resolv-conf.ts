import type { CrunOptions } from "../../../proto/gen/zor/v1/crun.js";

/** The text of /etc/resolv.conf (resolv.conf(5)) for whom a container is to ask for names; undefined: nothing was said of it. */
export function resolvConf(dns: CrunOptions["dns"]): string | undefined {
  if (dns === undefined) return undefined;
  const search = dns.search.length === 0 ? [] : [`search ${dns.search.join(" ")}`];
  return [...search, ...dns.servers.map((server) => `nameserver ${server}`), ""].join("\n");
}
