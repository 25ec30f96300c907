import type { FieldViolation } from "../../../lib/errors.js";
import { isId, quote } from "../../../lib/names.js";
import { type Tap, TapSpec } from "../../../proto/gen/zor/v1/tap.js";
import { fieldFaults } from "../../kit/field-faults.js";
import type { Checked } from "../../kit/kind.js";
import { parseCidr, parseInterfaceName, parseMac } from "../../network/ip.js";
import { checkPort, checkUnfiltered, settlePort } from "../../network/lans/port-check.js";

const maxAddresses = 16;
const faults = fieldFaults("tap");

/** Checks what a tap is asked to be and fills in what was not said. @param before what it is; undefined: it is new. */
export function checkTap(wanted: TapSpec | undefined, before: TapSpec | undefined): Checked<Tap> {
  const asked = wanted ?? TapSpec.fromPartial({});
  const spec: TapSpec = {
    ...asked,
    device: asked.device === "" ? (before?.device ?? "") : asked.device,
    mac: asked.mac.toLowerCase(),
    portSettings: settlePort(asked.portSettings),
  };
  const fixed = [
    ["device", "device"],
    ["netns", "netns"],
    ["mac", "mac"],
  ] as const;
  return { spec, violations: [...checkFields(spec), ...faults.unchanged(spec, before, fixed)] };
}

function checkFields({ lan, device, netns, addresses, mac, portSettings }: TapSpec): readonly FieldViolation[] {
  const isNetns = netns === "" || (isId(netns) && netns !== "host");
  return [
    ...faults.when(lan !== "" && !isId(lan), "lan", `${quote(lan)} is not the id of a lan, such as lan1`),
    ...faults.of("device", (path) => parseInterfaceName(path, device)),
    ...faults.when(!isNetns, "netns", `${quote(netns)} is not the name of a net namespace; empty is the host's own`),
    ...faults.when(addresses.length > maxAddresses, "addresses", `${addresses.length} are more than ${maxAddresses}`),
    ...addresses
      .slice(0, maxAddresses)
      .flatMap((address, index) => faults.of(`addresses[${index}]`, (path) => parseCidr(path, address))),
    ...faults.when(new Set(addresses).size < addresses.length, "addresses", "has one of them twice"),
    ...(mac === "" ? [] : faults.of("mac", (path) => parseMac(path, mac))),
    ...checkPort("tap.spec.port_settings", portSettings),
    ...checkUnfiltered("tap.spec.port_settings", portSettings),
  ];
}
