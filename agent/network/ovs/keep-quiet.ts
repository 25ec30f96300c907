import type { Log } from "../../../lib/log.js";
import { quietNamespace } from "../../../lib/net/quiet-device.js";

/** Has no device of a net namespace take part in the guests' network. Where that cannot be it is logged. */
export function keepQuiet({ netns, log }: { readonly netns: string; readonly log: Log }): void {
  try {
    quietNamespace(netns);
  } catch (error) {
    log.error(
      { err: error, netns },
      "devices of this host may take part in the guests' network; let the agent write /proc/sys",
    );
  }
}
