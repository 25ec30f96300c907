import { isIP } from "node:net";
import type { FieldViolation } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import type { CrunOptions } from "../../../proto/gen/zor/v1/crun.js";
import { isUser } from "./user.js";

const [maxServers, maxSearch, maxHosts, maxMounts, maxDevices] = [3, 6, 256, 64, 64];
const maxPathBytes = 1024;
/** Places that the runtime itself mounts and hides things in. */
const ownPlaces = /^\/(proc|sys|dev)(\/|$)/;
const hostname = /^(?=.{1,63}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$/;
const domain =
  /^(?=.{1,253}\.?$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?)*\.?$/;

/** What is wrong with where and whose the command is, and with what its init is called. */
export function checkIdentity(base: string, options: CrunOptions): readonly FieldViolation[] {
  const { workingDirectory, user, init } = options;
  return [
    ...(workingDirectory === "" ? [] : checkPath(`${base}.working_directory`, workingDirectory)),
    ...violation(
      user === "" || isUser(user),
      `${base}.user`,
      `${quote(user)} is not a user such as "web" or "1000:1000"`,
    ),
    ...violation(init === "" || init === "systemd", `${base}.init`, `${quote(init)} is neither empty nor "systemd"`),
  ];
}

/** What is wrong with the container's name and those it looks up. */
export function checkNames(base: string, options: CrunOptions): readonly FieldViolation[] {
  const { dns, extraHosts } = options;
  const { servers = [], search = [] } = dns ?? {};
  const name = options.hostname;
  const hosts = Object.entries(extraHosts);
  return [
    ...violation(
      name === "" || hostname.test(name),
      `${base}.hostname`,
      `${quote(name)} is not a host name: use letters, digits, "-" and "."`,
    ),
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

/** What is wrong with mounts and devices, whatever the host allows. */
export function checkMounts(base: string, options: CrunOptions): readonly FieldViolation[] {
  const { mounts, devices } = options;
  const targets = mounts.map(({ target }) => normal(target));
  return [
    ...violation(mounts.length <= maxMounts, `${base}.mounts`, `has more than ${maxMounts} mounts`),
    ...mounts.flatMap(({ target, source }, index) => {
      const field = `${base}.mounts[${index}]`;
      return [
        ...checkPath(`${field}.target`, target),
        ...violation(normal(target) !== "/", `${field}.target`, "is the root; name a directory in it"),
        ...violation(!ownPlaces.test(target), `${field}.target`, `${quote(target)} is in /proc, /sys or /dev`),
        ...violation(targets.indexOf(normal(target)) === index, `${field}.target`, `${quote(target)} is mounted twice`),
        ...violation(
          source !== undefined,
          `${field}.host_path`,
          "is not set, and neither is tmpfs_mib; set one of them",
        ),
        ...(source?.$case === "hostPath" ? checkPath(`${field}.host_path`, source.value) : []),
        ...(source?.$case === "tmpfsMib"
          ? violation(
              source.value >= 1n && source.value <= 2n ** 30n,
              `${field}.tmpfs_mib`,
              `${source.value} is not between 1 and ${2 ** 30}`,
            )
          : []),
      ];
    }),
    ...violation(devices.length <= maxDevices, `${base}.devices`, `has more than ${maxDevices} devices`),
    ...devices.flatMap(({ hostPath, path }, index) => [
      ...checkPath(`${base}.devices[${index}].host_path`, hostPath),
      ...(path === "" ? [] : checkPath(`${base}.devices[${index}].path`, path)),
      ...violation(
        (path === "" ? hostPath : path).startsWith("/dev/"),
        `${base}.devices[${index}].path`,
        "is not below /dev",
      ),
    ]),
  ];
}

/** What does not go with something else. */
export function checkTogether(base: string, options: CrunOptions): readonly FieldViolation[] {
  const { init, userNamespace, privileged, sysctls, devices } = options;
  const hasNetSysctl = Object.keys(sysctls).some((name) => name.startsWith("net."));
  return [
    ...violation(
      !userNamespace || !hasNetSysctl,
      `${base}.sysctls`,
      "those of the net namespace cannot be set from a user namespace; leave user_namespace out",
    ),
    ...violation(!userNamespace || !privileged, `${base}.privileged`, "does not go with user_namespace"),
    ...violation(!userNamespace || devices.length === 0, `${base}.devices`, "do not go with user_namespace"),
    ...violation(
      init === "" || !privileged,
      `${base}.init`,
      "does not go with privileged, which lets any init do its work",
    ),
  ];
}

function checkPath(field: string, path: string): readonly FieldViolation[] {
  const isPath =
    path.startsWith("/") &&
    Buffer.byteLength(path) <= maxPathBytes &&
    !/[\p{Cc}\u2028\u2029]/u.test(path) &&
    !path.split("/").some((name) => name === ".." || name === ".");
  return violation(isPath, field, `${quote(path)} is not an absolute path without "." and "..", such as "/srv/data"`);
}

function normal(path: string): string {
  return path.replace(/\/+/g, "/").replace(/(.)\/$/, "$1");
}

function violation(isRight: boolean, field: string, description: string): readonly FieldViolation[] {
  return isRight ? [] : [{ field, description }];
}
