import { Event, EventSeverity } from "../../../proto/gen/zor/v1/event.js";
import type { TuiKind } from "../../kit/kind.js";
import { hostOf } from "../../kit/resource-name.js";
import { eventColumns } from "./columns.js";
import { describeEvent } from "./describe.js";
import { severityStyle } from "./states.js";

/** What happened. */
export const eventKind: TuiKind<Event> = {
  kind: "event",
  columns: eventColumns,
  sortBy: "time",
  empty: "no events",
  log: {
    limit: 5000,
    read: ({ resource, type, severity, time }) => ({
      about: resource,
      type,
      time,
      failed: severity === EventSeverity.EVENT_SEVERITY_ERROR,
    }),
    write: ({ name, time, type, about, failed, message }) =>
      Event.fromPartial({
        name,
        time,
        severity: failed ? EventSeverity.EVENT_SEVERITY_ERROR : EventSeverity.EVENT_SEVERITY_INFO,
        type,
        resource: about,
        message,
      }),
  },
  actions: [],
  stateAt: ["severity"],
  styleOf: severityStyle,
  describe: describeEvent,
  hostsOf: (row) => [row.host, hostOf(row.resource.resource) ?? ""],
};
