import { createHash } from "node:crypto";

const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The UUID of a machine: the instance's uid when it is one, else derived from it; pure. It marks the process and shows in the guest's DMI. */
export function toUuid(uid: string): string {
  if (uuidPattern.test(uid)) return uid.toLowerCase();
  const hex = createHash("sha256").update(uid).digest("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    "-",
  );
}
