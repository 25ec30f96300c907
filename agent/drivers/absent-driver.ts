import { failedPrecondition, type ZorError } from "../../lib/errors.js";
import type { DriverInstance, InstanceDriver } from "./driver.js";

/** FAILED_PRECONDITION for what needs a driver that this agent does not have. @param kind its word; "": it is not known. */
export function noDriver(kind: string, resource: string): ZorError {
  return failedPrecondition("NO_DRIVER", resource, `this agent has no driver ${kind}; see: zor doctor`);
}

/**
 * Stands for a driver that this agent does not have: its instances are shown and kept as they are, and whatever is asked of them fails
 * with NO_DRIVER.
 */
export class AbsentDriver implements InstanceDriver {
  readonly kind: string;
  readonly options = { type: "" };
  readonly network = "own";
  readonly can = {};

  /** @param kind word of the driver that is missing; "": it is not known. */
  constructor(kind: string) {
    this.kind = kind;
  }

  async fingerprint(): Promise<[]> {
    return [];
  }

  async validate(): Promise<never> {
    throw noDriver(this.kind, "");
  }

  create({ name }: DriverInstance): Promise<never> {
    return this.#refuse(name);
  }

  start({ name }: DriverInstance): Promise<never> {
    return this.#refuse(name);
  }

  recover({ name }: DriverInstance): Promise<never> {
    return this.#refuse(name);
  }

  stop({ name }: DriverInstance): Promise<never> {
    return this.#refuse(name);
  }

  destroy({ name }: DriverInstance): Promise<never> {
    return this.#refuse(name);
  }

  inspect({ name }: DriverInstance): Promise<never> {
    return this.#refuse(name);
  }

  async *events(): AsyncIterable<never> {}

  async detach(): Promise<void> {}

  async #refuse(resource: string): Promise<never> {
    throw noDriver(this.kind, resource);
  }
}
