import type { Connection, Method } from "../../lib/grpc/connection.js";
import type { Operation } from "../../proto/gen/zor/v1/operation.js";
import type { FleetView } from "./fleet/fleet-view.js";
import type { Row } from "./row.js";

/** What an action is carried out with. */
export interface ActionCall {
  readonly connection: Connection;
  /** Name of the resource, and an id that makes asking twice harmless. */
  readonly request: { readonly name: string; readonly requestId: string; readonly validateOnly: boolean };
  readonly options: { readonly signal: AbortSignal; readonly timeoutMs: number };
}

/** An action as a wave of the hub does it. */
export interface WaveAction {
  /** Full name of the method, "zor.v1.InstanceService/StopInstance"; what it is done to goes into its field "name". */
  readonly method: string;
  /** The request without name and request id, serialised. */
  readonly request: Uint8Array;
}

/** A method that takes a name and nothing that differs between resources. @param request without them. */
export function asWave<Request>(method: Method<Request, unknown>, request: Request): WaveAction {
  return { method: method.path.slice(1), request: method.requestSerialize(request) };
}

/** What has to be said before an action can be done. */
export interface ActionInput<T extends object = object> {
  /** What is asked for: "size". */
  readonly label: string;
  /** What it may be, where that can be counted. */
  choices?(row: Row<T>, fleet: FleetView): readonly string[];
  /** The action with that. @throws {ZorError} when it cannot be that. */
  with(text: string): Action<T>;
}

/**
 * Something that can be asked of resources of a kind with one key. What it would change is shown before it is done, the row waits
 * for the event that shows it happen. Methods, not function properties, so that an action of one kind can stand in a list of any.
 */
export interface Action<T extends object = object> {
  /** What it is called in what is said: "start". */
  readonly verb: string;
  /** The first is the one that is shown; none: it is asked for through another's {@link instead}. */
  readonly keys: readonly string[];
  readonly title: string;
  /** Short form for the footer; without it the action is only in the help. */
  readonly hint?: string;
  /** Always confirmed; others only when they change more than one thing. */
  readonly dangerous?: boolean;
  /** It is typed first; what is done then is another action, so the row waits for what was typed. */
  readonly input?: ActionInput<T>;
  /** Verb of the action that is asked for instead, where that is what is meant. */
  instead?(rows: readonly Row<T>[]): string | undefined;
  /** Why it cannot be done; undefined when it can. */
  whyNot?(row: Row<T>, fleet: FleetView): string | undefined;
  /** Why the command line does it only when it is forced; undefined: it need not be. Here it is confirmed, and then forced. */
  whyForced?(row: Row<T>, fleet: FleetView): string | undefined;
  /** What it does to a resource, in a few words. */
  effect(row: Row<T>, fleet: FleetView): string;
  /** What has to be typed to go ahead with one; default: "y", where anything has to be. */
  phraseFor?(row: Row<T>): string | undefined;
  /**
   * What truly undoes it, or the verb of that among the actions of its kind, by what the row was before it was done. Default: nothing does,
   * as nothing brings back what ran in a machine that was stopped.
   */
  undo?(before: Row<T>): Action<T> | string | undefined;
  /** Whether a new version of a resource shows that it has happened, or has failed for good. */
  isDone?(before: Row<T>, now: Row<T>): boolean;
  /** So long the row waits to show it, in milliseconds, before that is told. Default: half a minute. */
  readonly patienceMs?: number;
  /** Whether an event of that type about the resource shows it. */
  isDoneBy?(eventType: string): boolean;
  /** How it is done to many as one operation of the hub; undefined: each is asked for by itself. */
  readonly wave?: WaveAction;
  /** Asks for it. What goes on after the call is followed where it is returned. @throws {ZorError} when it was not done or taken on. */
  run(row: Row<T>, call: ActionCall): Promise<Operation | undefined>;
}

/** What all actions that delete have in common. */
export const deletes = {
  verb: "delete",
  keys: ["ctrl-d"],
  title: "delete, after showing what that takes along",
  hint: "delete",
  dangerous: true,
} as const;

/** What deletes with a method that takes nothing but the name: one, and many as a wave. */
export function deletesBy(
  method: Method<ActionCall["request"], { readonly operation?: Operation | undefined } | object>,
): Pick<Action, "wave" | "run"> {
  return {
    wave: asWave(method, { name: "", requestId: "", validateOnly: false }),
    run: async (_, { connection, request, options }) => {
      const response = await connection.unary(method, request, options);
      return "operation" in response ? response.operation : undefined;
    },
  };
}
