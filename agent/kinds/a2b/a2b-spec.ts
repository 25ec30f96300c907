import { checkImpairment, checkSchedule, dropFiltersIn, type DropFilterField } from "../../../lib/impairment.js";
import { isId, quote } from "../../../lib/names.js";
import type { DropProgram } from "../../../proto/gen/zor/agent/v1/cable_service.js";
import { type A2b, A2bSpec } from "../../../proto/gen/zor/v1/a2b.js";
import type { WantedBox } from "../../engine/protocol/box-protocol.js";
import type { Checked, Found, Whole } from "../../kit/kind.js";

/** Checks what a box is asked to be. @param before what it is; undefined: it is new. */
export function checkA2b(wanted: A2bSpec | undefined, before: A2bSpec | undefined): Checked<A2b> {
  if (wanted === undefined) {
    return { spec: A2bSpec.fromPartial({}), violations: [{ field: "a2b.spec", description: "must be given" }] };
  }
  const lans = (["lan_a", "lan_b"] as const).flatMap((field) => {
    const lan = field === "lan_a" ? wanted.lanA : wanted.lanB;
    return isId(lan)
      ? []
      : [{ field: `a2b.spec.${field}`, description: `${quote(lan)} is not the id of a lan, such as lan1` }];
  });
  const same = { field: "a2b.spec.lan_b", description: "must be another lan than lan_a" };
  const violations = [
    ...lans,
    ...(lans.length === 0 && wanted.lanA === wanted.lanB ? [same] : []),
    ...(before === undefined ? [] : otherLans(before, wanted)),
    ...checkImpairment("a2b.spec.a_to_b", wanted.aToB),
    ...checkImpairment("a2b.spec.b_to_a", wanted.bToA),
    ...checkSchedule("a2b.spec.schedule", wanted.schedule),
  ];
  return { spec: wanted, violations };
}

function otherLans(before: A2bSpec, after: A2bSpec) {
  return [
    { field: "a2b.spec.lan_a", same: before.lanA === after.lanA, lan: before.lanA },
    { field: "a2b.spec.lan_b", same: before.lanB === after.lanB, lan: before.lanB },
  ]
    .filter(({ same }) => !same)
    .map(({ field, lan }) => ({
      field,
      description: `cannot be changed: it is ${lan}; delete the box and make another`,
    }));
}

/** The expressions by which a box drops frames. */
export function dropFiltersOf({ aToB, bToA, schedule }: A2bSpec): readonly DropFilterField[] {
  return dropFiltersIn("a2b.spec", { ways: { a_to_b: aToB, b_to_a: bToA }, schedule });
}

/** What the engine is asked for. @param revision another one whenever the box was set. */
export function toBox({ name, uid, spec }: Whole<A2b>, revision: string, dropPrograms: DropProgram[]): WantedBox {
  return { box: name, uid, spec, revision, dropPrograms };
}

/** What is known of a box that only the engine has. */
export function fromBox(id: string, { uid, spec, revision }: WantedBox, createTime: Date): Found<A2b> {
  return { id, uid, spec, createTime, generation: revision, where: "it was found at the cable engine" };
}
