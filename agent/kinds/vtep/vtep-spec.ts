import { BlockList, isIP } from "node:net";
import ipaddr from "ipaddr.js";
import { isId, quote } from "../../../lib/names.js";
import { type Vtep, VtepSpec } from "../../../proto/gen/zor/v1/vtep.js";
import { fieldFaults } from "../../kit/field-faults.js";
import type { Checked } from "../../kit/kind.js";
import { checkPort, checkUnfiltered, settlePort } from "../../network/lans/port-check.js";
import { maxVni } from "../../network/vteps/vtep-policy.js";
import { vxlanPort } from "../../network/vxlan-device.js";

const faults = fieldFaults("vtep");
const maxPort = 65_535;

/** No tunnel leads to these: nobody, oneself, many, or a link of which it is not said which. */
const unusable = new BlockList();
unusable.addSubnet("0.0.0.0", 8, "ipv4");
unusable.addSubnet("127.0.0.0", 8, "ipv4");
unusable.addSubnet("169.254.0.0", 16, "ipv4");
unusable.addSubnet("224.0.0.0", 3, "ipv4");
unusable.addSubnet("::", 127, "ipv6");
unusable.addSubnet("fe80::", 10, "ipv6");
unusable.addSubnet("ff00::", 8, "ipv6");

/** Checks what a vtep is asked to be and fills in what was not said. @param before what it is; undefined: it is new. */
export function checkVtep(wanted: VtepSpec | undefined, before: VtepSpec | undefined): Checked<Vtep> {
  const asked = wanted ?? VtepSpec.fromPartial({});
  const spec: VtepSpec = {
    ...asked,
    remote: toPlain(asked.remote === "" ? (before?.remote ?? "") : asked.remote),
    local: toPlain(asked.local),
    vni: asked.vni === 0 ? (before?.vni ?? 0) : asked.vni,
    dstPort: asked.dstPort === 0 ? (before?.dstPort ?? vxlanPort) : asked.dstPort,
    portSettings: settlePort(asked.portSettings),
  };
  const fixed = [
    ["remote", "remote"],
    ["vni", "vni"],
    ["dstPort", "dst_port"],
    ["local", "local"],
  ] as const;
  return { spec, violations: [...checkFields(spec), ...faults.unchanged(spec, before, fixed)] };
}

function checkFields({ lan, remote, vni, dstPort, local, portSettings }: VtepSpec) {
  const isPort = dstPort >= 1 && dstPort <= maxPort;
  const isOtherFamily = local !== "" && isUsable(local) && isUsable(remote) && isIP(local) !== isIP(remote);
  const noAddress = (text: string): string => `${quote(text)} is not a unicast IP address such as "10.0.0.9"`;
  return [
    ...faults.when(lan !== "" && !isId(lan), "lan", `${quote(lan)} is not the id of a lan, such as lan1`),
    ...faults.when(!isUsable(remote), "remote", noAddress(remote)),
    ...faults.when(vni < 1 || vni > maxVni, "vni", `${vni} is not a VNI between 1 and ${maxVni}`),
    ...faults.when(!isPort, "dst_port", `${dstPort} is not a UDP port between 1 and ${maxPort}`),
    ...faults.when(local !== "" && !isUsable(local), "local", noAddress(local)),
    ...faults.when(isOtherFamily, "local", `${local} is not of the same family as the remote, ${remote}`),
    ...checkPort("vtep.spec.port_settings", portSettings),
    ...checkUnfiltered("vtep.spec.port_settings", portSettings),
  ];
}

function isUsable(address: string): boolean {
  const version = isIP(address);
  if (version === 0 || address.includes("%")) return false;
  const mapped = version === 6 && address.toLowerCase().startsWith("::ffff:");
  return !mapped && !unusable.check(address, version === 4 ? "ipv4" : "ipv6");
}

/** As the kernel writes it. */
function toPlain(address: string): string {
  return isIP(address) === 6 && !address.includes("%") ? ipaddr.parse(address).toString() : address;
}
