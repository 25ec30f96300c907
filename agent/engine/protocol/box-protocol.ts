import { invalidFields } from "../../../lib/errors.js";
import { checkImpairment, checkSchedule, dropFiltersIn } from "../../../lib/impairment.js";
import {
  type BoxSpec,
  DeleteBoxRequest,
  EngineBox,
  EngineBoxes,
  EngineNothing,
  type EnginePort,
  EnsureBoxRequest,
  SetPortRequest,
} from "../../../proto/gen/zor/agent/v1/engine.js";
import type { A2bSpec, A2bStatus } from "../../../proto/gen/zor/v1/a2b.js";
import { checkedCodec } from "./codec.js";
import { checkDropPrograms } from "./drop-program.js";
import type { ControlProtocol } from "./control-protocol.js";

/** Socket of an engine's boxes, in its directory: one of their own, so that their agents' parts need not share a connection. */
export const boxSocket = "boxes.sock";

/** One box as the agent asks for it: nothing is missing. */
export interface WantedBox extends BoxSpec {
  readonly spec: A2bSpec;
}

/** One box as the engine sees it: nothing is missing. */
export interface BoxView extends EngineBox {
  readonly spec: WantedBox;
  readonly status: A2bStatus;
  /** Its taps: a's, b's. */
  readonly ports: [EnginePort, EnginePort];
}

/** Something changed at the engine's boxes. */
export interface BoxesEvent {
  /** Process id of the engine. */
  readonly pid: number;
  readonly boxes: readonly BoxView[];
  /** Uids of boxes that are gone. */
  readonly removed: readonly string[];
  /** `boxes` is all there is. */
  readonly snapshot: boolean;
}

/** What can be asked of an engine about its boxes. */
export type BoxCalls = {
  /** Durable when it is answered. */
  readonly ensureBox: { readonly request: { readonly spec: WantedBox }; readonly response: BoxView };
  readonly deleteBox: { readonly request: DeleteBoxRequest; readonly response: EngineNothing };
  readonly setPort: { readonly request: SetPortRequest; readonly response: EngineNothing };
};

/** What agent and engine say about boxes. */
export const boxProtocol: ControlProtocol<BoxCalls, BoxesEvent> = {
  calls: {
    ensureBox: {
      request: checkedCodec(EnsureBoxRequest, ({ spec }) => ({ spec: checkedBox(spec) })),
      response: checkedCodec(EngineBox, wholeBox),
    },
    deleteBox: { request: DeleteBoxRequest, response: EngineNothing },
    setPort: { request: SetPortRequest, response: EngineNothing },
  },
  event: {
    fromJSON: (json) => {
      const { boxes, ...rest } = EngineBoxes.fromJSON(json);
      return { ...rest, boxes: boxes.map(wholeBox) };
    },
    toJSON: ({ boxes, removed, ...rest }) => EngineBoxes.toJSON({ ...rest, boxes: [...boxes], removed: [...removed] }),
  },
};

/** Checks a box, whoever asks for it. What names mean is for the agent to judge. @throws {ZorError} INVALID_ARGUMENT */
export function checkedBox(box: BoxSpec | undefined): WantedBox {
  const violations: { field: string; description: string }[] = [];
  const check = (field: string, text: string | undefined, most: number): void => {
    const good = text !== undefined && text.length >= 1 && text.length <= most;
    if (!good) violations.push({ field, description: `must be 1 to ${most} characters` });
  };
  check("spec.box", box?.box, 160);
  check("spec.uid", box?.uid, 128);
  check("spec.revision", box?.revision, 64);
  const spec = box?.spec;
  check("spec.spec.lan_a", spec?.lanA, 63);
  check("spec.spec.lan_b", spec?.lanB, 63);
  violations.push(
    ...checkImpairment("spec.spec.a_to_b", spec?.aToB),
    ...checkImpairment("spec.spec.b_to_a", spec?.bToA),
    ...checkSchedule("spec.spec.schedule", spec?.schedule ?? []),
    ...checkDropPrograms("spec.drop_programs", filtersOf(spec), box?.dropPrograms ?? []),
  );
  if (box === undefined || spec === undefined || violations.length > 0) throw invalidFields(violations);
  return { ...box, spec };
}

function filtersOf(spec: A2bSpec | undefined) {
  return dropFiltersIn("spec.spec", {
    ways: { a_to_b: spec?.aToB, b_to_a: spec?.bToA },
    schedule: spec?.schedule ?? [],
  });
}

function wholeBox({ spec: box, status, ports, ...rest }: EngineBox): BoxView {
  const [a, b] = ports;
  if (box?.spec === undefined || status === undefined || a === undefined || b === undefined) {
    throw new Error("the engine tells of a box only in part");
  }
  return { ...rest, spec: { ...box, spec: box.spec }, status, ports: [a, b] };
}
