import { isIP } from "node:net";
import type { FieldViolation } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import type { ContainerDns } from "../../../proto/gen/zor/v1/crun.js";

const [maxServers, maxSearch, maxHosts] = [3, 6, 256];
const domain =
  /^(?=.{1,253}\.?$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?)*\.?$/;

/** What is wrong with how a container looks up names. @param base proto path of its options. */
export function checkDns(
  base: string,
  {
    dns,
    extraHosts,
  }: { readonly dns?: ContainerDns | undefined; readonly extraHosts: Readonly<Record<string, string>> },
): readonly FieldViolation[] {
  const { servers = [], search = [] } = dns ?? {};
  const hosts = Object.entries(extraHosts);
  return [
    ...violation(servers.length <= maxServers, `${base}.dns.servers`, `has more than ${maxServers} addresses`),
    ...servers.flatMap((server, index) =>
      violation(isIP(server) !== 0, `${base}.dns.servers[${index}]`, `${quote(server)} is not an IP address`),
    ),
    ...violation(search.length <= maxSearch, `${base}.dns.search`, `has more than ${maxSearch} domains`),
    ...search.flatMap((each, index) =>
      violation(
        domain.test(each),
        `${base}.dns.search[${index}]`,
        `${quote(each)} is not a domain such as "lab.example"`,
      ),
    ),
    ...violation(hosts.length <= maxHosts, `${base}.extra_hosts`, `has more than ${maxHosts} names`),
    ...hosts.flatMap(([host, address]) => [
      ...violation(domain.test(host), `${base}.extra_hosts`, `${quote(host)} is not a host name`),
      ...violation(
        isIP(address) !== 0,
        `${base}.extra_hosts[${quote(host)}]`,
        `${quote(address)} is not an IP address`,
      ),
    ]),
  ];
}

function violation(isRight: boolean, field: string, description: string): readonly FieldViolation[] {
  return isRight ? [] : [{ field, description }];
}
