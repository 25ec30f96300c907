import type { FieldViolation } from "../../../lib/errors.js";
import { isId, quote } from "../../../lib/names.js";
import type { CrunOptions } from "../../../proto/gen/zor/v1/crun.js";
import { checkDns } from "../containers/dns-check.js";
import { checkPath } from "../containers/mounts-check.js";
import { isUser } from "./user.js";

const hostname = /^(?=.{1,63}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$/;

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

/** What is wrong with whose network it joins. */
export function checkNetwork(base: string, { networkOf, sysctls }: CrunOptions): readonly FieldViolation[] {
  if (networkOf === "") return [];
  const own = Object.keys(sysctls).find((name) => name.startsWith("net."));
  return [
    ...violation(isId(networkOf), `${base}.network_of`, `${quote(networkOf)} is not the id of an instance`),
    ...violation(
      own === undefined,
      `${base}.sysctls`,
      `${quote(own ?? "")} is one of the network that it joins; set it where that is`,
    ),
  ];
}

/** What is wrong with the container's name and those it looks up. */
export function checkNames(base: string, options: CrunOptions): readonly FieldViolation[] {
  const name = options.hostname;
  return [
    ...violation(
      name === "" || hostname.test(name),
      `${base}.hostname`,
      `${quote(name)} is not a host name: use letters, digits, "-" and "."`,
    ),
    ...checkDns(base, options),
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

function violation(isRight: boolean, field: string, description: string): readonly FieldViolation[] {
  return isRight ? [] : [{ field, description }];
}
