import type { FieldViolation } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import type { HostWishes } from "./container-policy.js";

const [maxMounts, maxDevices] = [64, 64];
const maxPathBytes = 1024;
/** Places that the runtime itself mounts and hides things in. */
const ownPlaces = /^\/(proc|sys|dev)(\/|$)/;

/** What is wrong with mounts and devices, whatever the host allows. */
export function checkMounts(base: string, options: Pick<HostWishes, "mounts" | "devices">): readonly FieldViolation[] {
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

/** What is wrong with an absolute path. */
export function checkPath(field: string, path: string): readonly FieldViolation[] {
  const isPath =
    path.startsWith("/") &&
    Buffer.byteLength(path) <= maxPathBytes &&
    !/[\p{Cc}\u2028\u2029]/u.test(path) &&
    !path.split("/").some((name) => name === ".." || name === ".");
  return violation(isPath, field, `${quote(path)} is not an absolute path without "." and "..", such as "/srv/data"`);
}

/** A path without doubled and last slashes. */
function normal(path: string): string {
  return path.replace(/\/+/g, "/").replace(/(.)\/$/, "$1");
}

function violation(isRight: boolean, field: string, description: string): readonly FieldViolation[] {
  return isRight ? [] : [{ field, description }];
}
