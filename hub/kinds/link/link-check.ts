import { type FieldViolation, invalidFields } from "../../../lib/errors.js";
import { checkImpairment, checkSchedule } from "../../../lib/impairment.js";
import { checkAnnotations, checkLabels } from "../../../lib/labels.js";
import { checkCarrierHold, isPluggedEnd, parseLinkEnd } from "../../../lib/link-end.js";
import { type Link, LinkEncryption, LinkSpec, LinkTransport, LoopPolicy } from "../../../proto/gen/zor/v1/link.js";

/** Checks everything of a link that can be told from the request alone. @throws {ZorError} INVALID_ARGUMENT with every fault. */
export function checkLinkFields(name: string, wanted: Link): LinkSpec {
  const spec: LinkSpec = wanted.spec ?? LinkSpec.fromPartial({});
  const a = parseLinkEnd("link.spec.a", spec.a);
  const b = parseLinkEnd("link.spec.b", spec.b);
  const isPlugged = isPluggedEnd(a.lan) || isPluggedEnd(b.lan);
  checkCarrierHold("link.spec.carrier_hold", spec.carrierHold);
  const isVxlan = spec.transport === LinkTransport.LINK_TRANSPORT_VXLAN;
  const isImpaired = spec.aToB !== undefined || spec.bToA !== undefined || spec.schedule.length > 0;
  const violations: FieldViolation[] = [
    ...checkLabels("link.labels", wanted.labels),
    ...checkAnnotations("link.annotations", wanted.annotations),
    ...checkEnum("transport", spec.transport, LinkTransport),
    ...checkEnum("encryption", spec.encryption, LinkEncryption),
    ...checkEnum("loop", spec.loop, LoopPolicy),
    ...checkImpairment("link.spec.a_to_b", spec.aToB),
    ...checkImpairment("link.spec.b_to_a", spec.bToA),
    ...checkSchedule("link.spec.schedule", spec.schedule),
  ];
  const refuse = (field: string, description: string): void => {
    violations.push({ field: `link.spec.${field}`, description });
  };
  if (spec.a === spec.b) refuse("b", "is the same lan as link.spec.a: a link joins two lans");
  if (isVxlan && spec.encryption === LinkEncryption.LINK_ENCRYPTION_TLS) {
    refuse("encryption", "vxlan cannot be encrypted; leave it unset, or use the TCP transport");
  }
  if (isVxlan && isImpaired) refuse("transport", "impairments and schedules need the TCP transport");
  if (isVxlan && a.host === b.host)
    refuse("transport", "a link between lans of one host has no transport; leave it unset");
  if (isPlugged && isVxlan) refuse("transport", "a link that ends at a NIC, tap or phy needs the TCP transport");
  if (isPlugged && a.host === b.host)
    refuse("b", 'is on the same host: what is on one host is joined with "zor create wire", or plugged into a lan');
  if (violations.length > 0) throw invalidFields(violations, name);
  return spec;
}

/** Checks that a change touches only what can be changed. @throws {ZorError} INVALID_ARGUMENT. */
export function checkLinkChange(name: string, before: LinkSpec, after: LinkSpec): void {
  const fixed = ["a", "b", "transport", "encryption", "loop"] as const;
  const violations = fixed
    .filter((field) => before[field] !== after[field])
    .map((field) => ({
      field: `link.spec.${field}`,
      description: "cannot be changed; delete the link and create it anew",
    }));
  if (violations.length > 0) throw invalidFields(violations, name);
}

function checkEnum(field: string, value: number, names: Readonly<Record<number, string | number>>): FieldViolation[] {
  return value >= 0 && names[value] !== undefined
    ? []
    : [{ field: `link.spec.${field}`, description: "is not a known value" }];
}
