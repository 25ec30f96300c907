import { EventSeverity } from "../../proto/gen/zor/v1/event.js";
import type { Operation } from "../../proto/gen/zor/v1/operation.js";
import { OperationState } from "../../proto/gen/zor/v1/operation.js";
import { findKindBySingular, findRule, type MethodRule } from "../kinds/kinds.js";
import { readField } from "../kinds/read-field.js";
import type { RecordedEvent } from "../watch/watch-log.js";
import { Refusals } from "./refusals.js";

/** A call that has ended well. */
export interface DoneCall {
  /** Path of the method, "/zor.v1.LanService/CreateLan". */
  readonly method: string;
  /** Its request; of a stream the first. */
  readonly request: unknown;
  /** Identity of the caller. */
  readonly caller: string;
}

/** Where a program records what was done to it. */
export interface CallAuditOptions {
  readonly record: (event: RecordedEvent) => void;
  /** The program itself: "hosts/alpha" of an agent, "" of a hub. */
  readonly self: string;
}

/** No change is without a trace: what handlers do not tell of calls and operations is told here, and who was refused. */
export class CallAudit {
  readonly refusals: Refusals;
  readonly #record: CallAuditOptions["record"];
  readonly #self: string;

  constructor({ record, self }: CallAuditOptions) {
    this.#record = record;
    this.#self = self;
    const type = self === "" ? "hub.call-refused" : "host.call-refused";
    const severity = EventSeverity.EVENT_SEVERITY_WARNING;
    this.refusals = new Refusals({ tell: (news) => record({ ...news, type, severity, resource: self }) });
  }

  /** A call that changes something has succeeded, and no event tells who has asked for it. */
  untold({ method, request, caller }: DoneCall): void {
    const rule = findRule(method);
    if (rule === undefined || isOnlyChecked(request)) return;
    const name = method.slice(method.lastIndexOf("/") + 1);
    this.#record({
      severity: EventSeverity.EVENT_SEVERITY_INFO,
      type: typeOf(rule, method),
      resource: resourceOf(rule, request) || this.#self,
      message: `${name} was carried out`,
      caller,
    });
  }

  /** An operation has ended. @param isTold an event of its caller tells what it has done. */
  ended({ verb, target, state, error, caller }: Operation, isTold: boolean): void {
    const { EVENT_SEVERITY_INFO, EVENT_SEVERITY_WARNING } = EventSeverity;
    const common = { resource: target, caller };
    switch (state) {
      case OperationState.OPERATION_STATE_SUCCEEDED:
        if (isTold) return;
        this.#record({ ...common, severity: EVENT_SEVERITY_INFO, type: "operation.done", message: `${verb} is done` });
        return;
      case OperationState.OPERATION_STATE_FAILED: {
        const message = `${verb} failed: ${error?.message ?? "nothing says why"}`;
        this.#record({ ...common, severity: EVENT_SEVERITY_WARNING, type: "operation.failed", message });
        return;
      }
      case OperationState.OPERATION_STATE_CANCELLED: {
        const message = `${verb} was cancelled`;
        this.#record({ ...common, severity: EVENT_SEVERITY_INFO, type: "operation.cancelled", message });
        return;
      }
      default:
    }
  }

  /** Tells of refusals that were only counted. */
  close(): void {
    this.refusals.close();
  }
}

function isOnlyChecked(request: unknown): boolean {
  return typeof request === "object" && request !== null && "validateOnly" in request && request.validateOnly === true;
}

/** "instance.start" of StartInstance, "hook.retry-dead-letters" of RetryDeadLetters. */
function typeOf({ kind }: MethodRule, method: string): string {
  const [, service = "", name = ""] = /(\w+)Service\/(\w+)$/.exec(method) ?? [];
  const about = kind === "" ? service.toLowerCase() : kind;
  const words = (name.match(/[A-Z][a-z0-9]*/g) ?? [name]).map((word) => word.toLowerCase());
  const others = words.filter((word) => word !== about);
  return `${about}.${(others.length === 0 ? words : others).join("-")}`;
}

/** The resource that a request names: of a new one the name that it gets. */
function resourceOf({ kind, verb, route, id }: MethodRule, request: unknown): string {
  if (typeof request !== "object" || request === null) return "";
  let name = "";
  try {
    name = route === "" ? "" : readField(request, route);
  } catch {
    // A stream whose first message names nothing.
  }
  if (verb !== "create" || id === undefined) return name;
  const plural = findKindBySingular(kind)?.plural ?? kind;
  const made = `${plural}/${String(Reflect.get(request, id))}`;
  return name === "" ? made : `${name}/${made}`;
}
