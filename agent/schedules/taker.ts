import type { Operation } from "../../proto/gen/zor/v1/operation.js";
import type { Schedule } from "../../proto/gen/zor/v1/schedule.js";
import type { Taken } from "./retention.js";

/** Something that a schedule is to take. */
export interface Due {
  /** Id of what is taken. */
  readonly id: string;
  /** Id of the instance. */
  readonly instance: string;
  readonly schedule: Schedule;
  /** It builds on nothing, although it may. */
  readonly isFull: boolean;
}

/** What a kind that schedules take things of can do. */
export interface Taker {
  /** Begins to take one; nobody has asked for it. @throws {ZorError} and then nothing has changed. */
  take(due: Due): Promise<Operation>;
  /** What is whole of what a schedule took. */
  taken(instanceUid: string, schedule: string): readonly Taken[];
  /** Name of the resource. */
  nameOf(id: string): string;
  /** Deletes one. @throws {ZorError} when it cannot be deleted now. */
  remove(id: string, reason: string): Promise<void>;
}
