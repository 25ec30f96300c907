import { noMeta } from "../../../lib/kinds/meta.js";
import { randomUUID } from "node:crypto";
import { z } from "zod";
import { type FieldViolation, invalidFields } from "../../../lib/errors.js";
import { checkImpairment, checkSchedule } from "../../../lib/impairment.js";
import { checkLabels } from "../../../lib/labels.js";
import { isId, quote } from "../../../lib/names.js";
import { A2b, type A2bSpec } from "../../../proto/gen/zor/v1/a2b.js";
import type { WantedBox } from "../../engine/protocol/box-protocol.js";

/** A box as the agent stores it. */
export interface StoredA2b {
  readonly id: string;
  /** Without status. */
  readonly a2b: A2b & { readonly spec: A2bSpec };
  /** Changes whenever somebody sets the box. */
  readonly revision: string;
}

/** A stored box with a new revision. */
export function newStored(id: string, a2b: StoredA2b["a2b"]): StoredA2b {
  return { id, a2b, revision: randomUUID() };
}

/** Checks what a box is asked to be. @throws {ZorError} INVALID_ARGUMENT */
export function checkA2b(
  wanted: { readonly labels: Readonly<Record<string, string>>; readonly spec: A2bSpec | undefined },
  name: string,
): A2bSpec {
  const { labels, spec } = wanted;
  const violations: FieldViolation[] = checkLabels("a2b.labels", labels);
  if (spec === undefined) violations.push({ field: "a2b.spec", description: "must be given" });
  else violations.push(...checkSpec(spec));
  if (spec === undefined || violations.length > 0) throw invalidFields(violations, name);
  return spec;
}

function checkSpec(spec: A2bSpec): FieldViolation[] {
  const lans = (["lan_a", "lan_b"] as const).flatMap((field) => {
    const lan = field === "lan_a" ? spec.lanA : spec.lanB;
    return isId(lan)
      ? []
      : [{ field: `a2b.spec.${field}`, description: `${quote(lan)} is not the id of a lan, such as lan1` }];
  });
  const same = { field: "a2b.spec.lan_b", description: "must be another lan than lan_a" };
  return [
    ...lans,
    ...(lans.length === 0 && spec.lanA === spec.lanB ? [same] : []),
    ...checkImpairment("a2b.spec.a_to_b", spec.aToB),
    ...checkImpairment("a2b.spec.b_to_a", spec.bToA),
    ...checkSchedule("a2b.spec.schedule", spec.schedule),
  ];
}

/** What the engine is asked for. */
export function toBox({ a2b, revision }: StoredA2b): WantedBox {
  return { box: a2b.name, uid: a2b.uid, spec: a2b.spec, revision };
}

/** What is known of a box that only the engine has. */
export function fromBox(id: string, { box, uid, spec, revision }: WantedBox, createTime: Date): StoredA2b {
  const a2b = { name: box, uid, labels: {}, spec, status: undefined, ...noMeta, createTime };
  return { id, a2b, revision };
}

const storedSchema = z.object({
  version: z.literal(1),
  id: z.string().min(1),
  revision: z.string().min(1).max(64),
  a2b: z.looseObject({ name: z.string().min(1), uid: z.string().min(1), spec: z.looseObject({}) }),
});

/** The text of a stored box. */
export function formatStored({ id, a2b, revision }: StoredA2b): string {
  const json = A2b.toJSON({ ...a2b, status: undefined });
  return `${JSON.stringify({ version: 1, id, revision, a2b: json }, undefined, 2)}\n`;
}

/** Undefined when the text is not a whole, valid box of that id. */
export function parseStored(id: string, text: string): StoredA2b | undefined {
  const parsed = storedSchema.safeParse(parseJson(text));
  if (!parsed.success || parsed.data.id !== id) return undefined;
  const { spec, ...a2b } = A2b.fromJSON(parsed.data.a2b);
  return spec === undefined ? undefined : { id, a2b: { ...a2b, spec }, revision: parsed.data.revision };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
