import { type FieldViolation, ZorError } from "../../../lib/errors.js";
import { isId, quote } from "../../../lib/names.js";
import { type Tap, TapSpec } from "../../../proto/gen/zor/v1/tap.js";
import type { Checked } from "../../kit/kind.js";
import { parseCidr, parseInterfaceName, parseMac } from "../../network/ip.js";
import { checkPort, settlePort } from "../../network/lans/port-check.js";

const maxAddresses = 16;

/** Checks what a tap is asked to be and fills in what was not said. @param before what it is; undefined: it is new. */
export function checkTap(wanted: TapSpec | undefined, before: TapSpec | undefined): Checked<Tap> {
  const asked = wanted ?? TapSpec.fromPartial({});
  const spec: TapSpec = {
    ...asked,
    device: asked.device === "" ? (before?.device ?? "") : asked.device,
    mac: asked.mac.toLowerCase(),
    portSettings: settlePort(asked.portSettings),
  };
  return { spec, violations: [...checkFields(spec), ...unchanged(spec, before)] };
}

function checkFields({ lan, device, netns, addresses, mac, portSettings }: TapSpec): readonly FieldViolation[] {
  const isNetns = netns === "" || (isId(netns) && netns !== "host");
  return [
    ...when(lan !== "" && !isId(lan), "lan", `${quote(lan)} is not the id of a lan, such as lan1`),
    ...faultsOf((field) => parseInterfaceName(field, device), "device"),
    ...when(!isNetns, "netns", `${quote(netns)} is not the name of a net namespace; empty is the host's own`),
    ...when(addresses.length > maxAddresses, "addresses", `${addresses.length} are more than ${maxAddresses}`),
    ...addresses
      .slice(0, maxAddresses)
      .flatMap((address, index) => faultsOf((field) => parseCidr(field, address), `addresses[${index}]`)),
    ...when(new Set(addresses).size < addresses.length, "addresses", "has one of them twice"),
    ...(mac === "" ? [] : faultsOf((field) => parseMac(field, mac), "mac")),
    ...checkPort("tap.spec.port_settings", portSettings),
  ];
}

function unchanged(spec: TapSpec, before: TapSpec | undefined): readonly FieldViolation[] {
  if (before === undefined) return [];
  return (["device", "netns", "mac"] as const).flatMap((field) =>
    when(
      spec[field] !== before[field],
      field,
      `cannot be changed: it is ${quote(before[field])}; delete the tap and make another`,
    ),
  );
}

/** What a parser has against a text. */
function faultsOf(parse: (field: string) => unknown, field: string): readonly FieldViolation[] {
  try {
    parse(`tap.spec.${field}`);
    return [];
  } catch (error) {
    if (error instanceof ZorError) return error.violations;
    throw error;
  }
}

function when(isBad: boolean, field: string, description: string): readonly FieldViolation[] {
  return isBad ? [{ field: `tap.spec.${field}`, description }] : [];
}
