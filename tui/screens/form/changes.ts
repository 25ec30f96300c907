import type { NamedMessage } from "../../../lib/kinds/codecs.js";
import type { Kind } from "../../../lib/kinds/kinds.js";
import type { Operation } from "../../../proto/gen/zor/v1/operation.js";
import type { MessageJson } from "../../kit/input/fields.js";

/** One resource that is made or changed. */
export type ResourceChange =
  | {
      readonly type: "create";
      readonly kind: Kind;
      /** Full name. */
      readonly name: string;
      readonly resource: NamedMessage;
      /** What the request says besides the resource, as the API's JSON. */
      readonly extras: MessageJson;
    }
  | {
      readonly type: "update";
      readonly kind: Kind;
      readonly name: string;
      readonly resource: NamedMessage;
      /** What it was when it was looked at. */
      readonly before: NamedMessage;
      /** As in an update mask. */
      readonly paths: readonly string[];
      /** It is only changed if it still has this one. */
      readonly etag: string;
    };

/** What a server answered to a change. */
export interface Sent {
  /** What goes on after the call. */
  readonly operation: Operation | undefined;
  /** What it tells this once only, by field of the response: a join token. */
  readonly told: Readonly<Record<string, string>>;
}

/** Makes and changes resources. */
export interface Changes {
  /** Asks whether a change would be taken. @throws {ZorError} when it would not. */
  check(change: ResourceChange, signal: AbortSignal): Promise<void>;
  /** Asks for it. @throws {ZorError} when it is not taken on. */
  send(change: ResourceChange, signal: AbortSignal): Promise<Sent>;
  /** Follows what goes on until it is done. @throws {ZorError} its own error when it fails. */
  follow(operation: Operation, onProgress: (operation: Operation) => void): Promise<void>;
}

/** What became of a text that somebody edited. */
export type EditedText =
  | { readonly type: "left"; readonly why: string }
  | { readonly type: "taken"; readonly resource: NamedMessage };

/** Edits a resource as YAML in the person's editor, which has the terminal meanwhile. */
export type EditText = (
  text: { readonly kind: Kind; readonly id: string; readonly yaml: string; readonly notes: readonly string[] },
  /** Whether it would be taken. @throws {ZorError} when not: it is edited again, with the reason on top. */
  check: (resource: NamedMessage) => Promise<void>,
) => Promise<EditedText>;
