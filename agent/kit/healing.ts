import { EventSeverity } from "../../proto/gen/zor/v1/event.js";
import { toldOf } from "../host/told.js";
import type { KindContext } from "./context.js";
import type { HostResource, Kept, Whole } from "./kind.js";

/** How {@link Healing} looks at the resources of a kind, and makes them again. */
export interface Healed<R extends HostResource> {
  /** Singular of the kind; it changes one at a time. */
  readonly kind: string;
  /** "the taps", for the log. */
  readonly told: string;
  /** What of a resource is missing on the host, for people; "": nothing. */
  missing(resource: Whole<R>): string | Promise<string>;
  /** Makes it again. @throws {ZorError} */
  ensure(resource: Whole<R>): Promise<void>;
}

/** Looks after what resources stand for on the host: what is missing is made again, and told as an event "{kind}.healed". */
export class Healing<R extends HostResource> {
  readonly #context: Pick<KindContext, "publisher" | "logError">;
  readonly #healed: Healed<R>;
  /** What is wrong with each, by uid, as it was last seen; "": nothing. */
  readonly #faults = new Map<string, string>();

  constructor(context: Pick<KindContext, "publisher" | "logError">, healed: Healed<R>) {
    this.#context = context;
    this.#healed = healed;
  }

  /** Why a resource is not whole, as it was last seen; "": it is; undefined: nobody has seen it yet. */
  faultOf(uid: string): string | undefined {
    return this.#faults.get(uid);
  }

  /** That a resource was just made. */
  made(uid: string): void {
    this.#faults.set(uid, "");
  }

  /** That a resource is no more. */
  forget(uid: string): void {
    this.#faults.delete(uid);
  }

  /** Looks at all of them and makes again what is missing. Never rejects. */
  async run(kept: Kept<R>): Promise<void> {
    await kept
      .exclusively(async () => {
        for (const { resource } of kept.all()) await this.#heal(resource);
      })
      .catch((error: unknown) => this.#context.logError(error, `${this.#healed.told} could not be looked at`));
  }

  async #heal(resource: Whole<R>): Promise<void> {
    const { uid, name } = resource;
    const before = this.#faults.get(uid) ?? "";
    let missing = "";
    try {
      missing = await this.#healed.missing(resource);
      if (missing === "") return this.made(uid);
      await this.#healed.ensure(resource);
      this.made(uid);
      const severity = EventSeverity.EVENT_SEVERITY_WARNING;
      const message = `${missing}; it was made again`;
      this.#context.publisher.event({
        ...{ severity, message, resource: name, caller: "" },
        type: `${this.#healed.kind}.healed`,
      });
    } catch (error) {
      if (before === "") this.#context.logError(error, `${name} could not be made again; it is tried on`);
      this.#faults.set(uid, [missing, toldOf(error)].filter((part) => part !== "").join(": "));
    }
  }
}
