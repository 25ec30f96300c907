import { randomBytes } from "node:crypto";

/**
 * What the names of everything that tests make on the machine begin with: "zt", or in a run of npm test "zt" and five characters of
 * that run's own, by which it tells what it left from what others have.
 */
export const runTag: string = process.env["ZOR_TEST_RUN"] ?? "zt";

/** A name that nothing else on the machine has: at most 12 lower-case letters and digits, good for a demo too. */
export function freshName(): string {
  return `${runTag}${randomBytes(3).toString("hex").slice(1)}`;
}
