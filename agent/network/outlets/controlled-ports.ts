import { failedPrecondition } from "../../../lib/errors.js";
import type { PortSettings } from "../../../proto/gen/zor/v1/port.js";
import { needsFlows } from "../lans/port-flows.js";

/** A port as far as it matters to a controller. */
interface ControlledPort {
  readonly endpoint: string;
  readonly lan: string;
  readonly settings?: PortSettings | undefined;
}

/**
 * The bridge of a lan with a controller is the controller's as a whole: what a port asks for that flows of ours would have to do cannot hold there.
 * @throws {ZorError} FAILED_PRECONDITION
 */
export function assertWithoutFlows({ endpoint, lan, settings }: ControlledPort): void {
  if (settings === undefined || !(needsFlows(settings) || settings.filter !== undefined)) return;
  const what = `${endpoint}: a limit of what it sends, storm control, an address guard or a filter does not hold in lan ${lan}`;
  const remedy = "take them away first, or choose another lan";
  throw failedPrecondition("LAN_CONTROLLED", endpoint, `${what}, where a controller decides about frames; ${remedy}`);
}
