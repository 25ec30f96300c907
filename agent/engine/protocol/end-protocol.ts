import { invalidFields } from "../../../lib/errors.js";
import {
  DeleteEndRequest,
  EnsureEndRequest,
  type EndSpec,
  type EndStatus,
} from "../../../proto/gen/zor/agent/v1/cable_service.js";
import {
  EndDiagnosis,
  EngineDiagnoseRequest,
  EngineEnd,
  EngineEnds,
  EngineHello,
  EngineNothing,
  type EnginePort,
  SetPortRequest,
} from "../../../proto/gen/zor/agent/v1/engine.js";
import type { LinkEnd } from "../../../proto/gen/zor/v1/link.js";
import { checkedCodec } from "./codec.js";
import type { ControlProtocol } from "./control-protocol.js";
import { checkWholeEnd } from "./end-check.js";

/**
 * Version of what agent and engine say to each other. They may be of different versions: both name theirs in "hello". The number grows
 * when either would misunderstand the other; such an engine is replaced by the agent.
 */
export const engineProtocol = 3;

/** Socket of an engine's ends, in its directory. */
export const endSocket = "engine.sock";

/** An end as its engine sees it: nothing is missing. */
export interface EndView extends EngineEnd {
  readonly status: EndStatus & { readonly end: LinkEnd };
  readonly port: EnginePort;
}

/** Something changed at the engine's ends. */
export interface EndsEvent {
  readonly ends: readonly EndView[];
  /** Links whose end is gone. */
  readonly removed: readonly string[];
  /** `ends` is all there is. */
  readonly snapshot: boolean;
}

/** What can be asked of an engine about its ends. */
export type EndCalls = {
  readonly hello: { readonly request: EngineNothing; readonly response: EngineHello };
  readonly ensureEnd: { readonly request: { readonly end: EndSpec }; readonly response: EndView };
  /** Without a uid: whatever its uid. */
  readonly deleteEnd: { readonly request: DeleteEndRequest; readonly response: EngineNothing };
  readonly setPort: { readonly request: SetPortRequest; readonly response: EngineNothing };
  /** Takes some seconds. */
  readonly diagnose: { readonly request: EngineDiagnoseRequest; readonly response: EndDiagnosis };
  /** Ends the engine after it has answered. */
  readonly shutdown: { readonly request: EngineNothing; readonly response: EngineNothing };
};

const endView = checkedCodec(EngineEnd, wholeEnd);

/** What agent and engine say about ends. */
export const endProtocol: ControlProtocol<EndCalls, EndsEvent> = {
  calls: {
    hello: { request: EngineNothing, response: EngineHello },
    ensureEnd: { request: checkedCodec(EnsureEndRequest, checkedEnd), response: endView },
    deleteEnd: { request: DeleteEndRequest, response: EngineNothing },
    setPort: { request: SetPortRequest, response: EngineNothing },
    diagnose: { request: EngineDiagnoseRequest, response: EndDiagnosis },
    shutdown: { request: EngineNothing, response: EngineNothing },
  },
  event: {
    fromJSON: (json) => {
      const { ends, ...rest } = EngineEnds.fromJSON(json);
      return { ...rest, ends: ends.map(wholeEnd) };
    },
    toJSON: ({ ends, removed, snapshot }) => EngineEnds.toJSON({ ends: [...ends], removed: [...removed], snapshot }),
  },
};

function wholeEnd({ status, port, ...rest }: EngineEnd): EndView {
  if (status?.end === undefined || port === undefined) throw new Error("the engine tells of an end only in part");
  return { ...rest, status: { ...status, end: status.end }, port };
}

function checkedEnd({ end }: EnsureEndRequest): { readonly end: EndSpec } {
  const violations = end === undefined ? [{ field: "end", description: "must be given" }] : checkWholeEnd("end", end);
  if (end === undefined || violations.length > 0) throw invalidFields(violations);
  return { end };
}
