import { parseId } from "../../../lib/names.js";
import { type CreateA2bRequest, A2bServiceService as service } from "../../../proto/gen/zor/v1/a2b_service.js";
import type { HubKind } from "../../kit/hub-kind.js";
import { jointOfBox } from "./joint.js";

/** In-line boxes live on hosts. The hub knows the loops that go through several of them. */
export const a2bKind: HubKind = {
  kind: "a2b",
  create: ({ topology }) => {
    topology.addJoiner("a2b", jointOfBox);
    return {
      before: {
        [service.createA2B.path]: ({ parent, a2bId, a2b }: CreateA2bRequest) => {
          const name = `${parent}/a2bs/${parseId("a2b_id", a2bId)}`;
          // The host knows only what is on it: a loop may go through others.
          topology.checkLoop({ ...jointOfBox({ name, spec: a2b?.spec }), allowRstp: true });
        },
      },
    };
  },
};
