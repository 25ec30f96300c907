import type { FieldViolation } from "../../../lib/errors.js";
import { quote } from "../../../lib/names.js";
import { sharedSysctls } from "./shared-sysctls.js";

const maxSysctls = 256;
const maxNameLength = 128;
const maxValueLength = 256;

/** Sysctls of the namespaces that a container has of its own: net, and ipc. */
const namespaced = /^(net(\.[A-Za-z0-9_-]+)+|kernel\.(shm[a-z_]+|msg[a-z_]+|sem)|fs\.mqueue\.[a-z_]+)$/;

/**
 * What is wrong with the sysctls of a container: only those of its own namespaces can be set, and the runtime turns the dots of a name
 * into the slashes of a path.
 */
export function checkSysctls(field: string, sysctls: Readonly<Record<string, string>>): readonly FieldViolation[] {
  const entries = Object.entries(sysctls);
  if (entries.length > maxSysctls) return [{ field, description: `has more than ${maxSysctls} names` }];
  return entries.flatMap(([name, value]) => {
    if (name.length > maxNameLength || !namespaced.test(name)) {
      const remedy =
        'only those of its own namespaces can be set, such as "net.ipv4.ip_forward", "kernel.shmmax" or "fs.mqueue.msg_max"';
      return [{ field, description: `${quote(name)} is not a sysctl of a container: ${remedy}` }];
    }
    if (sharedSysctls.includes(name)) {
      return [
        { field, description: `${quote(name)} is the whole host's in every net namespace: its owner can set it there` },
      ];
    }
    if (/^[\t\x20-\x7e]+$/.test(value) && value.length <= maxValueLength) return [];
    const description = `must be 1 to ${maxValueLength} printable ASCII characters`;
    return [{ field: `${field}[${quote(name)}]`, description }];
  });
}
