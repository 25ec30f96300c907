import type { EnginePort, SetPortRequest } from "../../proto/gen/zor/agent/v1/engine.js";
import type { WantedPort } from "./plug-loop.js";

/** Longest text of why a port is not plugged. */
const maxFault = 300;

/** Something of the engine that has taps. */
export interface PortOwner {
  readonly uid: string;
  /** Resource name. */
  readonly endpoint: string;
  readonly ports: readonly EnginePort[];
}

/** The taps of the engine as they are to be plugged. @param tell tells the engine what came of it. */
export function wantedPorts(
  owners: readonly PortOwner[],
  tell: (request: SetPortRequest) => Promise<unknown>,
): readonly WantedPort[] {
  return owners.flatMap(({ uid, endpoint, ports }) =>
    ports.map(({ name: port, lan, ready, plugged, generation }) => ({
      ...{ lan, port, endpoint, ready, plugged },
      tell: async (fault: string): Promise<void> => {
        await tell({ uid, port, generation, fault: fault.slice(0, maxFault) });
      },
    })),
  );
}
