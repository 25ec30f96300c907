import { shortName } from "../resource-name.js";

/** What a wire or link ends at as the command line writes it: "alpha/r1:eth1", "tap:alpha/t1". The inverse of what commands read. */
export function wordOfEnd(name: string, ofLan = "lan:"): string {
  const [, host, instance, nic] = /^hosts\/([^/]+)\/instances\/([^/]+)\/nics\/([^/]+)$/.exec(name) ?? [];
  if (host !== undefined) return `${host}/${instance ?? ""}:${nic ?? ""}`;
  const [, , kind] = name.split("/");
  const sign = { taps: "tap:", phys: "phy:", lans: ofLan }[kind ?? ""] ?? "";
  return `${sign}${shortName(name)}`;
}
