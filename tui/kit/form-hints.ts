import type { FleetView } from "./fleet/fleet-view.js";
import type { MessageJson } from "./input/fields.js";

/** Where a field is filled in. */
export interface FormPlace {
  readonly fleet: FleetView;
  /** Id of the host of what is made or changed; empty: it is of the hub, or not said yet. */
  readonly host: string;
}

/** How a resource is described on the command line, but for what is said of every kind. */
export interface CommandPart {
  /** After the name. */
  readonly words: readonly string[];
  /** Options with their values. */
  readonly flags: readonly string[];
  /** What of the resource is not said by these. */
  readonly rest: MessageJson;
}

/**
 * What a kind says of the form in which its resources are made and changed; all else is read off the API. Paths are those of the resource, in
 * snake_case and without places in lists: "spec.nics.lan".
 */
export interface FormHints {
  /** Fields that stand first of their message, in this order; the others are behind "more". Default: those that come first in the API. */
  readonly first?: readonly string[];
  /** What a clone has of its own, and does not take over. */
  readonly own?: readonly string[];
  /** What a text may be, for completion; undefined: what the API says of the field. */
  suggest?(path: string, place: FormPlace): readonly string[] | undefined;
  /** Members of a choice of messages that the host cannot have, with the reason. */
  cannot?(path: string, place: FormPlace): ReadonlyMap<string, string>;
  /**
   * What the command line says otherwise than field by field.
   * @param assignmentsOf what the JSON of a message says, field by field, of its type by full name; handed over, since lists of resources are shown
   *   without the descriptors that it reads.
   */
  say?(resource: MessageJson, assignmentsOf: (json: MessageJson, type: string) => readonly string[]): CommandPart;
}
