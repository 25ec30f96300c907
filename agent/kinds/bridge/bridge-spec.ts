import { isId, quote } from "../../../lib/names.js";
import { type Bridge, BridgeSpec } from "../../../proto/gen/zor/v1/bridge.js";
import { fieldFaults } from "../../kit/field-faults.js";
import type { Checked } from "../../kit/kind.js";
import { parseInterfaceName } from "../../network/ip.js";
import { checkPort, checkUnfiltered, settlePort } from "../../network/lans/port-check.js";

const faults = fieldFaults("bridge");

/** Checks what a bridge is asked to be and fills in what was not said. @param before what it is; undefined: it is new. */
export function checkBridge(wanted: BridgeSpec | undefined, before: BridgeSpec | undefined): Checked<Bridge> {
  const asked = wanted ?? BridgeSpec.fromPartial({});
  const spec: BridgeSpec = {
    ...asked,
    bridge: asked.bridge === "" ? (before?.bridge ?? "") : asked.bridge,
    portSettings: settlePort(asked.portSettings),
  };
  const { lan, bridge, portSettings } = spec;
  const violations = [
    ...faults.when(lan !== "" && !isId(lan), "lan", `${quote(lan)} is not the id of a lan, such as lan1`),
    ...faults.of("bridge", (path) => parseInterfaceName(path, bridge)),
    ...checkPort("bridge.spec.port_settings", portSettings),
    ...checkUnfiltered("bridge.spec.port_settings", portSettings),
    ...faults.unchanged(spec, before, [["bridge", "bridge"]]),
  ];
  return { spec, violations };
}
