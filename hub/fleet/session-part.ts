import type { Greeted } from "./dial.js";

/** A session with an agent, as a part of it sees it. */
export interface PartSession {
  /** Id of the host. */
  readonly host: string;
  readonly connection: Greeted["connection"];
  /** The agent was heard. */
  readonly heard: () => void;
  /** Something that the agent said is not believed: of what, and why. It is counted and shown at the host. */
  readonly refuse: (refused: { readonly name: string; readonly why: string }) => void;
}

/** What a kind does in every session with an agent, beside the watch of resources that every session has. */
export interface SessionPart {
  /** Runs while the session lasts: until the signal aborts. An error ends the session. */
  run(session: PartSession, signal: AbortSignal): Promise<void>;
  /** The session with a host has ended: what its agent told stays, but may be old. */
  lost(host: string): void;
  /** A host is no longer registered. */
  forgotten(host: string): void;
}
