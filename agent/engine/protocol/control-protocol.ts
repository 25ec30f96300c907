import type { Codec } from "./codec.js";

/** What can be asked over a control socket, by method. */
export type Calls = Readonly<Record<string, { readonly request: unknown; readonly response: unknown }>>;

/**
 * What an agent and its cable engine say over one control socket: JSON lines. The agent sends `{id, method, request}`; the engine
 * answers each by its id, `{id, result}` or `{id, error}`, and, after the method "watch", sends `{event}`. Bodies are proto3 JSON.
 */
export interface ControlProtocol<C extends Calls, Event> {
  readonly calls: {
    readonly [Method in keyof C]: {
      readonly request: Codec<C[Method]["request"]>;
      readonly response: Codec<C[Method]["response"]>;
    };
  };
  readonly event: Codec<Event>;
}

/** Asks for events; belongs to every protocol. */
export const watchMethod = "watch";

/** Longest line either side accepts. */
export const maxLineBytes: number = 64 * 1024 * 1024;
