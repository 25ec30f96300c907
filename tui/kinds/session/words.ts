import { type Session, SessionType } from "../../../proto/gen/zor/v1/session.js";
import { shortIdentity } from "../../kit/resource-name.js";

/** What somebody is at: "console", "port 1", "sh as lab". */
export function placeText({ type, port, program, user }: Session): string {
  switch (type) {
    case SessionType.SESSION_TYPE_CONSOLE:
      return port === 0 ? "console" : `console, port ${port}`;
    case SessionType.SESSION_TYPE_SHELL:
      return `shell ${asText(program, user)}`;
    default:
      return asText(program, user);
  }
}

function asText(program: string, user: string): string {
  return user === "" ? program : `${program} as ${user}`;
}

/** "ana" */
export function ownerText({ caller }: Pick<Session, "caller">): string {
  return shortIdentity(caller);
}
