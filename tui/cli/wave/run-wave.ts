import { countedNames } from "../../../lib/counted-names.js";
import type { Kind } from "../../../lib/kinds/kinds.js";
import type { AnyResource } from "../../../lib/kinds/resource.js";
import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import type { WaveSpec } from "../../../proto/gen/zor/v1/wave.js";
import { WaveServiceService as service } from "../../../proto/gen/zor/v1/wave_service.js";
import { waveVerb } from "../../kinds/operation/wave-spec.js";
import { idOf } from "../../kit/resource-name.js";
import { escapeText } from "../../kit/text/escape.js";
import { typedNumber } from "../chosen.js";
import { type ConfirmOptions, confirm } from "../confirm.js";
import type { OutputFormat, Session } from "../session.js";
import { blastLines, planBlast } from "./blast.js";
import { itemLines } from "./wave-text.js";

/** What is to be done, to which. */
export interface WantedWave {
  readonly kind: Kind;
  readonly verb: string;
  readonly resources: readonly AnyResource[];
  /** They were named one by one: none is left out, the server refuses those that it cannot be done to. */
  readonly areNamed: boolean;
}

/**
 * Tells how far it reaches and asks, where something is taken away or more is changed than was named. Resolves to the names that it is to be done
 * to; none: there is nothing to do, or the answer was no.
 */
export async function confirmWave(
  session: Session,
  { kind, verb, resources, areNamed }: WantedWave,
  options: ConfirmOptions,
): Promise<readonly string[]> {
  const impact = await planBlast(session, { kind, verb }, resources);
  const names = areNamed ? resources.map(({ value }) => value.name) : impact.changes.map(({ row }) => row.name);
  const [first] = impact.skipped;
  if (names.length === 0 && first !== undefined) {
    const more = impact.skipped.length > 1 ? ` (and ${impact.skipped.length - 1} more)` : "";
    session.note(escapeText(`nothing to ${verb}: ${first.subject}: ${first.effect}${more}`));
    return [];
  }
  if (areNamed && impact.action.dangerous !== true && options.dryRun !== true) return names;
  // Of those that are named none is left out: the server says of each whether it can be done.
  const all = [...impact.changes, ...impact.skipped];
  const shown = areNamed ? { ...impact, changes: all, skipped: [] } : impact;
  return (await confirm(session, blastLines(shown), "Go ahead?", { ...options, ...typedNumber(names.length) }))
    ? names
    : [];
}

/** How a wave is begun. */
export interface BeginOptions {
  readonly output: OutputFormat;
  readonly wait: boolean;
  readonly dryRun?: boolean;
}

/** Begins a wave, and follows it where that is wanted: what became of each is told at its end, also of one that failed. */
export async function beginWave(session: Session, spec: WaveSpec, options: BeginOptions): Promise<void> {
  const { dryRun = false, wait, output } = options;
  const request = { spec, requestId: session.requestId(), validateOnly: dryRun };
  const response = await session.call(service.startWave, request);
  const name = response.operation?.name ?? "";
  if (dryRun || !wait) {
    const text = dryRun ? "it could be done; nothing was changed" : `wave ${idOf(name)} has begun`;
    await session.printResponse(output, service.startWave, response, () => escapeText(output === "name" ? name : text));
    return;
  }
  try {
    await session.follow(response.operation, `${waveVerb(spec)} ${countedNames(spec.names)}`);
  } finally {
    await printEnd(session, response.operation, output);
  }
}

async function printEnd(session: Session, operation: Operation | undefined, output: OutputFormat): Promise<void> {
  const name = operation?.name ?? "";
  const ended = await session.connect().then((connection) => connection.unary(service.getWave, { name }));
  await session.printResponse(output, service.getWave, ended, () =>
    output === "name" ? escapeText(name) : ended.wave === undefined ? "" : itemLines(ended.wave).join("\n"),
  );
}
