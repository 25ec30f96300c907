import type { InstanceSpec } from "../../../proto/gen/zor/v1/instance.js";

/** Drivers of model "join" whose instances may join the net namespace of another one of the host. */
export interface Sharing {
  /** Where the specification says it, below "instance.spec": "crun.network_of". */
  readonly field: string;
  /** Id of the instance whose net namespace it joins; "": it has its own. Pure. */
  networkOf(spec: InstanceSpec): string;
  /** Kinds of the drivers whose instances' namespaces can be joined; default: all of model "join". */
  readonly kinds?: readonly string[];
}
