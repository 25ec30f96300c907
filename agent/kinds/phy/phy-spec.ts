import { toMs } from "../../../lib/duration.js";
import { type FieldViolation, ZorError } from "../../../lib/errors.js";
import { isId, quote } from "../../../lib/names.js";
import { type Phy, PhyMode, PhySpec } from "../../../proto/gen/zor/v1/phy.js";
import type { Checked } from "../../kit/kind.js";
import { parseInterfaceName, parseMac } from "../../network/ip.js";
import { checkPort, checkUnfiltered, settlePort } from "../../network/lans/port-check.js";
import type { PhyWay } from "../../network/phys/phy-policy.js";

const [shortestConfirmMs, longestConfirmMs] = [5_000, 3_600_000];

const ways: ReadonlyMap<PhyMode, PhyWay> = new Map([
  [PhyMode.PHY_MODE_ABSORB, "absorb"],
  [PhyMode.PHY_MODE_MACVLAN, "macvlan"],
  [PhyMode.PHY_MODE_VLAN, "vlan"],
]);

/** How a checked phy takes part. */
export function wayOf({ mode }: Pick<PhySpec, "mode">): PhyWay {
  return ways.get(mode) ?? "absorb";
}

/** Checks what a phy is asked to be and fills in what was not said. @param before what it is; undefined: it is new. */
export function checkPhy(wanted: PhySpec | undefined, before: PhySpec | undefined): Checked<Phy> {
  const asked = wanted ?? PhySpec.fromPartial({});
  const isSaid = asked.mode !== PhyMode.PHY_MODE_UNSPECIFIED;
  const spec: PhySpec = {
    ...asked,
    device: asked.device === "" ? (before?.device ?? "") : asked.device,
    mode: isSaid ? asked.mode : (before?.mode ?? PhyMode.PHY_MODE_ABSORB),
    mac: asked.mac.toLowerCase(),
    portSettings: settlePort(asked.portSettings),
  };
  return { spec, violations: [...checkFields(spec), ...unchanged(spec, before)] };
}

function checkFields(spec: PhySpec): readonly FieldViolation[] {
  const { lan, device, mode, vlanId, mac, force, confirmWithin, portSettings } = spec;
  const confirmMs = toMs(confirmWithin);
  const way = ways.get(mode);
  const isTimed = confirmWithin !== undefined;
  return [
    ...when(lan !== "" && !isId(lan), "lan", `${quote(lan)} is not the id of a lan, such as lan1`),
    ...faultsOf((field) => parseInterfaceName(field, device), "device"),
    ...when(way === undefined, "mode", `${mode} is not a mode`),
    ...when(
      way === "vlan" && (vlanId < 1 || vlanId > 4094),
      "vlan_id",
      `${vlanId} is not a VLAN: mode vlan needs 1 to 4094`,
    ),
    ...when(way !== "vlan" && vlanId !== 0, "vlan_id", "is for mode vlan alone"),
    ...when(way !== "macvlan" && mac !== "", "mac", "is for mode macvlan alone: the others have that of the interface"),
    ...(mac === "" ? [] : faultsOf((field) => parseMac(field, mac), "mac")),
    ...when(
      isTimed && (confirmMs < shortestConfirmMs || confirmMs > longestConfirmMs),
      "confirm_within",
      "must be between 5 s and 1 h",
    ),
    ...when(
      isTimed && way !== "absorb",
      "confirm_within",
      "is for mode absorb alone: the others leave the host its interface",
    ),
    ...when(
      force && !isTimed,
      "force",
      "needs confirm_within: what is forced is given back by itself unless it is confirmed",
    ),
    ...checkPort("phy.spec.port_settings", portSettings),
    ...checkUnfiltered("phy.spec.port_settings", portSettings),
  ];
}

function unchanged(spec: PhySpec, before: PhySpec | undefined): readonly FieldViolation[] {
  if (before === undefined) return [];
  const said = (each: PhySpec) => ({
    device: each.device,
    mode: wayOf(each),
    vlan_id: each.vlanId,
    mac: each.mac,
    force: each.force,
    confirm_within: toMs(each.confirmWithin),
  });
  const [now, then] = [said(spec), said(before)];
  return (["device", "mode", "vlan_id", "mac", "force", "confirm_within"] as const).flatMap((field) =>
    when(
      now[field] !== then[field],
      field,
      `cannot be changed: it is ${typeof then[field] === "string" ? quote(then[field]) : String(then[field])}; delete the phy and make another`,
    ),
  );
}

/** What a parser has against a text. */
function faultsOf(parse: (field: string) => unknown, field: string): readonly FieldViolation[] {
  try {
    parse(`phy.spec.${field}`);
    return [];
  } catch (error) {
    if (error instanceof ZorError) return error.violations;
    throw error;
  }
}

function when(isBad: boolean, field: string, description: string): readonly FieldViolation[] {
  return isBad ? [{ field: `phy.spec.${field}`, description }] : [];
}
