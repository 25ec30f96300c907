import type { InstanceDriver } from "../../../agent/drivers/driver.js";
import type { InstanceSpec, Nic } from "../../../proto/gen/zor/v1/instance.js";

/** Where a driver under test works. */
export interface SubjectContext {
  /** Directory with images; a test may add more. */
  readonly imageDirectory: string;
  readonly stateDirectory: string;
}

/** A driver that the contract suite is run against. */
export interface Subject {
  readonly kind: string;
  /** Why it cannot be tested here; undefined when it can. */
  readonly missing: string | undefined;
  /** A driver as a newly started agent makes it. */
  createDriver(context: SubjectContext): InstanceDriver;
  /** A spec of the smallest instance, with a shell on its console and busybox inside. */
  toSpec(nics: Nic[]): InstanceSpec;
  /** The same with an image of another name. */
  withImage(spec: InstanceSpec, image: string): InstanceSpec;
  /** Field of that image in errors. */
  readonly imageField: string;
}
