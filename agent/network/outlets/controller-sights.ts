import { ControllerRole } from "../../../proto/gen/zor/v1/lan_outlet.js";
import type { MirroredRow, OvsdbMirror } from "../ovs/ovsdb-mirror.js";
import { findScalar, type OvsdbRow, readMap } from "../ovs/ovsdb-values.js";

/** A controller as the switch tells it. */
export interface ControllerSight {
  readonly connected: boolean;
  readonly role: ControllerRole;
  /** Since when it is connected, or is not; undefined: it never was. */
  readonly since: Date | undefined;
  readonly lastError: string;
}

const roles: Readonly<Record<string, ControllerRole>> = {
  other: ControllerRole.CONTROLLER_ROLE_EQUAL,
  master: ControllerRole.CONTROLLER_ROLE_PRIMARY,
  slave: ControllerRole.CONTROLLER_ROLE_SECONDARY,
};

/** Controllers of lans as they were last seen: since when is counted in seconds, and must not waver. */
export class ControllerSights {
  readonly #now: () => Date;
  readonly #seen = new Map<string, Map<string, ControllerSight>>();

  constructor(now: () => Date) {
    this.#now = now;
  }

  /** A controller of a lan; undefined: it was not seen yet. */
  of(lan: string, target: string): ControllerSight | undefined {
    return this.#seen.get(lan)?.get(target);
  }

  forget(lan: string): void {
    this.#seen.delete(lan);
  }

  /** Looks at those of a lan. @param targets rows by target. @returns those that have come or gone. */
  look(
    mirror: OvsdbMirror,
    bridge: MirroredRow,
    { id, targets }: { readonly id: string; readonly targets: ReadonlyMap<string, OvsdbRow> },
  ): readonly { readonly target: string; readonly connected: boolean }[] {
    const before = this.#seen.get(id) ?? new Map<string, ControllerSight>();
    const rows = mirror.follow(bridge, "controller", "Controller");
    const now = new Map<string, ControllerSight>();
    for (const [target, { target: socket }] of targets) {
      const row = rows.find(({ columns }) => columns["target"] === socket);
      if (row !== undefined) now.set(target, this.#sight(row, before.get(target)));
    }
    this.#seen.set(id, now);
    return [...now].flatMap(([target, { connected }]) =>
      connected === (before.get(target)?.connected ?? false) ? [] : [{ target, connected }],
    );
  }

  #sight({ columns }: MirroredRow, before: ControllerSight | undefined): ControllerSight {
    const connected = columns["is_connected"] === true;
    const told = readMap(columns["status"]);
    const seconds = told.get(connected ? "sec_since_connect" : "sec_since_disconnect");
    const isSame = before?.connected === connected && before.since !== undefined;
    const counted = seconds === undefined ? undefined : new Date(this.#now().getTime() - Number(seconds) * 1000);
    return {
      connected,
      role: connected ? (roles[String(findScalar(columns["role"]) ?? "")] ?? 0) : 0,
      since: isSame ? before.since : counted,
      lastError: told.get("last_error") ?? "",
    };
  }
}
