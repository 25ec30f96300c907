import { createHash } from "node:crypto";

/** The stable MAC address of an instance's NIC: locally administered, unicast, derived from the uid and the NIC's name. */
export function macOf(uid: string, nic: string): string {
  const digest = createHash("sha256").update(`${uid}/${nic}`).digest("hex");
  return ["02", ...(digest.slice(0, 10).match(/../g) ?? [])].join(":");
}
