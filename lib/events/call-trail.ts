import { AsyncLocalStorage } from "node:async_hooks";

/** What is known of a call, or of an operation that it began, while it is carried out: whether an event tells of it. */
export interface CallTrail {
  /** Identity of the caller. */
  readonly caller: string;
  isTold: boolean;
  /** Somebody else was asked to do it, and tells of it. */
  isPassedOn: boolean;
}

const trails = new AsyncLocalStorage<CallTrail>();

/** Does work in the name of a caller: events that name them are found again in the trail. */
export function onTrail<T>(trail: CallTrail, work: () => T): T {
  return trails.run(trail, work);
}

/** An event was recorded. One of another caller, or of nobody, does not tell who did what is under way. */
export function leaveTrail({ caller }: { readonly caller: string }): void {
  const trail = trails.getStore();
  if (trail !== undefined && trail.caller === caller) trail.isTold = true;
}

/** Of the call under way nothing has to be told: nothing has changed, or something that was begun tells of it when it ends. */
export function nothingToTell(): void {
  const trail = trails.getStore();
  if (trail !== undefined) trail.isTold = true;
}

/** The call under way is passed on to an agent, which tells of it, and of its refusal. */
export function passedOn(): void {
  const trail = trails.getStore();
  if (trail !== undefined) Object.assign(trail, { isTold: true, isPassedOn: true });
}
