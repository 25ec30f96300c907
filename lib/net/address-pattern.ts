import { isIPv6 } from "node:net";
import { setFlagsFromString } from "node:v8";

/**
 * Has the pattern compiled by which Node tells IPv6 addresses, once and for all of this process. Every connection asks for it, and V8 takes 4 to
 * 30 ms to optimize it, and half a millisecond not to; other patterns are left as they are. For programs whose start somebody waits for.
 */
export function compileAddressPattern(): void {
  setFlagsFromString("--no-regexp-optimization");
  try {
    // What is asked for once is interpreted only.
    isIPv6("");
    isIPv6("");
  } finally {
    setFlagsFromString("--regexp-optimization");
  }
}
