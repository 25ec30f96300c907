import type { FieldViolation } from "../../lib/errors.js";
import type { ResourceMeta } from "../../lib/kinds/codecs.js";
import type { ServiceMethods } from "./serve.js";

/** The message of a kind that lives on hosts. */
export interface HostResource extends ResourceMeta {
  readonly spec: object | undefined;
  readonly status: object | undefined;
}

/** A resource that was checked: its specification is there. */
export type Whole<R extends HostResource> = R & { readonly spec: NonNullable<R["spec"]> };

/** That a resource refers to another one of the same host. */
export interface Reference {
  /** Singular of the other's kind. */
  readonly kind: string;
  readonly id: string;
  /** Name of the part that refers to it, "hosts/h1/instances/vm1/nics/eth0"; default: the resource. */
  readonly from?: string;
  /** What to do when there is no such resource; completes "hosts/h1/lans/lan1 does not exist; …". */
  readonly remedy?: string;
}

/** Options of a change. */
export interface Change {
  /** Everything is checked and nothing is done. */
  readonly validateOnly: boolean;
  /** Identity of who asks. */
  readonly caller: string;
}

/** A specification with its defaults, and what is wrong with it. */
export interface Checked<R extends HostResource> {
  readonly spec: NonNullable<R["spec"]>;
  /** With proto paths from the request on: "lan.spec.mtu". */
  readonly violations: readonly FieldViolation[];
}

/** What a resource is carried out with. */
export interface Carrying {
  /** Another one whenever its specification was set; an etag changes with labels too. */
  readonly generation: string;
}

/** Something of a kind that is on the host although its file is lost. */
export interface Found<R extends HostResource> {
  readonly id: string;
  readonly uid: string;
  readonly spec: NonNullable<R["spec"]>;
  /** When it was made; undefined: nobody knows. */
  readonly createTime: Date | undefined;
  readonly generation?: string;
  /** Where it was found, for people: "it was found at the switch". */
  readonly where: string;
}

/** What a kind can do with its resources beside what is asked of them. */
export interface Kept<R extends HostResource> {
  /** All of them, with what they are carried out with. */
  all(): readonly { readonly resource: Whole<R>; readonly carrying: Carrying }[];
  /** Tells watchers how they are now. @param uids of those that may have changed; default: all. */
  publish(uids?: ReadonlySet<string>): void;
  /** Takes up what has no file: it gets one again and is left as it is. Nothing happens to what is known. Never rejects. */
  take(found: Found<R>): Promise<void>;
  /** Runs work while no resource changes; only for kinds that change one at a time. */
  exclusively(work: () => Promise<void>): Promise<void>;
}

/**
 * A kind of resource that lives on a host. The kit keeps its specifications on disk, serves the standard methods, queues what is
 * asked, undoes what fails and tells watchers; the kind says what is peculiar to it. All calls for one resource come one at a time.
 */
export interface AgentKind<R extends HostResource> {
  /** Its singular. */
  readonly kind: string;
  /** Fields that an update may change; default: labels, annotations and spec. */
  readonly changeable?: readonly string[];
  /** Changes come one at a time for the whole kind, because `admit` looks at all resources. */
  readonly oneAtATime?: boolean;
  /** Milliseconds between looks at all resources for their watchers; default: only when they change. */
  readonly refreshMs?: number;
  /** Those that are always there and cannot be deleted. */
  readonly builtIn?: readonly { readonly id: string; readonly spec: NonNullable<R["spec"]> }[];

  /** Checks a specification and fills in the defaults; pure. @param before undefined: the resource is new. */
  check(spec: R["spec"], before: NonNullable<R["spec"]> | undefined): Checked<R>;

  /** Checks what only a tool of the host can tell of a specification; changes nothing. @param before undefined: the resource is new. @throws {ZorError} */
  verify?(resource: Whole<R>, before: NonNullable<R["spec"]> | undefined): Promise<void>;

  /** What a resource refers to. All of it must be there when the resource is made, and cannot be deleted while it is. */
  uses?(resource: Whole<R>): readonly Reference[];

  /** Refuses what contradicts the other resources of the kind. @throws {ZorError} */
  admit?(resource: Whole<R>, others: readonly Whole<R>[]): void;

  /** Looks whether the host can have a new one; changes nothing. @throws {ZorError} */
  examine?(resource: Whole<R>): Promise<void>;

  /** Makes what the resource says, or brings it to that. Idempotent; on error nothing has changed. */
  ensure(resource: Whole<R>, carrying: Carrying): Promise<void>;

  /** Removes what {@link ensure} made. Idempotent. */
  remove(resource: Whole<R>): Promise<void>;

  /** What is seen of it now. @param failure why it could not be made; "": it could. */
  observe(resource: Whole<R>, failure: string): R["status"];

  /** Names of what is seen to use it, beside those that refer to it. */
  users?(resource: Whole<R>): readonly string[];

  /** Waits for a moment after a change, so that the answer tells how it is then. Must end by itself. */
  settle?(resource: Whole<R>, carrying: Carrying): Promise<void>;

  /** Makes it again after a restart of the agent; default: {@link ensure}. */
  restore?(resource: Whole<R>, carrying: Carrying): Promise<void>;

  /** Called once all are restored: it begins to look for changes. */
  begin?(kept: Kept<R>): Promise<void>;

  /** Looks at the host before its watchers are told, each `refreshMs`. Never rejects. */
  refresh?(kept: Kept<R>): Promise<void>;

  /** Methods of its services beyond the standard ones. */
  verbs?(kept: Kept<R>): readonly ServiceMethods[];

  /** Stops looking; what is on the host stays. */
  close?(): Promise<void>;
}
